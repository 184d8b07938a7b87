import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { defaulted, text } from "../base/shape.ts";
import { namesHostGateway } from "./address.ts";
import { checkStack, stackKinds, stackOf } from "./network-stack.ts";

/**
 * Whose namespaces a container has, a mode for each kind of them, as Docker and podman spell it:
 *
 *   network  none (its own, with nothing in it)   host   container:ID   ns:PATH   or the network that it is in,
 *            or the program that carries what comes and goes (network-stack.ts)
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
  const others = kind === "network" ? [...stackKinds, "a network's name"] : [];
  const known = [...Object.keys(words[kind]).filter((word) => word !== ""), ...others];
  throw invalid(`invalid ${what} ${quote(text)}: want ${known.join(", ")}, container:NAME or ns:PATH`);
}

/** The same for a network, which may be one by its name or its id. */
export function parseNetworkMode(text: string, what: string): string {
  if (text === "default") return usualNetwork;
  const stack = stackOf(text);
  if (stack) {
    checkStack(stack, what);
    return text;
  }
  return isNetworkName(text) ? text : parseNamespaceMode("network", text, what);
}

/** Does `--network` name one network, or one mode, and say nothing besides? */
export function isOneMode(text: string): boolean {
  return /^(container|ns|pasta|slirp4netns):/.test(text) || !/[,=]/.test(text);
}

/** Where nobody says anything. */
export const usualNetwork = "bridge";

/** What a network may be called. */
export function isNetworkName(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(text);
}

/** The network that a container with this mode is in, as it was called; undefined: it has a namespace of another kind. */
export function networkOf(mode: string): string | undefined {
  const isMode = Object.hasOwn(words.network, mode) || stackOf(mode) !== undefined;
  return isNetworkName(mode) && !isMode ? mode : undefined;
}

/** What lists of networks call it: one of another container or of the host's has no name. */
export function networkName(mode: string): string {
  return stackOf(mode)?.kind ?? (isNetworkName(mode) ? mode : "");
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
export function joinedContainers(modes: NamespaceModes & { usernsMode: string }): string[] {
  const each = [...namespaceKinds.map((kind) => modes[modeSettings[kind]]), modes.usernsMode];
  return [...new Set(each.flatMap((mode) => joinedContainer(mode) ?? []))];
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
  const isIn = networkOf(networkMode) !== undefined || stackOf(networkMode) !== undefined;
  if (!isIn && networkMode !== "host" && namesHostGateway(extraHosts))
    throw invalid("invalid --add-host: host-gateway is an address in a network: give one with --network");
  if (utsMode !== "") {
    if (hostname !== "") throw conflict("hostname and the UTS mode");
    if (domainname !== "") throw conflict("domainname and the UTS mode");
  }
}
