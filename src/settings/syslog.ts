import { RtError } from "../base/errors.ts";
import { invalid, quote } from "../base/invalid.ts";
import { isAddress } from "./address.ts";

/** Where a syslog daemon listens. */
export type SyslogAddress =
  | { kind: "unix"; path: string; stream: boolean }
  | { kind: "ip"; host: string; port: number; stream: boolean };

const defaultPort = 514;
/** A sun_path ends with a zero. */
const pathMax = 107;

/** Docker's. @throws RtError invalid-argument | unsupported */
export function parseSyslogAddress(text: string): SyslogAddress {
  const match = /^(unix|unixgram|udp|tcp|tcp\+tls):\/\/(.+)$/.exec(text);
  if (!match) throw bad(text, "want unix:///PATH, udp://HOST[:PORT] or tcp://HOST[:PORT]");
  const [, scheme, rest] = match as unknown as [string, string, string];
  if (scheme === "tcp+tls")
    throw new RtError("unsupported", "--log-opt syslog-address tcp+tls is not there: use tcp or udp");
  if (scheme.startsWith("unix")) {
    if (!rest.startsWith("/") || rest.includes("\0") || Buffer.byteLength(rest) > pathMax)
      throw bad(text, `want an absolute path of at most ${pathMax} bytes`);
    return { kind: "unix", path: rest, stream: scheme === "unix" };
  }
  const place = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/.exec(rest);
  const host = place?.[1] ?? place?.[2] ?? "";
  const port = place?.[3] === undefined ? defaultPort : Number(place[3]);
  if (!place || port < 1 || port > 65535 || (place[1] !== undefined && !isAddress(host)))
    throw bad(text, "want HOST or HOST:PORT");
  return { kind: "ip", host, port, stream: scheme === "tcp" };
}

function bad(text: string, why: string): RtError {
  return invalid(`invalid --log-opt syslog-address ${quote(text)}: ${why}`);
}

/** syslog.h */
const facilities: Readonly<Record<string, number>> = Object.fromEntries([
  ..."kern user mail daemon auth syslog lpr news uucp cron authpriv ftp"
    .split(" ")
    .map((name, number) => [name, number]),
  ...Array.from({ length: 8 }, (_, number) => [`local${number}`, 16 + number]),
]);

/** @returns its number @throws RtError invalid-argument */
export function parseFacility(text: string): number {
  if (text === "") return facilities.daemon!;
  const number = Object.hasOwn(facilities, text)
    ? facilities[text]!
    : /^\d{1,2}$/.test(text)
      ? Number(text)
      : -1;
  if (number >= 0 && number <= 23) return number;
  throw invalid(`invalid --log-opt syslog-facility ${quote(text)}: want daemon, user, local0 … or 0 to 23`);
}

const formats = ["rfc3164", "rfc5424", "rfc5424micro"] as const;

/** @throws RtError invalid-argument */
export function parseSyslogFormat(text: string): "unix" | (typeof formats)[number] {
  if (text === "") return "unix";
  const found = formats.find((format) => format === text);
  if (found) return found;
  throw invalid(`invalid --log-opt syslog-format ${quote(text)}: want ${formats.join(", ")}`);
}
