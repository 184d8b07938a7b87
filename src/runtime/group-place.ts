import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { isInitialUserNamespace } from "../base/own-user-namespace.ts";
import { hierarchyOf, textOf } from "./hierarchies.ts";
import { userManager } from "./user-manager.ts";

/**
 * Where the groups of containers can be made.
 *
 *   everywhere   root: in every hierarchy, below its root
 *   delegated    whoever is root of a user namespace only: in the unified hierarchy, below a group that belongs to him
 *   nowhere      nothing of any hierarchy is his: containers have no group of their own
 *
 * A group is delegated with its directory and the files of it that move processes and pass controllers on (cgroups(7), "Delegation");
 * its limits stay those of whoever has delegated it.
 */
export type GroupPlace =
  | { kind: "everywhere" }
  /**
   * `group`: absolute in the hierarchy, "/" its root. `controllers`: what can be limited below it. `isManaged`: it is of the user's
   * systemd, which makes the groups in it.
   */
  | { kind: "delegated"; group: string; controllers: readonly string[]; isManaged: boolean }
  | { kind: "nowhere" };

let own: GroupPlace | undefined;

/** For containers that name no parent. What rt is in when it begins decides: it is looked for once. */
export function groupPlace(): GroupPlace {
  own ??= isInitialUserNamespace() ? { kind: "everywhere" } : delegated(ownGroup());
  return own;
}

/** Is what rt is in below a group? Then it may move processes to anywhere in that. */
export function isBelow(group: string): boolean {
  return `${ownGroup() ?? ""}/`.startsWith(`${group}/`);
}

/** For one that names its parent: that has to be his, or to be made in what is. */
export function groupPlaceBelow(parent: string): GroupPlace {
  if (isInitialUserNamespace()) return { kind: "everywhere" };
  const root = hierarchyOf(undefined)?.directory;
  if (root === undefined) return { kind: "nowhere" };
  let there = parent;
  while (there !== "/" && !existsSync(join(root, there))) there = dirname(there);
  // Who moves a process writes into the nearest group that is above both places.
  const between = commonAbove(there, ownGroup() ?? "/");
  if (!isHis(root, there) || !mayWrite(join(root, between, "cgroup.procs"))) return { kind: "nowhere" };
  return placeAt(root, there);
}

/** The highest that is his, of those that rt is in: from there it may move its processes to anywhere below. */
function delegated(group: string | undefined): GroupPlace {
  const root = hierarchyOf(undefined)?.directory;
  if (root === undefined || group === undefined) return { kind: "nowhere" };
  let highest: string | undefined;
  for (let each = group; isHis(root, each); each = dirname(each)) {
    highest = each;
    if (each === "/") break;
  }
  if (highest !== undefined) return placeAt(root, highest);
  // A login by ssh or su is beside his systemd's group, and rt asks that to be taken in (systemd/scope.ts).
  const manager = userManager();
  return manager && isHis(root, manager.group) ? placeAt(root, manager.group) : { kind: "nowhere" };
}

function placeAt(root: string, group: string): GroupPlace {
  const controllers = textOf(join(root, group, "cgroup.controllers"))
    .split(/\s+/)
    .filter(Boolean);
  const isManaged = userManager()?.group === group;
  return { kind: "delegated", group, controllers, isManaged };
}

function isHis(root: string, group: string): boolean {
  return ["", "cgroup.procs", "cgroup.subtree_control"].every((name) => mayWrite(join(root, group, name)));
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Of the unified hierarchy, below what of it is mounted: "0::/user.slice/…", proc_pid_cgroup(5). Undefined: what we are in is not
 * there.
 */
function ownGroup(): string | undefined {
  const group = /^0::(\/.*)$/m.exec(textOf("/proc/self/cgroup"))?.[1];
  const root = hierarchyOf(undefined)?.root;
  if (group === undefined || root === undefined || group.split("/").includes("..")) return undefined;
  if (root === "/") return group;
  return `${group}/`.startsWith(`${root}/`) ? group.slice(root.length) || "/" : undefined;
}

function commonAbove(one: string, other: string): string {
  const [parts, others] = [one, other].map((path) => path.split("/").filter(Boolean)) as [string[], string[]];
  const differs = parts.findIndex((part, index) => part !== others[index]);
  return `/${parts.slice(0, differs < 0 ? parts.length : differs).join("/")}`;
}
