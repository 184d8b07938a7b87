import { readSync, writeSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { holdsWithin } from "../base/wait.ts";
import { errnoName, native } from "../native/ffi.ts";
import { hasEnded, spawnHelper } from "../native/helper.ts";
import { closeDescriptor, socketPair } from "../native/system.ts";
import type { HolderIdentity } from "./holder-file.ts";
import { openLivingNamespace } from "./living.ts";
import { mapUsers } from "./maps.ts";
import { namespaceRefusal } from "./refusal.ts";

/**
 * A new process that holds an ordinary user's namespace (zig-native/holder.zig draws both sides). Where containers of his have
 * outlived an earlier one, it is theirs that is held; else a new one is made, and mapped.
 *
 * @param keep makes it known to others; what fails there ends the holder
 * @param warn what the user should know
 * @throws RtError forbidden | unsupported | exhausted: this host does not let him have one
 */
export async function makeHolder(
  keep: (holder: HolderIdentity) => void,
  warn: (line: string) => void,
): Promise<void> {
  const living = openLivingNamespace(process.geteuid!());
  const [ours, theirs] = socketPair();
  let helper: number;
  try {
    const role = living === undefined ? "make" : "join";
    helper = spawnHelper("rt-holder", role, living === undefined ? [theirs] : [theirs, living]);
  } catch (error) {
    closeDescriptor(ours);
    throw error;
  } finally {
    closeDescriptor(theirs);
    if (living !== undefined) closeDescriptor(living);
  }
  try {
    const errno = hear(ours);
    if (errno !== 0) throw namespaceRefusal(errnoName(errno));
    if (living === undefined) await mapUsers(helper, warn);
    writeSync(ours, "g");
    const pid = hear(ours);
    keep({ pid, startTime: BigInt(native().rt_start_time(pid)) });
    writeSync(ours, "k");
  } finally {
    closeDescriptor(ours);
    await holdsWithin(Number.POSITIVE_INFINITY, () => hasEnded(helper));
  }
}

/** It answers within milliseconds, or has ended. */
function hear(socket: number): number {
  const bytes = Buffer.alloc(4);
  if (readSync(socket, bytes) === bytes.length) return bytes.readUInt32LE();
  throw new RtError("internal", "the process that was to hold the user namespace ended early");
}
