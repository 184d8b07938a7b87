import { invalid, quote, rejectControl } from "../base/invalid.ts";

/** The host's own address in the container's network, whatever that turns out to be. */
const hostGateway = "host-gateway";

/** "host:address" as it is kept, with `gateways` in the place of Docker's word for them. */
export function namedAddresses(
  entry: string,
  gateways: readonly string[],
): [name: string, address: string][] {
  const colon = entry.indexOf(":");
  const [name, address] = [entry.slice(0, colon), entry.slice(colon + 1)];
  return (address === hostGateway ? gateways : [address]).map((each) => [name, each]);
}

/** Is the host's own address among those that are asked for? */
export function namesHostGateway(entries: readonly string[]): boolean {
  return entries.some((entry) => entry.endsWith(`:${hostGateway}`));
}

/**
 * `host:address` or `host=address`, IPv6 with or without brackets -> "host:address".
 *
 * @param what is for the message, as in the other parsers of this room
 * @throws RtError invalid-argument
 */
export function parseAddHost(text: string, what = "--add-host"): string {
  rejectControl(what, text);
  const match = /^([^\s:=]+)[:=](.+)$/.exec(text);
  if (!match) throw invalid(`invalid ${what} ${quote(text)}: want HOST:ADDRESS`);
  const host = match[1]!;
  const address = match[2]!.replace(/^\[(.*)\]$/, "$1");
  if (address !== hostGateway && !isAddress(address))
    throw invalid(`invalid ${what} ${quote(text)}: ${quote(address)} is not an IP address`);
  return `${host}:${address}`;
}

/** @throws RtError invalid-argument */
export function parseDns(text: string, what = "--dns"): string {
  if (!isAddress(text)) throw invalid(`invalid ${what} ${quote(text)}: not an IP address`);
  return text;
}

/** A domain, or "." for none. @throws RtError invalid-argument */
export function parseDnsSearch(text: string, what = "--dns-search"): string {
  const name = text.trim();
  if (name === "." || (/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_.])?$/.test(name) && name.length <= 255))
    return name;
  throw invalid(`invalid ${what} ${quote(text)}: not a domain`);
}

/** A word of the line `options` in resolv.conf(5). @throws RtError invalid-argument */
export function parseDnsOption(text: string, what = "--dns-option"): string {
  if (/^[a-zA-Z0-9_-]+(:\d{1,5})?$/.test(text) && text.length <= 64) return text;
  throw invalid(`invalid ${what} ${quote(text)}: want a word, as ndots:2 or rotate`);
}

/** IPv4 or IPv6 without a zone, written as inet_pton(3) takes it. */
export function isAddress(text: string): boolean {
  return isIPv4(text) || isIPv6(text);
}

function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIPv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2 || !text.includes(":")) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1);
  const embedded = last?.includes(".") && !text.endsWith("::") ? 1 : 0;
  if (embedded && !isIPv4(groups.pop()!)) return false;
  const count = groups.length + 2 * embedded;
  return (
    groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) &&
    (halves.length === 2 ? count < 8 : count === 8)
  );
}
