import { invalid, quote, rejectControl } from "../base/invalid.ts";

/**
 * A container's network as a program carries it that needs no rights on the host's, as podman spells it:
 *
 *   pasta[:OPTION,…]             options of pasta(1), as its command line has them: "pasta:--mtu,1500"
 *   slirp4netns[:KEY=VALUE,…]    cidr, mtu, outbound_addr, outbound_addr6, enable_ipv6, allow_host_loopback, port_handler
 */
export interface NetworkStack {
  kind: StackKind;
  options: readonly string[];
}

export const stackKinds = ["pasta", "slirp4netns"] as const;
export type StackKind = (typeof stackKinds)[number];

/** Undefined: the mode is another one. */
export function stackOf(mode: string): NetworkStack | undefined {
  const colon = mode.indexOf(":");
  const kind = colon < 0 ? mode : mode.slice(0, colon);
  if (kind !== "pasta" && kind !== "slirp4netns") return undefined;
  return { kind, options: colon < 0 ? [] : mode.slice(colon + 1).split(",") };
}

const optionsMax = 256;

/** @throws RtError invalid-argument */
export function checkStack({ kind, options }: NetworkStack, what: string): void {
  const wrong = (why: string) => invalid(`invalid ${what} ${quote(`${kind}:${options.join(",")}`)}: ${why}`);
  if (options.length > optionsMax) throw wrong("too many options");
  for (const option of options) {
    rejectControl(what, option);
    if (option === "") throw wrong(`an option of ${kind} is empty`);
  }
  if (kind === "pasta") checkPasta(options, wrong);
  else slirpOptions(options, wrong);
}

/** What we say ourselves: where the container's network is, and how it is to run. */
const ownOptions =
  /^(--(netns|userns|netns-only|config-net|foreground|pid|fd|quiet|runas|no-netns-quit|socket|one-off)(=.*)?|-[fPFqs1].*)$/;

function checkPasta(options: readonly string[], wrong: (why: string) => Error): void {
  const own = options.find((option) => ownOptions.test(option));
  if (own !== undefined) throw wrong(`rt itself says ${own} to pasta`);
  if (options[0] !== undefined && !options[0].startsWith("-"))
    throw wrong("want options of pasta(1), with a comma between words, as pasta:--mtu,1500");
}

export interface SlirpOptions {
  /** "10.0.2.0/24" */
  cidr: string;
  mtu: number;
  outbound: string;
  outbound6: string;
  ipv6: boolean;
  loopback: boolean;
}

const switches: Readonly<Record<string, boolean>> = { true: true, false: false };

/** @param wrong makes the error of what is wrong @throws what that makes */
export function slirpOptions(
  options: readonly string[],
  wrong: (why: string) => Error = invalid,
): SlirpOptions {
  const all: SlirpOptions = {
    ...{ cidr: "10.0.2.0/24", mtu: 65520, outbound: "", outbound6: "" },
    ...{ ipv6: true, loopback: false },
  };
  const flag = (key: string, value: string) => {
    if (!Object.hasOwn(switches, value)) throw wrong(`${key} is true or false`);
    return switches[value]!;
  };
  for (const option of options) {
    const equals = option.indexOf("=");
    const [key, value] = equals < 0 ? [option, ""] : [option.slice(0, equals), option.slice(equals + 1)];
    if (key === "cidr") all.cidr = cidrOf(value, wrong);
    else if (key === "mtu") {
      const mtu = /^\d{1,5}$/.test(value) ? Number(value) : 0;
      if (mtu < 68 || mtu > 65521) throw wrong("mtu is 68 to 65521");
      all.mtu = mtu;
    } else if (key === "enable_ipv6") all.ipv6 = flag(key, value);
    else if (key === "allow_host_loopback") all.loopback = flag(key, value);
    else if (key === "outbound_addr") all.outbound = plain(key, value, wrong);
    else if (key === "outbound_addr6") all.outbound6 = plain(key, value, wrong);
    else if (key === "port_handler") {
      // podman's other one is a program of its own.
      if (value !== "slirp4netns") throw wrong("port_handler is slirp4netns");
    } else throw wrong(`slirp4netns has no option ${quote(key)}`);
  }
  return all;
}

/** An address, or the name of an interface: slirp4netns says whether there is one. */
function plain(key: string, value: string, wrong: (why: string) => Error): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9.:_-]{0,63}$/.test(value)) return value;
  throw wrong(`${key} is an address or an interface of the host`);
}

function cidrOf(value: string, wrong: (why: string) => Error): string {
  const [, digits, prefix] = /^((?:\d{1,3}\.){3}\d{1,3})\/(\d{1,2})$/.exec(value) ?? [];
  const bytes = digits?.split(".").map(Number) ?? [];
  // Its own addresses are at 2, 3 and 100 there.
  const isNetwork = bytes.length === 4 && bytes.every((byte) => byte < 256) && (bytes[3]! & 127) === 0;
  if (isNetwork && Number(prefix) >= 8 && Number(prefix) <= 25) return value;
  throw wrong("cidr is a network of IPv4 with a prefix of 8 to 25, as 10.0.2.0/24");
}

/** "10.0.2.0/24", 100 -> "10.0.2.100" */
export function slirpAddress(cidr: string, host: number): string {
  const [a, b, c, d] = cidr.split("/")[0]!.split(".").map(Number);
  return [a, b, c, d! + host].join(".");
}
