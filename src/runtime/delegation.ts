import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { asSystemError, RtError } from "../base/errors.ts";
import { groupPlace } from "./group-place.ts";
import { hierarchyOf, textOf, versionOf } from "./hierarchies.ts";

/**
 * cgroup v2 where we are in a container ourselves: what it shows as the root is that container's own group, with its processes in
 * it, and then it passes no controller on to a group below (cgroups(7), "no internal processes"). Where a limit is asked for they
 * move into a leaf beside ours, as the images that have Docker in a container do it. So do those of a group that was delegated to a
 * user, and that he has begun in.
 *
 *   /            pid 1, rt          /init        pid 1, rt
 *   /rt/<id>     no controllers     /rt/<id>     all that are asked for
 */
const leaf = "init";

/** They may start others meanwhile. */
const triesMax = 20;

/** @param group below the root; @param controllers what is to be limited there. @throws RtError it cannot be */
export function passControllersOn(group: string, controllers: readonly string[]): void {
  const root = hierarchyOf(undefined)?.directory;
  const wanted = [...new Set(controllers)].filter((name) => isUnified(name));
  if (root === undefined || wanted.length === 0) return;
  const there = wordsIn(join(root, group, "cgroup.controllers"));
  if (wanted.every((name) => there.includes(name))) return;
  const place = groupPlace();
  const own = place.kind === "delegated" ? join(root, place.group) : root;
  for (const above of [root, ...parentsOf(group).map((path) => join(root, path))]) {
    const passed = wordsIn(join(above, "cgroup.subtree_control"));
    const missing = wanted.filter((name) => !passed.includes(name));
    if (missing.length === 0) continue;
    // The hierarchy's real root has no type, and may hold processes.
    if (above === own && textOf(join(above, "cgroup.type")) !== "") evacuate(above, missing);
    enable(above, missing);
  }
}

/** A user has nothing of v1, where the same controller may be: he has been told by now that he does not have it on v2. */
function isUnified(controller: string): boolean {
  return groupPlace().kind === "delegated" || versionOf(controller) === 2;
}

/** From the top: "a/b/c" has "a" and "a/b". */
function parentsOf(group: string): string[] {
  const parent = dirname(group);
  return parent === "." ? [] : [...parentsOf(parent), parent];
}

function evacuate(root: string, controllers: readonly string[]): void {
  const target = join(root, leaf, "cgroup.procs");
  for (let tries = 0; tries < triesMax; tries++) {
    const pids = wordsIn(join(root, "cgroup.procs"));
    if (pids.length === 0) return;
    mkdirSync(join(root, leaf), { recursive: true });
    for (const pid of pids) move(pid, target, controllers);
  }
  throw cannot(controllers, "its own processes do not stand still");
}

function move(pid: string, target: string, controllers: readonly string[]): void {
  // One that we do not see is of a pid namespace above.
  if (pid === "0") throw cannot(controllers, "processes of others are in its cgroup");
  try {
    writeFileSync(target, pid);
  } catch (error) {
    if (asSystemError(error)?.code !== "ESRCH") throw cannot(controllers, String(asSystemError(error)?.code));
  }
}

function enable(directory: string, controllers: readonly string[]): void {
  mkdirSync(directory, { recursive: true });
  try {
    writeFileSync(join(directory, "cgroup.subtree_control"), controllers.map((name) => `+${name}`).join(" "));
  } catch (error) {
    throw cannot(controllers, String(asSystemError(error)?.code));
  }
}

function cannot(controllers: readonly string[], why: string): RtError {
  const names = controllers.join(", ");
  return new RtError(
    "unsupported",
    `cannot limit ${names} here: the cgroup that rt is in does not pass that on: ${why}`,
  );
}

function wordsIn(path: string): string[] {
  return textOf(path).split(/\s+/).filter(Boolean);
}
