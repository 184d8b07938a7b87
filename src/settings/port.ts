import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { type Infer, natural, object, oneOf, text } from "../base/shape.ts";
import { isAddress } from "./address.ts";
import { joinedContainer } from "./namespace-mode.ts";

const portProtocols = ["tcp", "udp", "sctp"] as const;
type PortProtocol = (typeof portProtocols)[number];

/** A port of the host that is to lead to one of the container's. */
export const portWish = object({
  /** The container's. */
  port: natural,
  protocol: oneOf(...portProtocols),
  /** Of the host's addresses; "" is all of them. */
  address: text,
  /** The first of these that is free; 0 and 0 leaves it to us. */
  first: natural,
  last: natural,
});
export type PortWish = Infer<typeof portWish>;

interface PortSettings {
  publish: PortWish[];
  /** "80/tcp" */
  expose: string[];
  publishAll: boolean;
}

const portMax = 65535;
/** Longer than any that can be. */
const textMax = 256;

/**
 * `-p`: "[ip:][host[-host]:]container[-container][/protocol]", or "target=80,published=8080,protocol=tcp". Ranges that are
 * equally long go together, one by one; a range of the host's for one port of the container is what may be chosen from.
 *
 * @throws RtError invalid-argument, in Docker's words
 */
export function parsePublish(typed: string, what = "--publish"): PortWish[] {
  const words = checked(what, typed);
  const spec = words.includes("=") ? shortOf(words) : words;
  const parts = spec.split(":");
  const container = parts.pop()!;
  const host = parts.pop() ?? "";
  const address = addressOf(parts.join(":"), parts.length > 0);
  const { ports, protocol } = withProtocol(container);
  if (ports === "") throw invalid(`no port specified: ${words}<empty>`);
  const own = rangeOf(ports);
  if (!own || own.first === 0) throw invalid(`invalid containerPort: ${ports}`);
  const given = host === "" ? { first: 0, last: 0 } : rangeOf(host);
  if (!given) throw invalid(`invalid hostPort: ${host}`);
  const [length, hostLength] = [own, given].map(({ first, last }) => last - first + 1) as [number, number];
  if (host !== "" && length !== hostLength && length > 1)
    throw invalid(`invalid ranges specified for container and host Ports: ${ports} and ${host}`);
  return Array.from({ length }, (_, index) => {
    const first = host === "" ? 0 : given.first + (length > 1 ? index : 0);
    const last = length > 1 ? first : given.last;
    return { port: own.first + index, protocol, address, first, last };
  });
}

/** `--expose`: "80", "80-90/udp". @returns "80/tcp" and so on @throws RtError invalid-argument, in Docker's words */
export function parseExpose(typed: string, what = "--expose"): string[] {
  const words = checked(what, typed);
  if (words.includes(":")) throw invalid(`invalid port format for ${what}: ${words}`);
  const { ports, protocol } = withProtocol(words);
  const range = rangeOf(ports);
  if (!range || range.first === 0) {
    const why = ports === "" ? "empty string specified for ports." : `want a port of 1 to ${portMax}, or two`;
    throw invalid(`invalid range format for ${what}: ${words}, error: ${why}`);
  }
  return Array.from(
    { length: range.last - range.first + 1 },
    (_, index) => `${range.first + index}/${protocol}`,
  );
}

/** A container's port, "80" or "80/udp". @throws RtError invalid-argument, in Docker's words */
export function parsePort(typed: string, what: string): { port: number; protocol: PortProtocol } {
  const { ports, protocol } = withProtocol(checked(what, typed));
  const range = rangeOf(ports);
  if (!range || range.first === 0 || range.first !== range.last)
    throw invalid(`invalid port (${typed}): want a number`);
  return { port: range.first, protocol };
}

/** "80/tcp" as it is kept, in numbers. */
export function exposedPort(key: string): { port: number; protocol: PortProtocol } {
  const [port, protocol] = key.split("/");
  return { port: Number(port), protocol: protocol as PortProtocol };
}

/** Each once, by number and protocol. */
export function sortedPorts(keys: readonly string[]): string[] {
  const numbers = [...new Set(keys)].map((key) => ({ key, ...exposedPort(key) }));
  return numbers.sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1)).map(({ key }) => key);
}

/** What it publishes and exposes, by the container's port: what documents have as its exposed ports. */
export function allExposed({ publish, expose }: Pick<PortSettings, "publish" | "expose">): string[] {
  return sortedPorts([...expose, ...publish.map(({ port, protocol }) => `${port}/${protocol}`)]);
}

/** Every one once. */
export function distinctWishes(wishes: readonly PortWish[]): PortWish[] {
  const known = new Map(wishes.map((wish) => [JSON.stringify(Object.entries(wish).sort()), wish]));
  return [...known.values()];
}

/** @throws RtError invalid-argument: the network that it has is another container's; in Docker's words */
export function checkPorts(networkMode: string, { publish, expose, publishAll }: PortSettings): void {
  if (joinedContainer(networkMode) === undefined) return;
  const conflict = (what: string) =>
    invalid(`conflicting options: port ${what} and the container type network mode`);
  if (publish.length > 0 || publishAll) throw conflict("publishing");
  if (expose.length > 0) throw conflict("exposing");
}

function checked(what: string, typed: string): string {
  if (typed.length > textMax) throw invalid(`invalid ${what} ${quote(typed)}: too long`);
  return rejectControl(what, typed);
}

function withProtocol(words: string): { ports: string; protocol: PortProtocol } {
  const slash = words.indexOf("/");
  const [ports, name] = slash < 0 ? [words, ""] : [words.slice(0, slash), words.slice(slash + 1)];
  const protocol = portProtocols.find((known) => known === (name.toLowerCase() || "tcp"));
  if (!protocol) throw invalid(`invalid proto: ${name}`);
  return { ports, protocol };
}

/** "80", "80-90". */
function rangeOf(words: string): { first: number; last: number } | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(words);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? first);
  return first <= last && last <= portMax ? { first, last } : undefined;
}

function addressOf(words: string, isGiven: boolean): string {
  const bare = /^\[(.*)\]$/.exec(words)?.[1] ?? words;
  if (bare === "" && words === "") return "";
  if (!isAddress(bare) || (isGiven && words !== bare && !bare.includes(":")))
    throw invalid(`invalid IP address: ${words}`);
  return bare;
}

/** Docker's long form as the short one. */
function shortOf(words: string): string {
  const fields: Record<string, string> = {};
  for (const pair of words.split(",")) {
    const equals = pair.indexOf("=");
    const [key, value] =
      equals < 0 ? [pair, ""] : [pair.slice(0, equals).toLowerCase(), pair.slice(equals + 1)];
    if (equals < 0 || value === "") throw invalid(`invalid field: ${pair}`);
    if (!["target", "published", "protocol", "mode"].includes(key))
      throw invalid(`invalid field key: ${key}`);
    fields[key] = value;
  }
  const { target = "", published = "", protocol = "tcp" } = fields;
  return `${published}${published === "" ? "" : ":"}${target}/${protocol}`;
}
