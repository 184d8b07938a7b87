import { invalid, quote, rejectControl } from "../../base/invalid.ts";
import { cut } from "../../settings/labels.ts";
import { isOneMode, networkOf, parseNetworkMode } from "../../settings/namespace-mode.ts";
import {
  checkEndpointOption,
  checkNetworks,
  checkNetworkWish,
  interfaceOption,
  isPlain,
  type NetworkWish,
  parseAlias,
  parseEndpointOption,
  parseLink,
  parseMac,
  parseNetworkAddress,
  parseNetworkAddress6,
  parsePriority,
  plainWish,
} from "../../settings/network.ts";
import { parseCsv } from "./csv.ts";

/** What is said of networks on the command line of run and create. */
export interface NetworkFlags {
  /** Of each `--network`. */
  networks: readonly string[];
  /** Those that mean the first of them. */
  ip?: string | undefined;
  ip6?: string | undefined;
  macAddress?: string | undefined;
  networkAliases: readonly string[];
  links: readonly string[];
}

const what = "--network";

/**
 * `--network`, as docker and podman have it, and the flags that speak of the first network:
 *
 *   NAME                              one
 *   NAME,NAME                         several, as several flags are
 *   name=NAME,alias=…,ip=…,ip6=…,mac-address=…,driver-opt=KEY=VALUE,gw-priority=N,link=…,interface_name=…
 *
 * @throws RtError invalid-argument, in Docker's words where it has some; unsupported
 */
export function parseNetworks(flags: NetworkFlags): { networkMode: string; networks?: NetworkWish[] } {
  const asked = flags.networks.flatMap((text) => parseNetwork(rejectControl(what, text)));
  const [first = plainWish(parseNetworkMode("default", what)), ...others] = asked;
  const networks = [withFlags(first, flags), ...others];
  checkNetworks(networks.map(({ network }) => network));
  const { network: networkMode } = first;
  checkNetworkWish(networkMode, networks[0]!);
  const isSimple = networks.length === 1 && isPlain(networks[0]!);
  return { networkMode, ...(networkOf(networkMode) !== undefined && !isSimple && { networks }) };
}

function parseNetwork(text: string): NetworkWish[] {
  if (isOneMode(text)) return [plainWish(parseNetworkMode(text, what))];
  if (/^[^,]*=/.test(text)) return [parseLong(text)];
  return text.split(",").map((name) => plainWish(parseNetworkMode(name, what)));
}

function parseLong(text: string): NetworkWish {
  const wish = { ...plainWish(""), options: Object.create(null) as Record<string, string> };
  for (const field of parseCsv(text, what)) {
    const [key, value] = cut(field).map((part) => part?.trim());
    if (!key || value === undefined) throw wrong(text, `invalid field ${field}`);
    take(wish, key, value, text);
  }
  if (wish.network === "") throw wrong(text, "network name/id is not specified");
  return { ...wish, options: { ...wish.options } };
}

function take(wish: NetworkWish, key: string, value: string, text: string): void {
  const of = `${what} ${key}`;
  switch (key) {
    case "name":
      wish.network = parseNetworkMode(value, what);
      break;
    case "alias":
      wish.aliases.push(parseAlias(value, of));
      break;
    case "ip":
      wish.address = parseNetworkAddress(value, of);
      break;
    case "ip6":
      wish.address6 = parseNetworkAddress6(value, of);
      break;
    case "mac":
    case "mac-address":
      wish.mac = parseMac(value, of);
      break;
    case "link":
      wish.links.push(parseLink(value, of));
      break;
    case "driver-opt": {
      const [option, setting] = parseEndpointOption(value, of);
      wish.options[option] = setting;
      break;
    }
    case "interface_name":
      wish.options[interfaceOption] = checkEndpointOption(interfaceOption, value, of)[1];
      break;
    case "gw-priority":
      wish.priority = parsePriority(value, of);
      break;
    default:
      throw wrong(text, `invalid field key ${key}`);
  }
}

function wrong(text: string, why: string): Error {
  return invalid(`invalid ${what} ${quote(text)}: ${why}`);
}

/** The first network, with what the flags say of it: nothing is said twice. */
function withFlags(first: NetworkWish, flags: NetworkFlags): NetworkWish {
  const { ip = "", ip6 = "", macAddress = "", networkAliases, links } = flags;
  const conflict = (pair: string) => invalid(`conflicting options: cannot specify both ${pair}`);
  if (first.aliases.length > 0 && networkAliases.length > 0)
    throw conflict("--network-alias and per-network alias");
  if (first.links.length > 0 && links.length > 0) throw conflict("--link and per-network links");
  if (first.address !== "" && ip !== "") throw conflict("--ip and per-network IPv4 address");
  if (first.address6 !== "" && ip6 !== "") throw conflict("--ip6 and per-network IPv6 address");
  if (first.mac !== "" && macAddress !== "") throw conflict("--mac-address and per-network MAC address");
  return {
    ...first,
    address: first.address || parseNetworkAddress(ip, "--ip"),
    address6: first.address6 || parseNetworkAddress6(ip6, "--ip6"),
    mac: first.mac || parseMac(macAddress, "--mac-address"),
    aliases: [...first.aliases, ...networkAliases.map((text) => parseAlias(text, "--network-alias"))],
    links: [...first.links, ...links.map((text) => parseLink(text, "--link"))],
  };
}
