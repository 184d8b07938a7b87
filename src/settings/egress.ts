import { invalid, quote } from "../base/invalid.ts";
import { isAddress } from "./address.ts";
import { networkOf } from "./namespace-mode.ts";

/**
 * Where a container may go, outside of its networks: names, addresses and subnets, with a port or without. Where any is said, all
 * others are closed; "none" says that all are.
 */
export const noEgress = "none";
/** Of a network, where they are said with commas between them. */
export const egressOption = "rt.egress-allow";

/** One of them. Of a name, or an address with its prefix; and a port, or any. */
export interface EgressRule {
  /** In small letters; "*.example.org" is all below that. */
  name?: string;
  address?: string;
  prefix?: number;
  port?: number;
}

const forms =
  "want NAME, *.NAME, ADDRESS or CIDR, and :PORT behind it; an address of IPv6 is in brackets then";
/** Longer than any that can be: a name of 255 and a port. */
const textMax = 300;
const label = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?";
const namePattern = new RegExp(`^(\\*\\.)?(${label}\\.)*${label}$`);

/** As it is kept: in small letters. @throws RtError invalid-argument */
export function parseEgress(text: string, what: string): string {
  const kept = text.toLowerCase().replace(/\.(?=$|:\d+$)/, "");
  if (kept !== noEgress) egressRule(kept, `invalid ${what} ${quote(text)}`);
  return kept;
}

/** All of a list; none where a container is in no network. @throws RtError invalid-argument */
export function parseEgressList(texts: readonly string[], networkMode: string, what: string): string[] {
  if (texts.length > 0 && networkOf(networkMode) === undefined)
    throw invalid(`conflicting options: ${what} and a container that is in no network of its own`);
  return [...new Set(texts.map((text) => parseEgress(text, what)))];
}

/** What one that has been checked says. @throws RtError invalid-argument */
export function egressRule(text: string, what = `invalid destination ${quote(text)}`): EgressRule {
  if (text.length > textMax) throw invalid(`${what}: ${forms}`);
  const bracketed = /^\[([^\]]*)\](?:\/(\d{1,3}))?(?::(\d{1,5}))?$/.exec(text);
  const bare = /^([0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*)(?:\/(\d{1,3}))?()$/.exec(text);
  const plain = /^([^:/[\]]+)(?:\/(\d{1,3}))?(?::(\d{1,5}))?$/.exec(text);
  const [, host = "", bits, digits] = bracketed ?? bare ?? plain ?? [];
  const port = digits === undefined || digits === "" ? {} : { port: Number(digits) };
  if (port.port !== undefined && (port.port < 1 || port.port > 65535))
    throw invalid(`${what}: a port is 1 to 65535`);
  if (isAddress(host)) {
    const most = host.includes(":") ? 128 : 32;
    const prefix = bits === undefined ? most : Number(bits);
    if (prefix > most) throw invalid(`${what}: a prefix is at most ${most}`);
    return { address: host, prefix, ...port };
  }
  const isName = namePattern.test(host) && host.length <= 255 && !/(^|\.)\d+$/.test(host);
  if (bracketed || bare || bits !== undefined || !isName) throw invalid(`${what}: ${forms}`);
  return { name: host, ...port };
}
