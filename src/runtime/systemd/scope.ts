import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import { hasEnded, spawnHelper } from "../../native/helper.ts";
import { closeDescriptor, socketPair } from "../../native/system.ts";
import type { SpecResources } from "../../oci/runtime-spec.ts";
import { isBelow } from "../group-place.ts";
import { textOf, versionOf } from "../hierarchies.ts";
import { Systemd, UnitRefusal } from "./bus.ts";
import { deviceProperties, infinity, limitProperties, type Properties } from "./properties.ts";

/**
 * A container's cgroup as a unit of systemd's: a transient scope, whose groups below are ours ("Delegate"). It is there as
 * long as a process is in it, so a small helper of ours is the first, until the container's own is born there.
 */
export interface Scope {
  /** The container's own processes are in it, or never will be. */
  release(): void;
}

/** How long a scope of the same name, of which the last process has ended, may take to go. */
const staysWithin_ms = 10_000;

/**
 * @param group where it is to be, below each hierarchy's root: the scope in its slice
 * @param stopTimeout_s how long after the stop of the unit what is in it is killed; below zero: never
 * @throws RtError unavailable
 */
export async function startScope(
  group: string,
  description: string,
  limits: SpecResources,
  stopTimeout_s: number,
): Promise<Scope> {
  const [unit, slice] = [basename(group), basename(dirname(group))];
  requireSystemd();
  using systemd = await Systemd.connect();
  const holder = hold();
  try {
    const properties: Properties = [
      ["Description", ["s", description]],
      ["Slice", ["s", slice]],
      ["PIDs", ["au", [holder.pid]]],
      ["Delegate", ["b", true]],
      ["DefaultDependencies", ["b", false]],
      ["TimeoutStopUSec", ["t", stopTimeout_s < 0 ? infinity : BigInt(stopTimeout_s) * 1_000_000n]],
      ["CollectMode", ["s", "inactive-or-failed"]],
      ...deviceProperties(limits.devices, textOf("/proc/devices")),
    ];
    const result = await started(systemd, unit, properties);
    if (result !== "done") throw new RtError("unavailable", `systemd cannot start ${unit}: ${result}`);
    checkPlace(holder.pid, group);
    return { release: holder.release };
  } catch (error) {
    holder.release();
    if (error instanceof UnitRefusal) throw refused(`start ${unit}`, error);
    throw error;
  }
}

/**
 * rt itself goes to where its user's systemd may move what it starts. A session by ssh or su is in a scope of root's, and only
 * the two systemds between them can move what is in it.
 * @throws RtError unavailable
 */
export async function joinUserManager(group: string): Promise<void> {
  if (isBelow(group)) return;
  const unit = `rt-client-${process.pid}.scope`;
  using systemd = await Systemd.connect();
  try {
    const result = await started(systemd, unit, [
      ["Description", ["s", "rt, and what looks after its containers"]],
      ["PIDs", ["au", [process.pid]]],
      ["CollectMode", ["s", "inactive-or-failed"]],
    ]);
    if (result === "done" && isBelow(group)) return;
    throw new RtError("unavailable", `your systemd has started ${unit} (${result}), and rt is not in it`);
  } catch (error) {
    if (error instanceof UnitRefusal) throw refused(`start ${unit}`, error);
    throw error;
  }
}

/** One of the same name is that of the container's last run. */
async function started(systemd: Systemd, unit: string, properties: Properties): Promise<string> {
  const deadline = performance.now() + staysWithin_ms;
  while (true) {
    try {
      const [job] = await systemd.call(
        "StartTransientUnit",
        "ssa(sv)a(sa(sv))",
        unit,
        "fail",
        properties,
        [],
      );
      return await systemd.jobEnd(job);
    } catch (error) {
      const isThere = error instanceof UnitRefusal && error.refusal.endsWith(".UnitExists");
      if (!isThere || performance.now() > deadline) throw error;
      // It may have failed, or not have heard that its last process has gone.
      await systemd.call("ResetFailedUnit", "s", unit).catch(() => {});
      await systemd.call("StopUnit", "ss", unit, "replace").catch(() => {});
      await Bun.sleep(20);
    }
  }
}

/** Once the files of its cgroup say the same. @throws RtError */
export async function tellLimits(group: string, limits: SpecResources): Promise<void> {
  const unit = basename(group);
  // What is allowed is added to what was: twice is once.
  const devices = deviceProperties(limits.devices, textOf("/proc/devices"));
  const properties = [...limitProperties(limits, versionOf), ...(limits.devices.length > 0 ? devices : [])];
  if (properties.length === 0) return;
  using systemd = await Systemd.connect();
  try {
    await systemd.call("SetUnitProperties", "sba(sv)", unit, true, properties);
  } catch (error) {
    throw error instanceof UnitRefusal ? refused(`take the limits of ${unit}`, error) : error;
  }
}

/** sd_booted(3) */
function requireSystemd(): void {
  if (existsSync("/run/systemd/system")) return;
  throw new RtError(
    "unavailable",
    'cgroup-manager is "systemd" (in config.toml), and systemd does not run here: there is no /run/systemd/system',
  );
}

/** A process that waits for its `release`, or for the end of ours. */
function hold(): { pid: number; release(): void } {
  const [ours, theirs] = socketPair();
  try {
    const pid = spawnHelper("rt-monitor", "hold", [theirs]);
    let isHeld = true;
    const release = () => {
      if (isHeld) closeDescriptor(ours);
      isHeld = false;
      void holdsWithin(staysWithin_ms, () => hasEnded(pid));
    };
    return { pid, release };
  } catch (error) {
    closeDescriptor(ours);
    throw error;
  } finally {
    closeDescriptor(theirs);
  }
}

/** "0::/system.slice/rt-….scope", or v1's "1:name=systemd:/system.slice/rt-….scope", proc_pid_cgroup(5) */
function checkPlace(pid: number, group: string): void {
  if (
    textOf(`/proc/${pid}/cgroup`)
      .split("\n")
      .some((line) => line.endsWith(`:/${group}`))
  )
    return;
  throw new RtError("unavailable", `systemd has made ${basename(group)}, and not in the cgroup ${group}`);
}

function refused(what: string, { message }: UnitRefusal): RtError {
  return new RtError("unavailable", `systemd does not ${what}: ${message}`);
}
