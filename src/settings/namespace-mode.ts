import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { defaulted, text } from "../base/shape.ts";
import { namesHostGateway } from "./address.ts";

/**
 * Whose namespaces a container has, a mode for each kind of them, as Docker and podman spell it:
 *
 *   network  none (its own, with nothing in it)   host   container:ID   ns:PATH   or the network that it is in
 *   pid      "" (its own)                         host   container:ID   ns:PATH
 *   ipc      private, shareable, none (no /dev/shm) host container:ID   ns:PATH
 *   uts      "" (its own)                         host   container:ID   ns:PATH
 *   cgroup   private                              host   container:ID   ns:PATH
 *
 * As it is asked for a container may have any of its names; in a record it has its id.
 */
export const namespaceKinds = ["network", "pid", "ipc", "uts", "cgroup"] as const;
export type NamespaceKind = (typeof namespaceKinds)[number];

/** The setting of each kind. */
export const modeSettings = {
  network: "networkMode",
  pid: "pidMode",
  ipc: "ipcMode",
  uts: "utsMode",
  cgroup: "cgroupnsMode",
} as const satisfies Record<NamespaceKind, string>;

export type NamespaceModes = Record<(typeof modeSettings)[NamespaceKind], string>;

export const namespaceMode = (standard: string) => defaulted(text, standard);

/** What each may be besides the two forms with a colon: as it is typed, and as it is kept. */
const words: Readonly<Record<NamespaceKind, Readonly<Record<string, string>>>> = {
  network: { none: "none", host: "host" },
  pid: { "": "", private: "", host: "host" },
  ipc: { "": "private", private: "private", shareable: "shareable", none: "none", host: "host" },
  uts: { "": "", private: "", host: "host" },
  cgroup: { "": "private", private: "private", host: "host" },
};

/**
 * @param what for the message: "--pid"
 * @throws RtError invalid-argument
 */
export function parseNamespaceMode(kind: NamespaceKind, typed: string, what: string): string {
  const text = rejectControl(what, typed);
  if (Object.hasOwn(words[kind], text)) return words[kind][text]!;
  const container = joinedContainer(text);
  if (container !== undefined) {
    if (container !== "") return text;
    throw invalid(`invalid ${what} ${quote(text)}: invalid container format container:<name|id>`);
  }
  const path = namespacePath(text);
  if (path?.startsWith("/")) return text;
  if (path !== undefined) throw invalid(`invalid ${what} ${quote(text)}: want ns:PATH with an absolute path`);
  const known = Object.keys(words[kind]).filter((word) => word !== "");
  throw invalid(`invalid ${what} ${quote(text)}: want ${known.join(", ")}, container:NAME or ns:PATH`);
}

/** The same for a network, which may be one by its name or its id. */
export function parseNetworkMode(text: string, what: string): string {
  if (text === "default") return usualNetwork;
  return isNetworkName(text) ? text : parseNamespaceMode("network", text, what);
}

/** Where nobody says anything. */
export const usualNetwork = "none";

/** What a network may be called. */
export function isNetworkName(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(text);
}

/** The network that a container with this mode is in, as it was called; undefined: it has a namespace of another kind. */
export function networkOf(mode: string): string | undefined {
  return isNetworkName(mode) && !Object.hasOwn(words.network, mode) ? mode : undefined;
}

/** What lists of networks call it: one of another container or of the host's has no name. */
export function networkName(mode: string): string {
  return isNetworkName(mode) ? mode : "";
}

/** The container in "container:NAME". */
export function joinedContainer(mode: string): string | undefined {
  return mode.startsWith("container:") ? mode.slice("container:".length) : undefined;
}

/** The path in "ns:PATH". */
export function namespacePath(mode: string): string | undefined {
  return mode.startsWith("ns:") ? mode.slice("ns:".length) : undefined;
}

/** Of several containers one may be named twice. */
export function joinedContainers(modes: NamespaceModes): string[] {
  const names = namespaceKinds.flatMap((kind) => joinedContainer(modes[modeSettings[kind]]) ?? []);
  return [...new Set(names)];
}

/** What is asked for that cannot be had together, in Docker's words. @throws RtError invalid-argument */
export function checkNamespaces(
  settings: NamespaceModes & { hostname: string; domainname: string; dns: string[]; extraHosts: string[] },
): void {
  const { networkMode, utsMode, hostname, domainname, dns, extraHosts } = settings;
  const conflict = (what: string) => invalid(`conflicting options: ${what}`);
  if (joinedContainer(networkMode) !== undefined) {
    if (hostname !== "") throw conflict("hostname and the network mode");
    if (dns.length > 0) throw conflict("dns and the network mode");
    if (extraHosts.length > 0) throw conflict("custom host-to-IP mapping and the network mode");
  }
  if (networkOf(networkMode) === undefined && namesHostGateway(extraHosts))
    throw invalid("invalid --add-host: host-gateway is an address in a network: give one with --network");
  if (utsMode !== "") {
    if (hostname !== "") throw conflict("hostname and the UTS mode");
    if (domainname !== "") throw conflict("domainname and the UTS mode");
  }
}
