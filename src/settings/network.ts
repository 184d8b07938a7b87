import { invalid, quote } from "../base/invalid.ts";
import { isAddress } from "./address.ts";
import { networkOf } from "./namespace-mode.ts";

/** @throws RtError invalid-argument */
export function parseNetworkAddress(text: string, what: string): string {
  if (text === "" || (isAddress(text) && !text.includes(":"))) return text;
  throw invalid(`invalid ${what} ${quote(text)}: not an IPv4 address`);
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

/** What is asked of a network by a container that is in none. @throws RtError invalid-argument, in Docker's words */
export function checkNetworkSettings(settings: {
  networkMode: string;
  networkAddress: string;
  networkMac: string;
  networkAliases: string[];
}): void {
  const { networkMode, networkAddress, networkMac, networkAliases } = settings;
  if (networkOf(networkMode) !== undefined) return;
  if (networkAddress !== "")
    throw invalid("conflicting options: an address (--ip) and a container that is in no network");
  if (networkMac !== "") throw invalid("conflicting options: mac-address and the network mode");
  if (networkAliases.length > 0)
    throw invalid("network-scoped aliases are only supported for user-defined networks");
}
