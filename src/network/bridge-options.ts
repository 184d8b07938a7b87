import { RtError } from "../base/errors.ts";
import { egressOption, parseEgress } from "../settings/egress.ts";
import { isMtu, mtuOption, mtuWanted } from "./mtu.ts";

/**
 * Options of the bridge driver, by their names of docker and of podman, where they have both:
 *
 *   com.docker.network.bridge.name                        the host's interface
 *   com.docker.network.driver.mtu, mtu
 *   com.docker.network.bridge.enable_ip_masquerade
 *   com.docker.network.bridge.enable_icc, icc             false: containers of the network do not reach each other
 *   com.docker.network.bridge.host_binding_ipv4           where published ports are, unless it is said
 *   com.docker.network.bridge.gateway_mode_ipv4, _ipv6    nat, nat-unprotected, isolated
 *   com.docker.network.bridge.inhibit_ipv4                the bridge has no address of IPv4
 *   com.docker.network.bridge.trusted_host_interfaces     whoever comes by these reaches all ports
 *   com.docker.network.container_iface_prefix
 *   isolate                                               false: it and the others that say so reach each other
 *   rt.host-access                                        false: services of the host are closed to its containers
 *   rt.guard                                              false: its containers may take other addresses
 *   rt.egress-allow                                       where they may go, all others being closed: A,B (settings/egress.ts)
 */
export interface BridgeOptions {
  name: string | undefined;
  mtu: number;
  masquerade: boolean;
  /** Its containers reach each other. */
  isSociable: boolean;
  /** Networks of this kind reach each other. */
  isOpen: boolean;
  /** Its containers reach services of the host. */
  hostAccess: boolean;
  /** Its containers keep to their addresses. */
  guard: boolean;
  /** Where its containers may go; all destinations where none is said. */
  egress: readonly string[];
  /** "" where it is not said. */
  hostAddress: string;
  gatewayModes: Readonly<Record<4 | 6, "nat" | "nat-unprotected" | "isolated">>;
  /** The bridge has no address of this family. */
  inhibited: Readonly<Record<4 | 6, boolean>>;
  trusted: readonly string[];
  /** Of the interfaces in containers. */
  prefix: string;
}

type Options = Readonly<Record<string, string>>;

const bridge = "com.docker.network.bridge.";
export const nameOption = `${bridge}name`;
const mtuDefault = 1500;
const isInterface = (value: string) => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/.test(value);
const isSwitch = (value: string) => /^(true|false|1|0)$/.test(value);
const switches = "want true or false";
const modes = ["nat", "nat-unprotected", "isolated"] as const;
const laterModes = ["routed"];
/** Podman's. */
const laterOptions = ["vlan", "vrf", "metric", "no_default_route"];

/** What a value has to be; by the option's name in the settings, and then its others. */
const known: readonly { names: readonly string[]; want: string; is: (value: string) => boolean }[] = [
  {
    names: [nameOption],
    want: "want the name of an interface, at most 15 of [a-zA-Z0-9_.-]",
    is: isInterface,
  },
  {
    names: [mtuOption, "mtu"],
    want: mtuWanted,
    is: isMtu,
  },
  ...[
    [`${bridge}enable_ip_masquerade`],
    [`${bridge}enable_icc`, "icc"],
    [`${bridge}inhibit_ipv4`],
    ["rt.host-access"],
    ["rt.guard"],
  ].map((names) => ({ names, want: switches, is: isSwitch })),
  {
    names: [egressOption],
    want: "want names, addresses or subnets, with commas between them",
    is: (value) => {
      for (const each of value.split(",")) parseEgress(each, `option ${egressOption}`);
      return true;
    },
  },
  {
    names: ["isolate"],
    want: "want true, false or strict",
    is: (value) => isSwitch(value) || value === "strict",
  },
  {
    names: [`${bridge}host_binding_ipv4`],
    want: "want an address of IPv4",
    is: (value) =>
      /^\d{1,3}(\.\d{1,3}){3}$/.test(value) && value.split(".").every((part) => Number(part) < 256),
  },
  {
    names: [`${bridge}gateway_mode_ipv4`],
    want: `want one of ${modes.join(", ")}`,
    is: (value) => [...modes, ...laterModes].includes(value),
  },
  {
    names: [`${bridge}gateway_mode_ipv6`],
    want: `want one of ${modes.join(", ")}`,
    is: (value) => [...modes, ...laterModes].includes(value),
  },
  {
    names: [`${bridge}trusted_host_interfaces`],
    want: "want names of interfaces, with colons between them",
    is: (value) => value.split(":").every(isInterface),
  },
  {
    names: ["com.docker.network.container_iface_prefix"],
    want: "want at most 12 letters of an interface's name",
    is: (value) => /^[a-zA-Z][a-zA-Z0-9_-]{0,11}$/.test(value) && value !== "lo",
  },
];

