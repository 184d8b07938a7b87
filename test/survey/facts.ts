/** What the survey program has printed in a container, as lists that can be compared: less in them is less to get out by. */
import { facts, factsNamed } from "../support/probe.ts";

export interface Facts {
  /** "chown": the bounding set. */
  capabilities: string[];
  /** Of this kernel's, "read": answered with anything but EPERM, ENOSYS or SIGSYS. */
  calls: string[];
  /** The same of a program for i386. */
  callsI386: string[];
  /** "socket-packet": what a filter or a capability decides by arguments, where it was let through. */
  arguments: string[];
  /** "/proc/kcore", "/sys/firmware": what root of the host reads, and nothing of it this root. Numbers are #. */
  hidden: string[];
  /** "/proc/pressure/io": what has a bit to be written by, and opens. */
  written: string[];
  /** "null": of /dev. */
  devices: string[];
  /** "kvm": what it can make for itself, and open. */
  madeDevices: string[];
  /** "mnt": those that are not the host's. */
  namespaces: string[];
  /** Targets of mounts on which a device, or a set-user-ID bit, would count, or whose files can be written. */
  mounts: { devices: string[]; setuid: string[]; written: string[] };
  /** 0 or 1. */
  noNewPrivileges: number;
  /** 2 with a filter. */
  seccomp: number;
  /** Of a security module; "-" without one. */
  label: string;
  /** Soft and hard. */
  openFiles: string;
  /** "its own", or the error of asking for the session's. */
  keyring: string;
}

/** Of no two hosts the same, or a fact of the way this was measured. */
const ownMounts = new Set(["/survey"]);

/**
 * @param said what the program printed
 * @param host what "survey host" printed as root of the host, or of what stands for it
 */
export function factsOf(said: string, host: string): Facts {
  const map = facts(said);
  const readable = filesOf(said, /^r/);
  return {
    capabilities: capabilitiesOf(map.get("CapBnd")),
    calls: callsOf(said, "native"),
    callsI386: callsOf(said, "i386"),
    arguments: factsNamed(said, "ask").map(words).filter(passed).map(first).sort(),
    hidden: hiddenOf(readable, filesOf(host, /^r/)),
    written: filesOf(said, /w$/),
    devices: factsNamed(said, "device")
      .map(words)
      .filter(([, how]) => how === "opens")
      .map(first)
      .sort(),
    madeDevices: factsNamed(said, "node")
      .map(words)
      .filter(([, , how]) => how === "ok")
      .map(first)
      .sort(),
    namespaces: namespacesOf(said, host),
    mounts: mountsOf(said),
    noNewPrivileges: Number(map.get("NoNewPrivs")),
    seccomp: Number(map.get("Seccomp")),
    label: map.get("label") ?? "-",
    openFiles: limitOf(said, "nofile"),
    keyring: (map.get("keyring") ?? "").replace(/^\d+ .*/, "its own"),
  };
}

function words(line: string): string[] {
  return line.split(" ");
}

function first(line: readonly string[]): string {
  return line[0]!;
}

/** Of "NAME ANSWER", "NAME signal N". */
function passed([, answer, signal]: readonly string[]): boolean {
  return answer !== "EPERM" && answer !== "ENOSYS" && !(answer === "signal" && signal === "31");
}

function capabilitiesOf(line: string | undefined): string[] {
  const names = line?.split(" ")[1] ?? "none";
  return names === "none" ? [] : names.split(",").sort();
}

function callsOf(said: string, way: string): string[] {
  const lines = factsNamed(said, "call")
    .map(words)
    .filter(([its]) => its === way);
  return lines
    .map((line) => line.slice(1))
    .filter(passed)
    .map(first)
    .sort();
}

/** Paths with a mode like that; what has a number of a processor, an interrupt or a disk in it stands for all of its kind. */
function filesOf(said: string, mode: RegExp): string[] {
  const paths = factsNamed(said, "file")
    .filter((line) => mode.test(line.slice(0, 2)))
    .map((line) => line.slice(3).replace(/\d+/g, "#"));
  return [...new Set(paths)].sort();
}

/** Of what the host reads and this container does not, the directories that are hidden as a whole, and the other files. */
function hiddenOf(readable: readonly string[], host: readonly string[]): string[] {
  const seen = new Set(readable.flatMap(ancestors));
  const hidden = host.filter((path) => !seen.has(path) && !/\/net(\/|$)/.test(path));
  return [...new Set(hidden.map((path) => ancestors(path).find((each) => !seen.has(each))!))].sort();
}

/** "/proc", "/proc/bus", … and the path itself. */
function ancestors(path: string): string[] {
  const parts = path.split("/").slice(1);
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join("/")}`);
}

function namespacesOf(said: string, host: string): string[] {
  const theirs = new Set(factsNamed(host, "ns"));
  return factsNamed(said, "ns")
    .filter((line) => !theirs.has(line))
    .map((line) => line.split(" ")[0]!)
    .filter((name) => !name.endsWith("_for_children"))
    .sort();
}

function mountsOf(said: string): Facts["mounts"] {
  const mounts = factsNamed(said, "mount")
    .map(words)
    .filter(([target]) => !ownMounts.has(target!));
  const having = (wanted: (options: readonly string[]) => boolean) => {
    const targets = mounts.filter(([, , options]) => wanted(options!.split(","))).map(first);
    return [...new Set(targets)].sort();
  };
  return {
    devices: having((options) => !options.includes("nodev")),
    setuid: having((options) => !options.includes("nosuid")),
    written: having((options) => options.includes("rw")),
  };
}

function limitOf(said: string, name: string): string {
  const line = factsNamed(said, "rlimit").find((each) => each.startsWith(`${name} `));
  return line?.slice(name.length + 1) ?? "";
}
