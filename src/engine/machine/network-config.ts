/**
 * What a machine's network is to be, by its configuration or by the kernel's command line:
 *
 *   [network]
 *   dhcp = true                     # or addresses of its own:
 *   address = "192.0.2.10/24"       # or several, of both families
 *   gateway = "192.0.2.1"           # or one of each family
 *   dns = ["192.0.2.53"]
 *   search = ["example.org"]
 *   mtu = 1400
 *   interface = "eth0"              # without it the first that has a link
 *
 *   ip=dhcp   ip=ADDRESS:SERVER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:AUTOCONF:DNS0:DNS1:NTP
 *                                   (Documentation/admin-guide/nfs/nfsroot.rst of the kernel)
 */
import { RtError } from "../../base/errors.ts";
import { bad, checkKeys, stringArrayIn, type TomlTable, tableIn } from "../../base/toml.ts";
import {
  type Address,
  addressBytes,
  isReserved,
  parseAddress,
  parseCidr,
  subnetOf,
} from "../../network/address.ts";
import { classOf, isDomain, isHost } from "../../network/dhcp/lease.ts";
import { address4 } from "../../network/dhcp/message.ts";

export interface MachineNetwork {
  /** Undefined: the first that has a link. */
  interface?: string;
  dhcp: boolean;
  addresses: { address: Address; prefix: number }[];
  /** At most one of each family. */
  gateways: Address[];
  dns: Address[];
  search: string[];
  mtu?: number;
  /** Only the kernel's command line has one here. */
  hostname?: string;
}

export const networkKeys = ["dhcp", "address", "gateway", "dns", "search", "mtu", "interface"] as const;
const [mtuMin, mtuMax] = [68, 65_535];
const dnsMax = 8;

/** @param value of the key "network". @throws invalid-argument, in one line that names the key */
export function networkIn(
  value: unknown,
  file: string,
  placeOfKey: ReadonlyMap<string, string>,
): MachineNetwork {
  const table = tableIn(value, "network", file);
  checkKeys(table, networkKeys, "network.", file, placeOfKey);
  const { dhcp = false, mtu, interface: name } = table;
  if (typeof dhcp !== "boolean") throw bad(file, "network.dhcp must be true or false");
  if (mtu !== undefined && !(Number.isInteger(mtu) && Number(mtu) >= mtuMin && Number(mtu) <= mtuMax)) {
    throw bad(file, `network.mtu must be a number from ${mtuMin} to ${mtuMax}`);
  }
  if (name !== undefined && !isInterface(name)) throw bad(file, "network.interface must be a name of one");
  const addresses = oneOrMore(table, "address", file).map((text) => hostIn(text, file));
  if (dhcp && addresses.some(({ address }) => address.family === 4)) {
    throw bad(file, "network.address has one of IPv4, which dhcp = true asks a server for");
  }
  if (!dhcp && addresses.length === 0) throw bad(file, "network has neither dhcp = true nor an address");
  const gateways = oneOrMore(table, "gateway", file).map((text) => addressIn(text, "gateway", file));
  checkGateways(gateways, addresses, file);
  const dns = oneOrMore(table, "dns", file).map((text) => addressIn(text, "dns", file));
  if (dns.length > dnsMax) throw bad(file, `network.dns has more than ${dnsMax}`);
  const search = oneOrMore(table, "search", file);
  const odd = search.find((each) => !isDomain(each));
  if (odd !== undefined) throw bad(file, `network.search has ${JSON.stringify(odd)}, which is no domain`);
  return {
    ...{ dhcp, addresses, gateways, dns, search },
    ...(mtu !== undefined && { mtu: Number(mtu) }),
    ...(name !== undefined && { interface: name }),
  };
}

function checkGateways(
  gateways: readonly Address[],
  addresses: MachineNetwork["addresses"],
  file: string,
): void {
  for (const { family } of gateways) {
    if (gateways.filter((each) => each.family === family).length > 1) {
      throw bad(file, `network.gateway has two of IPv${family}`);
    }
    if (!addresses.some(({ address }) => address.family === family)) {
      throw bad(file, `network.gateway has one of IPv${family}, and network.address none`);
    }
  }
}

