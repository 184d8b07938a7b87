import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import { signalProcess } from "../native/system.ts";
import { enterWorld, isInWorld } from "./netlink.ts";

/** As zig-native/monitor/stack.zig has it, of who keeps it. */
const worldDescriptor = 9;

/** Who keeps an ordinary user's networks (engine/network/world.ts). */
export interface WorldKeeper {
  pid: number;
  /** In clock ticks since boot. */
  startTime: string;
}

export function worldDirectory(state: string): string {
  return join(state, "world");
}

/** @param state rt's state directory */
export function worldKeeper(state: string): WorldKeeper | undefined {
  const [, pid, startTime] =
    /^(\d{1,10}) (\d{1,20})$/.exec(textOf(join(worldDirectory(state), "keeper"))) ?? [];
  return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
}

/** Where it is there already what is asked of networks is asked there. @returns whether it is */
export function findWorld(state: string): boolean {
  if (isInWorld()) return true;
  const keeper = worldKeeper(state);
  if (!keeper || !signalProcess(keeper.pid, keeper.startTime, 0)) return false;
  try {
    enterWorld(openSync(`/proc/${keeper.pid}/fd/${worldDescriptor}`, "r"));
    return true;
  } catch (error) {
    // It has just ended, and may not be reaped yet.
    if (["ENOENT", "ESRCH", "EACCES"].some((errno) => isErrno(error, errno))) return false;
    throw error;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}
