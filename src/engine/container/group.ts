import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupManager } from "../../base/config.ts";
import { RtError } from "../../base/errors.ts";
import { quote } from "../../base/invalid.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { readStateFile } from "../../container/state-file.ts";
import { cgroupPath, groupOfContainers, noGroup } from "../../runtime/cgroup.ts";
import { type GroupPlace, groupPlace, groupPlaceBelow } from "../../runtime/group-place.ts";
import type { ExecRequest } from "../../runtime/native/request.ts";
import {
  groupUnder,
  isGroupParent,
  isScopePath,
  scopeName,
  sliceOf,
  slicePath,
} from "../../settings/cgroup-parent.ts";
import { isUnlimited } from "../../settings/resources.ts";
import type { Host } from "../host.ts";

/** Beside the record, which may be damaged or gone while the container runs on: what is in its cgroup is found all the same. */
const fileName = "cgroup";
/** What stands there of a container that has none. */
const none = "none";

/**
 * The cgroup of a container, below each hierarchy's root. One that has another parent than ours says so in its state directory,
 * as long as it may have a cgroup at all: the parent, or the whole path of one that systemd has made.
 */
export function cgroupOf(host: Pick<Host, "stateOf">, id: string): string {
  const said = readStateFile(join(host.stateOf(id), fileName))?.toString("utf8");
  if (said === undefined) return cgroupPath(id);
  if (said === none) return noGroup;
  if (isScopePath(said, id)) return said.slice(1);
  return isGroupParent(said) ? groupUnder(said, id) : cgroupPath(id);
}

/** For what is executed in a container that runs: it is entered, where there is one. */
export function enteredGroup(host: Pick<Host, "stateOf">, id: string): ExecRequest["cgroup"] {
  const path = cgroupOf(host, id);
  if (path === noGroup) return null;
  return { path, delegated: path !== cgroupPath(id) && groupPlace().kind !== "everywhere" };
}

/** Where the group of a container can be made, by the parent that it names. */
export function placeBelow(cgroupParent: string): GroupPlace {
  const place = groupPlace();
  // A slice of his systemd's is in what that has.
  const isManaged = place.kind === "delegated" && place.isManaged;
  return cgroupParent === "" || isManaged ? place : groupPlaceBelow(cgroupParent);
}

/** Who makes it, where config.toml does not say: systemd in what it has of its user's. */
export function usualManager(): CgroupManager {
  const place = groupPlace();
  return place.kind === "delegated" && place.isManaged ? "systemd" : "cgroupfs";
}

/** Before something is started in a group that a user's systemd has made. @throws RtError unavailable: rt cannot get there */
export async function joinManager(): Promise<void> {
  const place = groupPlace();
  if (place.kind !== "delegated" || !place.isManaged) return;
  await (await import("../../runtime/systemd/scope.ts")).joinUserManager(place.group);
}

/**
 * Who makes the group of a container that is started now. A user's container that has asked for no limit runs without a group where
 * his systemd does not take rt in: it may have no way to (it takes a system bus).
 * @throws RtError unavailable: it has asked for one
 */
export async function managerFor(
  { resources, cgroupParent }: Pick<ContainerRecord, "resources" | "cgroupParent">,
  configured: CgroupManager | undefined,
): Promise<CgroupManager | "none"> {
  try {
    await joinManager();
  } catch (error) {
    if (!isUnlimited(resources) || cgroupParent !== "") throw error;
    return "none";
  }
  return configured ?? usualManager();
}

/**
 * Before its cgroup is made. @returns where that will be; "": nowhere
 * @throws RtError invalid-argument: its parent is nothing that systemd knows; forbidden: it is not the user's
 */
export function placeGroup(
  directory: string,
  { id, cgroupParent }: { id: string; cgroupParent: string },
  manager: CgroupManager | "none",
): string {
  if (manager === "none") {
    writeFileSync(join(directory, fileName), none, { mode: 0o600 });
    return noGroup;
  }
  if (manager === "systemd") {
    const place = groupPlace();
    const isUsers = place.kind === "delegated" && place.isManaged;
    const above = isUsers ? `${place.group.slice(1)}/` : "";
    const path = `${above}${slicePath(sliceOf(cgroupParent, isUsers))}/${scopeName(id)}`;
    writeFileSync(join(directory, fileName), `/${path}`, { mode: 0o600 });
    return path;
  }
  const place = placeBelow(cgroupParent);
  if (cgroupParent === "" && place.kind === "everywhere") return cgroupPath(id);
  if (cgroupParent !== "" && place.kind === "nowhere") throw notHis(cgroupParent);
  const parent = cgroupParent === "" ? usualParent(place) : cgroupParent;
  writeFileSync(join(directory, fileName), parent ?? none, { mode: 0o600 });
  return parent === undefined ? noGroup : groupUnder(parent, id);
}

function usualParent(place: GroupPlace): string | undefined {
  return place.kind === "delegated" ? join(place.group, groupOfContainers) : undefined;
}

function notHis(parent: string): RtError {
  return new RtError("forbidden", `--cgroup-parent ${quote(parent)}: ${howToDelegate}`);
}

/** For those who are root of a user namespace only. */
export const howToDelegate =
  "no control group for that is delegated to you: docs/delegation.md says how to get one";

/** Is a cgroup one that systemd has made? */
export function isScope(group: string): boolean {
  return group.endsWith(".scope");
}