/** @throws RtError invalid-argument | unsupported */
export function checkBridgeOptions(options: Options, internal: boolean): void {
  for (const [key, value] of Object.entries(options)) {
    const option = known.find(({ names }) => names.includes(key));
    if (!option) {
      if (laterOptions.includes(key))
        throw new RtError("unsupported", `option ${key} is not there yet: it comes in a later version`, {
          exitCode: 1,
        });
      const message = `option ${key} is none of the bridge driver's: rt network create --help has them`;
      throw new RtError("invalid-argument", message, { exitCode: 1 });
    }
    const what = `invalid option ${key}=${JSON.stringify(value)}`;
    if (!option.is(value)) throw new RtError("invalid-argument", `${what}: ${option.want}`, { exitCode: 1 });
    if (laterModes.includes(value) && key.includes("gateway_mode"))
      throw new RtError(
        "unsupported",
        `option ${key}=${value} is not there yet: it comes in a later version`,
        {
          exitCode: 1,
        },
      );
    if (key === egressOption && internal)
      throw new RtError("invalid-argument", `${what}: an internal network leads nowhere`, { exitCode: 1 });
    if (value === "isolated" && !internal)
      throw new RtError("invalid-argument", `${what}: a network without a gateway is --internal`, {
        exitCode: 1,
      });
  }
}

/** What has been checked; what is wrong all the same is as if it were not said. */
export function bridgeOptions(options: Options): BridgeOptions {
  const said = (key: string): string | undefined => {
    const option = known.find(({ names }) => names.includes(key))!;
    const name = option.names.find((each) => Object.hasOwn(options, each));
    const value = name === undefined ? undefined : options[name]!;
    return value !== undefined && option.is(value) ? value : undefined;
  };
  const isOff = (key: string) => ["false", "0"].includes(said(key) ?? "");
  const modeOf = (family: 4 | 6) =>
    modes.find((mode) => mode === said(`${bridge}gateway_mode_ipv${family}`)) ?? "nat";
  const gatewayModes = { 4: modeOf(4), 6: modeOf(6) };
  const isInhibited = ["true", "1"].includes(said(`${bridge}inhibit_ipv4`) ?? "");
  return {
    name: said(nameOption),
    mtu: Number(said("mtu") ?? mtuDefault),
    masquerade: !isOff(`${bridge}enable_ip_masquerade`),
    isSociable: !isOff("icc"),
    isOpen: isOff("isolate"),
    hostAccess: !isOff("rt.host-access"),
    guard: !isOff("rt.guard"),
    egress:
      said(egressOption)
        ?.split(",")
        .map((text) => parseEgress(text, egressOption)) ?? [],
    hostAddress: said(`${bridge}host_binding_ipv4`) ?? "",
    gatewayModes,
    inhibited: { 4: isInhibited || gatewayModes[4] === "isolated", 6: gatewayModes[6] === "isolated" },
    trusted: said(`${bridge}trusted_host_interfaces`)?.split(":") ?? [],
    prefix: said("com.docker.network.container_iface_prefix") ?? "eth",
  };
}
