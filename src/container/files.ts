import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { isErrno } from "../base/errors.ts";
import type { ContainerRecord } from "./record.ts";

/** /etc/hosts, /etc/hostname and /etc/resolv.conf: ours, bound over whatever the image has. Written into `directory`. */
export function writeNameFiles(record: ContainerRecord, directory: string): void {
  const write = (name: string, text: string) => {
    const path = `${directory}/${name}`;
    writeFileSync(path, text);
    chmodSync(path, 0o644); // whatever our umask: every user of the container reads them
  };
  write("hostname", `${record.hostname}\n`);
  write("hosts", hosts(record));
  write("resolv.conf", resolvConf(record));
}

const loopback = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

/** With the host's network its names hold too; otherwise the container knows itself by its loopback address. */
function hosts(record: ContainerRecord): string {
  const base = record.networkMode === "host" ? fileOr("/etc/hosts", loopback) : loopback;
  const own = record.networkMode === "host" ? "" : `127.0.0.1\t${namesOf(record)}\n`;
  const extra = record.extraHosts.map((entry) => {
    const colon = entry.indexOf(":");
    return `${entry.slice(colon + 1)}\t${entry.slice(0, colon)}\n`;
  });
  return `${base}${base.endsWith("\n") ? "" : "\n"}${own}${extra.join("")}`;
}

/** With a domain that is the first of them. */
function namesOf({ hostname, domainname }: ContainerRecord): string {
  return domainname === "" ? hostname : `${hostname}.${domainname} ${hostname}`;
}

function resolvConf(record: ContainerRecord): string {
  const inherited = fileOr("/etc/resolv.conf", "");
  if (record.dns.length === 0) return inherited;
  const rest = inherited.split("\n").filter((line) => line !== "" && !/^\s*nameserver\b/.test(line));
  return `${[...record.dns.map((address) => `nameserver ${address}`), ...rest].join("\n")}\n`;
}

function fileOr(path: string, absent: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return absent;
    throw error;
  }
}
