import { RtError } from "../base/errors.ts";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { defaulted, type Infer, integer, listOf, mapOf, object, text } from "../base/shape.ts";
import { isAddress } from "./address.ts";
import { cut } from "./labels.ts";
import { joinedContainer, networkOf } from "./namespace-mode.ts";

const word = defaulted(text, "");
const texts = defaulted(listOf(text), []);

/** A network that a container is to be in, and what it is to have there: "" leaves it to us. */
export const networkWish = object({
  /** As it was called: its name, its id, or the beginning of that. */
  network: text,
  /** Other names that it is found by. */
  aliases: texts,
  /** Of IPv4, and of IPv6. */
  address: word,
  address6: word,
  /** "02:42:ac:11:00:02" */
  mac: word,
  /** "NAME:ALIAS": other containers, by names of this one's own. */
  links: texts,
  /** The driver's. */
  options: defaulted(mapOf(text), {}),
  /** Of several networks the one with the highest has the default route. */
  priority: defaulted(integer, 0),
});
export type NetworkWish = Infer<typeof networkWish>;

/** A place in a network about which nothing is said. */
export function plainWish(network: string): NetworkWish {
  return networkWish({ network }, "network");
}

/** Is nothing said of the network but its name? Then nothing of it need be kept. */
export function isPlain(wish: NetworkWish): boolean {
  return Bun.deepEquals(wish, plainWish(wish.network));
}

/** The networks that it is to be in, first of all the one that its mode names; where nothing is said of any, just that. */
export function wishesOf(settings: {
  networkMode: string;
  networks?: readonly NetworkWish[] | undefined;
}): readonly NetworkWish[] {
  const network = networkOf(settings.networkMode);
  return settings.networks ?? (network === undefined ? [] : [plainWish(network)]);
}

/** An address in a network. @throws RtError invalid-argument */
export function parseNetworkAddress(text: string, what: string): string {
  if (text === "" || (isAddress(text) && !text.includes(":"))) return text;
  throw invalid(`invalid ${what} ${quote(text)}: not an IPv4 address`);
}

/** The same of IPv6. @throws RtError invalid-argument */
export function parseNetworkAddress6(text: string, what: string): string {
  if (text === "" || (isAddress(text) && text.includes(":"))) return text;
  throw invalid(`invalid ${what} ${quote(text)}: not an IPv6 address`);
}

/** "02:42:ac:11:00:02", in small letters. @throws RtError invalid-argument */
export function parseMac(text: string, what: string): string {
  if (text === "") return text;
  const mac = text.toLowerCase().replaceAll("-", ":");
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac))
    throw invalid(`invalid ${what} ${quote(text)}: want six bytes, as 02:42:ac:11:00:02`);
  const isForOne = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && mac !== "00:00:00:00:00:00";
  if (!isForOne) throw invalid(`invalid ${what} ${quote(text)}: it is not one that an interface can have`);
  return mac;
}

/** A name for other containers of the network. @throws RtError invalid-argument */
export function parseAlias(text: string, what: string): string {
  if (/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/.test(text) && text.length <= 255) return text;
  throw invalid(`invalid ${what} ${quote(text)}: want letters, digits, dots and dashes, at most 255`);
}

/** "NAME" or "NAME:ALIAS" -> "NAME:ALIAS", as Docker's API has it, too: "/NAME:/OWNER/ALIAS". @throws RtError invalid-argument */
export function parseLink(text: string, what: string): string {
  const parts = rejectControl(what, text).split(":");
  const [name = "", alias = name] = parts.map((part) => part.slice(part.lastIndexOf("/") + 1));
  if (parts.length > 2 || name === "")
    throw invalid(`invalid ${what} ${quote(text)}: bad format for links: want NAME or NAME:ALIAS`);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name) || name.length > 255)
    throw invalid(`invalid ${what} ${quote(text)}: no container has such a name`);
  return `${name}:${parseAlias(alias, what)}`;
}

/** "KEY=VALUE" of a driver's option, for this container alone. @throws RtError invalid-argument | unsupported */
export function parseEndpointOption(text: string, what: string): [string, string] {
  const [key, value] = cut(rejectControl(what, text));
  if (key === "" || value === undefined)
    throw invalid(`invalid ${what} ${quote(text)}: invalid key value pair format in driver options`);
  return checkEndpointOption(key.trim(), value.trim(), what);
}

/** The name of its interface, in the container. */
export const interfaceOption = "com.docker.network.endpoint.ifname";
const sysctlsOption = "com.docker.network.endpoint.sysctls";

/** Those that nobody knows are kept and shown, as Docker does. @throws RtError invalid-argument | unsupported */
export function checkEndpointOption(key: string, value: string, what: string): [string, string] {
  if (key === sysctlsOption)
    throw new RtError("unsupported", `${what} ${sysctlsOption} is not there yet: use --sysctl`);
  if (key === interfaceOption && !/^(?!lo$)[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/.test(value))
    throw invalid(
      `invalid ${what} ${key}=${quote(value)}: want the name of an interface, at most 15 letters`,
    );
  return [key, value];
}

/** @throws RtError invalid-argument */
export function parsePriority(text: string, what: string): number {
  if (/^[-+]?\d{1,10}$/.test(text) && Math.abs(Number(text)) < 2 ** 31) return Number(text);
  throw invalid(`invalid ${what} (${text}): want a number`);
}

/** What is asked of a network by a container that is in none. @throws RtError invalid-argument, in Docker's words */
export function checkNetworkWish(networkMode: string, wish: NetworkWish): void {
  if (networkOf(networkMode) !== undefined) return;
  const { address, address6, mac, aliases, links, options, priority } = wish;
  if (address !== "" || address6 !== "")
    throw invalid("conflicting options: an address (--ip) and a container that is in no network");
  if (mac !== "") throw invalid("conflicting options: mac-address and the network mode");
  if (aliases.length > 0)
    throw invalid("network-scoped aliases are only supported for user-defined networks");
  if (links.length > 0)
    throw invalid(
      `conflicting options: ${linklessName(networkMode)} can't be used with links: it has no other containers for neighbours`,
    );
  if (Object.keys(options).length > 0 || priority !== 0)
    throw invalid("conflicting options: options of a network and the network mode");
}

function linklessName(networkMode: string): string {
  if (networkMode === "host") return "host type networking";
  return joinedContainer(networkMode) === undefined ? "this network mode" : "container type network";
}

/** Of several networks none is a namespace of another kind. @throws RtError invalid-argument, in Docker's words */
export function checkNetworks(modes: readonly string[]): void {
  const [twice] = modes.filter((mode, index) => modes.indexOf(mode) !== index);
  if (twice !== undefined) throw invalid(`network ${quote(twice)} is specified multiple times`);
  if (modes.length > 1 && modes.some((mode) => networkOf(mode) === undefined))
    throw invalid("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
}
