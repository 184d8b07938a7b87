import { lstatSync, mkdirSync, type Stats, statSync } from "node:fs";
import { isErrno, RtError } from "./errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where what runs of an ordinary user has its files: $XDG_RUNTIME_DIR, else /run/user/UID, else a directory in /tmp that rt
 * makes. Only one that is his is taken, so that a variable of somebody else's (sudo, su) does no harm.
 * zig-native/start/user.zig looks in the same order.
 *
 * @param uid his number outside of his namespace
 * @throws RtError forbidden: the one in /tmp is somebody else's
 */
export function runtimeDirectory(env: Environment, uid: number): string {
  const given = env.XDG_RUNTIME_DIR;
  if (given?.startsWith("/") && isOwn(found(given, statSync), 0o022)) return given;
  const system = `/run/user/${uid}`;
  if (isOwn(found(system, lstatSync), 0o077)) return system;
  const temporary = `/tmp/rt-${uid}`;
  const there = found(temporary, lstatSync);
  if (!there || isOwn(there, 0o077)) return temporary;
  throw new RtError(
    "forbidden",
    `there is no directory for what runs: XDG_RUNTIME_DIR names none of yours, there is no ${system}, and ${temporary} is ` +
      `somebody else's, or open to others: set XDG_RUNTIME_DIR to a directory of yours (mkdir -m 700)`,
  );
}

/** The same, which is there then. */
export function makeRuntimeDirectory(env: Environment, uid: number): string {
  const directory = runtimeDirectory(env, uid);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  }
  // Somebody may have been faster in /tmp.
  return runtimeDirectory(env, uid);
}

/** Where somebody else's directory hides it, it is none of his. */
function found(path: string, look: typeof statSync | typeof lstatSync): Stats | undefined {
  try {
    return look(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function isOwn(status: Stats | undefined, refused: number): boolean {
  return !!status?.isDirectory() && status.uid === process.geteuid?.() && (status.mode & refused) === 0;
}