/** A string, or an array of them. */
function oneOrMore(table: TomlTable, key: string, file: string): string[] {
  const value = table[key] ?? [];
  return stringArrayIn(typeof value === "string" ? [value] : value, `network.${key}`, file);
}

function addressIn(text: string, key: string, file: string): Address {
  const address = parseAddress(text);
  if (address && isPossible(address)) return address;
  throw bad(file, `network.${key} has ${JSON.stringify(text)}, which is no host's address`);
}

function hostIn(text: string, file: string): MachineNetwork["addresses"][number] {
  const parsed = parseCidr(text);
  if (!parsed)
    throw bad(file, `network.address has ${JSON.stringify(text)}, which is not like 192.0.2.10/24`);
  const { address, subnet } = parsed;
  if (isPossible(address) && !isReserved(subnet, address)) return { address, prefix: subnet.prefix };
  throw bad(file, `network.address has ${JSON.stringify(text)}, which no host can have`);
}

function isPossible(address: Address): boolean {
  const bytes = addressBytes(address);
  // Of IPv6: not ::, ::1, ff00::/8.
  return address.family === 4
    ? isHost(address4(Uint8Array.from(bytes))!)
    : bytes[0] !== 255 && address.value > 1n;
}

function isInterface(name: unknown): name is string {
  return typeof name === "string" && /^[^\s/:\0]{1,15}$/.test(name) && !/^\.{1,2}$/.test(name);
}

/**
 * What the word `ip=` of a kernel's command line says.
 * @returns undefined where it leaves the network to others. @throws invalid-argument
 */
export function networkOfKernel(word: string): MachineNetwork | undefined {
  const fields = word.split(":");
  const [client, , gateway, mask, hostname, name, autoconf = "", ...servers] = fields as (
    | string
    | undefined
  )[];
  if (fields.length === 1) return ofAutoconf(word, word, {});
  const wrong = (what: string) =>
    new RtError("invalid-argument", `ip=${word} on the kernel's command line: ${what}`);
  if (fields.length > 10) throw wrong("it has more than ten fields");
  const address = (text: string | undefined, what: string): Address | undefined => {
    if (!text || text === "0.0.0.0" || text === "none") return undefined;
    const parsed = parseAddress(text);
    if (parsed?.family === 4 && isPossible(parsed)) return parsed;
    throw wrong(`${what} is not an address of IPv4`);
  };
  if (name && !isInterface(name)) throw wrong("there is no interface of that name");
  const dns = servers.slice(0, 2).map((text) => address(text, "a name server"));
  const router = address(gateway, "the gateway");
  const more = {
    dns: dns.filter((each) => each !== undefined),
    ...(name && { interface: name }),
    ...(hostname && isDomain(hostname) && { hostname }),
  };
  const own = address(client, "the machine's own");
  if (!own) return ofAutoconf(autoconf || "any", word, more);
  const prefix = prefixOf(mask, own);
  if (prefix === undefined || isReserved(subnetOf(own, prefix), own)) throw wrong("the netmask does not fit");
  const addresses = [{ address: own, prefix }];
  return {
    ...{ dhcp: false, addresses, gateways: router ? [router] : [], search: [] },
    ...more,
  };
}

function ofAutoconf(how: string, word: string, more: Partial<MachineNetwork>): MachineNetwork | undefined {
  const nothing = { addresses: [], gateways: [], dns: [], search: [] };
  if (["dhcp", "on", "any", "both"].includes(how)) return { ...nothing, dhcp: true, ...more };
  if (["", "off", "none"].includes(how)) return undefined;
  throw new RtError(
    "invalid-argument",
    `ip=${word} on the kernel's command line: ${JSON.stringify(how)} is not known here: there are dhcp and off`,
  );
}

function prefixOf(mask: string | undefined, own: Address): number | undefined {
  if (!mask) return classOf(address4(Uint8Array.from(addressBytes(own)))!);
  const parsed = parseAddress(mask);
  const bits = parsed?.family === 4 ? parsed.value.toString(2).padStart(32, "0") : "";
  return /^1+0*$/.test(bits) ? bits.replaceAll("0", "").length : undefined;
}
