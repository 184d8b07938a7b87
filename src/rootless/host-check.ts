import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type IdSpan, joinedSpans, sizeOfSpans } from "../base/id-span.ts";
import { runtimeDirectory } from "../base/runtime-directory.ts";
import { readSubordinateIds } from "../settings/subordinate-ids.ts";
import { lingeringLack } from "./lingering.ts";
import { findProgram } from "./programs.ts";
import {
  addIdsCommand,
  hostText,
  idsWanted,
  type SubordinateKind,
  subordinateFile,
  userNames,
} from "./subordinates.ts";

/** Something that an ordinary user lacks on this host. */
export interface Lack {
  what: string;
  problem: string;
  /** How to get it. */
  remedy: string;
  /** Containers run without it, and cannot do one thing or another. */
  isHint: boolean;
}

interface User {
  uid: number;
  /** Where his images and containers are. */
  root: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** All that the ordinary user lacks, what matters most first. */
export function hostLacks(user: User): Lack[] {
  return [
    ...namespaceLacks(),
    ...programLacks(),
    ...idLacks(user.uid),
    ...placeLacks(user),
    ...groupLacks(),
    ...networkLacks(),
  ];
}

function lack(what: string, problem: string, remedy: string): Lack {
  return { what, problem, remedy, isHint: false };
}

function hint(what: string, problem: string, remedy: string): Lack {
  return { what, problem, remedy, isHint: true };
}

function sysctl(name: string): string | undefined {
  const text = hostText(`/proc/sys/${name.replaceAll(".", "/")}`).trim();
  return text === "" ? undefined : text;
}

function namespaceLacks(): Lack[] {
  const found: Lack[] = [];
  const kernel = (name: string, problem: string, value: string) =>
    found.push(lack(name, problem, `sudo sysctl -w ${name}=${value}`));
  if (sysctl("user.max_user_namespaces") === "0")
    kernel("user.max_user_namespaces", "there may be no user namespaces", "28633");
  if (sysctl("kernel.unprivileged_userns_clone") === "0")
    kernel("kernel.unprivileged_userns_clone", "only root may have user namespaces", "1");
  if (sysctl("kernel.apparmor_restrict_unprivileged_userns") === "1")
    kernel(
      "kernel.apparmor_restrict_unprivileged_userns",
      "AppArmor keeps user namespaces for programs with a profile (docs/rootless.md has one for rt)",
      "0",
    );
  return found;
}

const setUserId = 0o4000;

function programLacks(): Lack[] {
  return ["newuidmap", "newgidmap"].flatMap((name) => {
    const path = findProgram(name);
    if (path === undefined)
      return [
        hint(name, "is not installed: you have no ids but your own", "install uidmap (shadow-utils, shadow)"),
      ];
    const { mode, uid } = statSync(path);
    // Some distributions give it file capabilities instead, which show when it is used.
    const isPlain = (mode & setUserId) === 0 || uid !== hostRoot();
    if (!isPlain || hasMany()) return [];
    return [
      hint(
        path,
        "has lost its rights, as it seems (no set-user-ID bit)",
        `sudo chown root ${path}; sudo chmod u+s ${path}`,
      ),
    ];
  });
}

/** The host's root as we see him: in a namespace of our own he is nobody. */
function hostRoot(): number {
  return process.geteuid!() === 0 ? Number(hostText("/proc/sys/kernel/overflowuid")) : 0;
}

/** Has our own namespace more than one user? Then somebody had the right to map them. */
function hasMany(): boolean {
  return hostText("/proc/self/uid_map").trim().split("\n").length > 1;
}

function idLacks(uid: number): Lack[] {
  const names = userNames(uid);
  return (["uid", "gid"] as const).flatMap((kind) => {
    const file = subordinateFile(kind);
    const { ids, problems } = readSubordinateIds(hostText(file));
    const own = ids.filter(({ owner }) => names.includes(owner));
    const found = problems.map(({ line, text, owner }) => {
      const problem = `${JSON.stringify(text.slice(0, 80))} is not NAME:FIRST:COUNT`;
      const make = names.includes(owner) ? lack : hint;
      return make(`${file}, line ${line}`, problem, "correct it");
    });
    const size = sizeOfSpans(joinedSpans(own));
    if (size < idsWanted) found.push(hint(file, countWords(size, kind), addIdsCommand(uid)));
    for (const mine of own)
      for (const other of ids)
        if (!names.includes(other.owner) && touch(mine, other))
          found.push(
            lack(
              `${file}, line ${mine.line}`,
              `your ids are ${other.owner}'s too (line ${other.line}), who may touch your containers' files`,
              "give one of you others",
            ),
          );
    return found;
  });
}

function countWords(size: number, kind: SubordinateKind): string {
  if (size === 0) return `you have no subordinate ${kind}s: all files of your containers are yours alone`;
  return `you have ${size} subordinate ${kind}s, and images may have owners up to ${idsWanted - 1}`;
}

function touch(one: IdSpan, other: IdSpan): boolean {
  return one.first < other.first + other.size && other.first < one.first + one.size;
}

/** statfs(2): file systems of a network, on which the kernel lets no root of a user namespace give files away. */
const remote = new Map([
  [0x6969, "NFS"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "CIFS"],
  [0x01021997, "9p"],
  [0x00c36400, "Ceph"],
  [0x47504653, "GPFS"],
]);

function placeLacks({ uid, root, env }: User): Lack[] {
  const found: Lack[] = [];
  const remedy = "rt --root DIRECTORY, RT_ROOT or XDG_DATA_HOME on a disk of this host";
  const place = existing(root);
  const kind = remote.get(statfsSync(place).type >>> 0);
  if (kind !== undefined)
    found.push(lack(root, `is on ${kind}, where files cannot have the owners that images want`, remedy));
  if (!isWritable(place)) found.push(lack(root, `cannot be written in ${place}`, remedy));
  if (runtimeDirectory(env, uid) !== env.XDG_RUNTIME_DIR && runtimeDirectory(env, uid).startsWith("/tmp/"))
    found.push(
      hint(
        "XDG_RUNTIME_DIR",
        "is not set, or not yours: /tmp takes its place",
        "log in by ssh or machinectl, or set it",
      ),
    );
  const lingering = lingeringLack(uid);
  if (lingering) found.push({ ...lingering, isHint: true });
  return found;
}

/** The directory itself, or the nearest above it that is there. */
function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const controllersWanted = ["cpu", "io", "memory", "pids"];

/** Of cgroup v2, which alone can be given to users. */
function groupLacks(): Lack[] {
  const path = /^0::(\/.*)$/m.exec(hostText("/proc/self/cgroup"))?.[1] ?? "/";
  const delegate = "Delegate=cpu cpuset io memory pids for user@.service (docs/rootless.md)";
  if (!existsSync("/sys/fs/cgroup/cgroup.controllers"))
    return [
      hint(
        "cgroups",
        "are those of v1, which no user is given: limits cannot be set",
        "boot with systemd.unified_cgroup_hierarchy=1",
      ),
    ];
  const group = nearestOwn(path);
  if (group === undefined)
    return [
      hint(
        "cgroups",
        "you have none of your own: limits cannot be set",
        `log in by ssh or machinectl; ${delegate}`,
      ),
    ];
  const has = hostText(`/sys/fs/cgroup${group}/cgroup.controllers`).trim().split(" ");
  const missing = controllersWanted.filter((name) => !has.includes(name));
  if (missing.length === 0) return [];
  return [hint("cgroups", `you are not given ${missing.join(", ")}: no limits of those`, delegate)];
}

/** The highest that we may make others in. */
function nearestOwn(path: string): string | undefined {
  let own: string | undefined;
  for (let at = path; ; at = dirname(at)) {
    if (isWritable(`/sys/fs/cgroup${at}/cgroup.subtree_control`)) own = at;
    else if (own !== undefined || at === "/") return own;
    if (at === "/") return own;
  }
}

function networkLacks(): Lack[] {
  const found: Lack[] = [];
  if (findProgram("pasta") === undefined) {
    const other = findProgram("slirp4netns");
    found.push(
      other === undefined
        ? hint("pasta", "is not installed: containers have the networks none and host only", "install passt")
        : hint(
            "pasta",
            "is not installed: slirp4netns takes its place, and hides who connects",
            "install passt",
          ),
    );
  }
  const first = Number(sysctl("net.ipv4.ip_unprivileged_port_start") ?? 0);
  if (first > 80)
    found.push(
      hint(
        "ports",
        `below ${first} cannot be published`,
        "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80",
      ),
    );
  if (/^1\s+0$/.test(sysctl("net.ipv4.ping_group_range") ?? ""))
    found.push(
      hint(
        "ping",
        "works on a network of a container's own only",
        'sudo sysctl -w net.ipv4.ping_group_range="0 2147483647"',
      ),
    );
  return found;
}
