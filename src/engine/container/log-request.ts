import { hostname } from "node:os";
import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { LogRemoteRequest } from "../../runtime/native/request.ts";
import { extraAttributes, tagOf } from "../../settings/log-attributes.ts";
import {
  parseFacility,
  parseSyslogAddress,
  parseSyslogFormat,
  type SyslogAddress,
} from "../../settings/syslog.ts";

const journalSocket = "/run/systemd/journal/socket";
/** Where the host's syslog daemon listens, where nobody says. */
const syslogSockets = ["/dev/log", "/var/run/syslog", "/var/run/log"];
/** What the monitor has room for. */
const constantMax = 8 << 10;

export interface LogExtras {
  /** A member of each line's JSON object, with a comma behind it. */
  attributes?: string;
  remote?: LogRemoteRequest;
}

/**
 * What is said with each line of a container's log, and where its lines are sent.
 * @throws RtError not-found: a host has no address; unavailable: the daemon is not there
 */
export async function logExtras(record: ContainerRecord): Promise<LogExtras> {
  const { logDriver, logOptions } = record;
  const extra = extraAttributes(logOptions, record);
  const tag = tagOf(logOptions.tag ?? "", {
    ...{ id: record.id, name: record.name },
    ...{ image: record.image.reference, imageId: record.image.id },
  });
  if (logDriver === "journald") return { remote: bounded(journal(record, tag, extra)) };
  if (logDriver === "syslog") return { remote: bounded(await syslog(record, tag)) };
  if (logDriver !== "json-file") return {};
  if (tag !== "") extra.set("tag", tag);
  if (extra.size === 0) return {};
  const sorted = Object.fromEntries([...extra].sort(([a], [b]) => (a < b ? -1 : 1)));
  const attributes = `"attrs":${escapedJson(sorted)},`;
  if (Buffer.byteLength(attributes) > constantMax) throw tooLong();
  return { attributes };
}

/** As Go's encoder has it. */
function escapedJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function bounded(remote: LogRemoteRequest): LogRemoteRequest {
  if (Buffer.byteLength(remote.constant) > constantMax) throw tooLong();
  return remote;
}

function tooLong(): RtError {
  return new RtError(
    "invalid-argument",
    `what is said with each line of the log has more than ${constantMax} bytes: name fewer labels and variables`,
  );
}

const nowhere = {
  ...{ address: [], port: 0, stream: false, patient: true, facility: 0, style: "unix" },
  ...{ hostname: "", offset: 0 },
} as const satisfies Partial<LogRemoteRequest>;

/** What the monitor says of each line (log_remote.zig). */
const ofLines = /^(MESSAGE|PRIORITY|SYSLOG_TIMESTAMP|CONTAINER_PARTIAL_\w+)$/;

/** systemd.io/JOURNAL_NATIVE_PROTOCOL; the fields are Docker's. A label of an image's is none of ours, whatever its name is. */
function journal(record: ContainerRecord, tag: string, extra: Map<string, string>): LogRemoteRequest {
  const { id, name, image, logOptions } = record;
  const named = tag || id.slice(0, 12);
  const own = {
    CONTAINER_ID: id.slice(0, 12),
    CONTAINER_ID_FULL: id,
    CONTAINER_NAME: name,
    CONTAINER_TAG: named,
    IMAGE_NAME: image.reference,
    SYSLOG_IDENTIFIER: named,
  };
  const others = [...extra].map(([key, value]): [string, string] => [
    key
      .toUpperCase()
      .replace(/[^A-Z0-9]/g, "_")
      .replace(/^_+/, ""),
    value,
  ]);
  const isTheirs = (key: string) => /^[A-Z]/.test(key) && !Object.hasOwn(own, key) && !ofLines.test(key);
  const fields = [...Object.entries(own), ...others.filter(([key]) => isTheirs(key))];
  return {
    ...nowhere,
    ...{ protocol: "journald", path: journalSocket, address: [] },
    patient: logOptions.mode !== "non-blocking",
    constant: fields.map(([key, value]) => `${key}=${value.replace(/[\r\n]+/g, " ")}\n`).join(""),
  };
}

async function syslog({ id, logOptions }: ContainerRecord, tag: string): Promise<LogRemoteRequest> {
  const address: SyslogAddress = logOptions["syslog-address"]
    ? parseSyslogAddress(logOptions["syslog-address"])
    : { kind: "unix", path: await firstSocket(), stream: false };
  const place =
    address.kind === "unix"
      ? { path: address.path, address: [], port: 0 }
      : { path: "", address: await addressOf(address.host), port: address.port };
  const named = (tag || id.slice(0, 12)).replace(/\p{Cc}/gu, " ");
  return {
    ...{ protocol: "syslog", ...place, stream: address.stream },
    patient: logOptions.mode !== "non-blocking",
    facility: parseFacility(logOptions["syslog-facility"] ?? ""),
    style: parseSyslogFormat(logOptions["syslog-format"] ?? ""),
    hostname: hostname().slice(0, 64),
    offset: -60 * new Date().getTimezoneOffset(),
    constant: named.slice(0, 128),
  };
}

async function firstSocket(): Promise<string> {
  for (const path of syslogSockets)
    if (
      await Bun.file(path)
        .exists()
        .catch(() => false)
    )
      return path;
  return syslogSockets[0]!;
}

async function addressOf(host: string): Promise<number[]> {
  const { lookup } = await import("node:dns/promises");
  try {
    return bytesOf((await lookup(host)).address);
  } catch (error) {
    throw new RtError("not-found", `no address of the syslog server ${host}`, { cause: error });
  }
}

/** Of an address as text, four or sixteen. */
export function bytesOf(address: string): number[] {
  if (!address.includes(":")) return address.split(".").map(Number);
  const [front = "", back = ""] = address.replace(/%.*$/, "").split("::");
  const groups = (text: string) =>
    text === ""
      ? []
      : text.split(":").flatMap((group) => {
          if (group.includes(".")) return group.split(".").map(Number);
          const value = Number.parseInt(group, 16);
          return [value >> 8, value & 0xff];
        });
  const [first, last] = [groups(front), groups(back)];
  return [...first, ...Array(Math.max(0, 16 - first.length - last.length)).fill(0), ...last];
}
