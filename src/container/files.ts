import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { isErrno } from "../base/errors.ts";
import { namedAddresses } from "../settings/address.ts";
import { networkOf } from "../settings/namespace-mode.ts";
import type { ContainerRecord } from "./record.ts";

/** What a container is called by in its network, and what the host is. */
export interface NetworkAddresses {
  addresses: readonly string[];
  gateways: readonly string[];
}

const onlyItself: NetworkAddresses = { addresses: ["127.0.0.1"], gateways: [] };

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
  };
  write("hostname", `${record.hostname}\n`);
  write("hosts", hosts(record, network));
  write("resolv.conf", resolvConf(record));
}

const loopback = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

/** With the host's network its names hold too, and the container has none of its own. */
function hosts(record: ContainerRecord, { addresses, gateways }: NetworkAddresses): string {
  const base = record.networkMode === "host" ? fileOr("/etc/hosts", loopback) : loopback;
  const own = addresses.map((address) =>
    record.networkMode === "host" ? "" : `${address}\t${namesOf(record)}\n`,
  );
  const named = record.extraHosts.flatMap((entry) => namedAddresses(entry, gateways));
  const extra = named.map(([name, address]) => `${address}\t${name}\n`);
  return `${base}${base.endsWith("\n") ? "" : "\n"}${own.join("")}${extra.join("")}`;
}

/** With a domain that is the first of them. */
function namesOf({ hostname, domainname }: ContainerRecord): string {
  return domainname === "" ? hostname : `${hostname}.${domainname} ${hostname}`;
}

function resolvConf(record: ContainerRecord): string {
  const inherited =
    networkOf(record.networkMode) === undefined ? fileOr("/etc/resolv.conf", "") : reachable();
  if (record.dns.length === 0) return inherited;
  const rest = inherited.split("\n").filter((line) => line !== "" && !/^\s*nameserver\b/.test(line));
  return `${[...record.dns.map((address) => `nameserver ${address}`), ...rest].join("\n")}\n`;
}

/** systemd-resolved's own servers, where the host asks it. */
const resolvedServers = "/run/systemd/resolve/resolv.conf";

/** The host's, but for name servers on its loopback interface: that is another one in the container's network. */
function reachable(): string {
  const own = fileOr("/etc/resolv.conf", "");
  const lines = (/^\s*nameserver\s+127\.0\.0\.53\s*$/m.test(own) ? fileOr(resolvedServers, own) : own).split(
    "\n",
  );
  return lines.filter((line) => !/^\s*nameserver\s+(127\.|::1\s*$)/.test(line)).join("\n");
}

function fileOr(path: string, absent: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return absent;
    throw error;
  }
}
