import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import { closeDescriptor, openUserNamespace } from "../native/system.ts";

export interface HolderIdentity {
  pid: number;
  startTime: bigint;
}

/**
 * "PID START BOOT" in `directory`: by which the start of every later command finds the holder (zig-native/start/user.zig reads it,
 * and believes none of it).
 */
export function writeHolder(directory: string, { pid, startTime }: HolderIdentity): void {
  const path = join(directory, "holder");
  writeFileSync(`${path}.new`, `${pid} ${startTime} ${bootId()}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined where there is none, or it says nothing that could be one of this boot. */
export function readHolder(directory: string): HolderIdentity | undefined {
  let text: string;
  try {
    text = readFileSync(join(directory, "holder"), "utf8");
  } catch (error) {
    // What is there instead has another take its place.
    if (isErrno(error, "ENOENT") || isErrno(error, "EACCES") || isErrno(error, "ELOOP")) return undefined;
    throw error;
  }
  const [, pid, startTime, boot] = /^(\d{1,10}) (\d{1,20}) (\S{36})\n$/.exec(text) ?? [];
  if (boot === undefined || boot !== bootId()) return undefined;
  return { pid: Number(pid), startTime: BigInt(startTime!) };
}

/** Does it live, and hold a namespace that whoever is outside of it may join? */
export function isJoinable({ pid, startTime }: HolderIdentity): boolean {
  const namespace = openUserNamespace(pid, startTime, process.geteuid!());
  if (namespace === undefined) return false;
  closeDescriptor(namespace);
  return true;
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
