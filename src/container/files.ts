import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { hostId } from "../base/id-map.ts";
import { namedAddresses, namesHostGateway } from "../settings/address.ts";
import type { ContainerRecord } from "./record.ts";
import { fileOr, resolvConf } from "./resolv-conf.ts";

/** What a container is called by in its network, and what the host is. */
export interface NetworkAddresses {
  addresses: readonly string[];
  gateways: readonly string[];
  /** Other containers, by names of this one's own. */
  links?: readonly LinkedNames[];
}

export interface LinkedNames {
  alias: string;
  addresses: readonly string[];
  /** What else it is called by. */
  names: readonly string[];
}

/** The host is there, too, where it has the host's network. */
const onlyItself: NetworkAddresses = { addresses: ["127.0.0.1"], gateways: ["127.0.0.1"] };

/** /etc/hosts, /etc/hostname and /etc/resolv.conf: ours, bound over whatever the image has. Written into `directory`. */
export function writeNameFiles(
  record: ContainerRecord,
  directory: string,
  network: NetworkAddresses = onlyItself,
): void {
  const write = (name: string, text: string) => {
    const path = `${directory}/${name}`;
    writeFileSync(path, text);
    chmodSync(path, 0o644); // whatever our umask: every user of the container reads them
    giveToRoot(path, record);
  };
  write("hostname", `${record.hostname}\n`);
  write("hosts", hosts(record, network));
  write("resolv.conf", resolvConf(record));
}

/** Its root changes them, whoever he is on the host. */
function giveToRoot(path: string, { idMappings: own }: ContainerRecord): void {
  if (own) chownSync(path, hostId(own.uids, 0) ?? 0, hostId(own.gids, 0) ?? 0);
}

const loopback = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

/** With the host's network its names hold too, and the container has none of its own. */
function hosts(record: ContainerRecord, network: NetworkAddresses): string {
  const base = record.networkMode === "host" ? fileOr("/etc/hosts", loopback) : loopback;
  const own = record.networkMode === "host" ? [] : ownLines(record, network);
  const lines = [...own, ...extraLines(record.extraHosts, network), ...linkLines(network)];
  return `${base}${base.endsWith("\n") ? "" : "\n"}${lines.map((line) => `${line}\n`).join("")}`;
}

function ownLines(record: ContainerRecord, { addresses }: NetworkAddresses): string[] {
  return addresses.map((address) => `${address}\t${namesOf(record)}`);
}

function extraLines(entries: readonly string[], { gateways }: NetworkAddresses): string[] {
  const named = entries.flatMap((entry) => namedAddresses(entry, gateways));
  return named.map(([name, address]) => `${address}\t${name}`);
}

function linkLines({ links = [] }: NetworkAddresses): string[] {
  return links.flatMap(({ alias, addresses, names }) =>
    addresses.map((address) => `${address}\t${[...new Set([alias, ...names])].join(" ")}`),
  );
}

/** With a domain that is the first of them. */
function namesOf({ hostname, domainname }: ContainerRecord): string {
  return domainname === "" ? hostname : `${hostname}.${domainname} ${hostname}`;
}

/**
 * /etc/hosts of a container that runs and whose networks are others now: the lines that follow from those, and as they were all
 * that somebody has written into it.
 * @param former the record of before a change
 */
export function hostsAfter(
  before: string,
  record: ContainerRecord,
  network: NetworkAddresses,
  former = record,
): string {
  const ofHost = record.extraHosts.filter((entry) => namesHostGateway([entry]));
  const fresh = [...ownLines(record, network), ...extraLines(ofHost, network), ...linkLines(network)];
  const names = new Set([namesOf(record), ...ofHost.map((entry) => entry.slice(0, entry.indexOf(":")))]);
  const wishes = [...(record.networks ?? []), ...(former.networks ?? [])];
  const aliases = new Set(wishes.flatMap(({ links }) => links.map(aliasIn)));
  const isOurs = (line: string) => {
    const after = line.slice(line.indexOf("\t") + 1);
    // Of a link the other names may have changed since.
    return names.has(after) || (after.includes(" ") && aliases.has(after.slice(0, after.indexOf(" "))));
  };
  const lines = (before || hosts(record, network)).replace(/\n$/, "").split("\n");
  const found = lines.findIndex(isOurs);
  const at = found < 0 ? lines.length : found;
  const kept = (part: readonly string[]) => part.filter((line) => !isOurs(line));
  const after = [...kept(lines.slice(0, at)), ...fresh, ...kept(lines.slice(at))];
  return `${after.join("\n")}\n`;
}

function aliasIn(link: string): string {
  return link.slice(link.indexOf(":") + 1);
}
