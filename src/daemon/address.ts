import { isIP } from "node:net";
import { invalid, quote, rejectControl } from "../base/invalid.ts";

/** One `-H` of the daemon: where to listen, and what whoever connects there may. */
export interface ListenAddress {
  place: ListenPlace;
  /** Behind the "?"; undefined: everything. */
  policy: { allow: "read" } | { file: string } | undefined;
}

export type ListenPlace =
  | { kind: "unix"; path: string }
  | { kind: "tcp"; host: string; port: number }
  /** Handed over by systemd: that number, that name, or all that there are. */
  | { kind: "fd"; which: string };

const want =
  "want unix:///PATH, tcp://HOST:PORT or fd://, and behind it nothing, ?allow=read or ?policy=FILE";

/** @throws RtError invalid-argument */
export function parseListenAddress(text: string): ListenAddress {
  rejectControl("-H", text);
  const [, scheme, rest, query] = /^([a-z]+):\/\/([^?]*)(?:\?(.*))?$/.exec(text) ?? [];
  const place = scheme === undefined ? undefined : placeOf(scheme, rest!);
  if (!place) throw invalid(`invalid -H ${quote(text)}: ${want}`);
  return { place, policy: query === undefined ? undefined : policyOf(query, text) };
}

function placeOf(scheme: string, rest: string): ListenPlace | undefined {
  switch (scheme) {
    case "unix":
      return rest.startsWith("/") && !rest.endsWith("/") ? { kind: "unix", path: rest } : undefined;
    case "tcp":
      return tcpPlace(rest);
    case "fd":
      // As docker's unit files have it, too.
      return /^[\w.:-]*\*?$/.test(rest) ? { kind: "fd", which: rest === "*" ? "" : rest } : undefined;
    default:
      return undefined;
  }
}

function tcpPlace(text: string): ListenPlace | undefined {
  const [, six, four, digits] = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]/]+)):([0-9]{1,5})\/?$/.exec(text) ?? [];
  const host = six ?? four;
  const port = Number(digits);
  if (host === undefined || port > 65535 || (six !== undefined && isIP(six) !== 6)) return undefined;
  return { kind: "tcp", host, port };
}

function policyOf(query: string, text: string): NonNullable<ListenAddress["policy"]> {
  const entries = [...new URLSearchParams(query)];
  const [key, value] = entries[0] ?? [];
  // A word that is mistyped must not leave a socket open to everything.
  if (entries.length === 1 && key === "allow" && value === "read") return { allow: "read" };
  if (entries.length === 1 && key === "policy" && value?.startsWith("/")) return { file: value };
  throw invalid(
    `invalid -H ${quote(text)}: behind the "?" want allow=read, or policy=FILE with an absolute path`,
  );
}

export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

export function addressText(place: ListenPlace): string {
  if (place.kind === "unix") return `unix://${place.path}`;
  if (place.kind === "fd") return `fd://${place.which}`;
  return `tcp://${place.host.includes(":") ? `[${place.host}]` : place.host}:${place.port}`;
}
