import { closeSync, constants, lstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../base/errors.ts";
import { resolvePaths } from "../base/paths.ts";
import { makeRuntimeDirectory } from "../base/runtime-directory.ts";
import { holdsWithin } from "../base/wait.ts";
import { execute, flock } from "../native/system.ts";
import { makeHolder } from "./holder.ts";
import { isJoinable, readHolder, writeHolder } from "./holder-file.ts";
import { lingeringLack } from "./lingering.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Somebody else's first command takes much less. */
const patience_ms = 30_000;

/**
 * For an ordinary user who is not in his namespace: sees to it that somebody holds it, and becomes the same command once more,
 * whose start joins it before its runtime begins (zig-native/start/user.zig). It does not return.
 *
 * @throws RtError: he cannot have one, and why
 */
export async function enterUserNamespace(env: Environment, warn: (line: string) => void): Promise<void> {
  const directory = holderDirectory(env);
  const lock = await takeHolderLock(directory);
  try {
    const holder = readHolder(directory);
    if (!holder || !isJoinable(holder)) {
      await makeHolder((made) => writeHolder(directory, made), warn);
      tellOfLingering(env, directory, warn);
    }
  } finally {
    closeSync(lock);
  }
  becomeAgain();
}

/** @throws RtError forbidden: it is not his */
function holderDirectory(env: Environment): string {
  const directory = join(makeRuntimeDirectory(env, process.geteuid!()), "rt");
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
  }
  const found = lstatSync(directory);
  if (found.isDirectory() && found.uid === process.geteuid!() && (found.mode & 0o022) === 0) return directory;
  throw new RtError("forbidden", `${directory} is not a directory of yours alone: remove it`);
}

/** Two first commands at once make one holder. */
async function takeHolderLock(directory: string): Promise<number> {
  const path = join(directory, "holder.lock");
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  if (await holdsWithin(patience_ms, () => flock(fd, "exclusive", false))) return fd;
  closeSync(fd);
  throw new RtError(
    "unavailable",
    `another command of yours is making your user namespace, and holds ${path}`,
  );
}

/** Once in all, for it is true at each login: the mark lies with his images. */
function tellOfLingering(env: Environment, directory: string, warn: (line: string) => void): void {
  const lack = lingeringLack(process.geteuid!());
  if (!lack || !directory.startsWith("/run/user/")) return;
  const { root } = resolvePaths({}, { ...env });
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    writeFileSync(join(root, "told-of-lingering"), "", { flag: "wx", mode: 0o600 });
  } catch {
    return; // he was told, or will be told of a place that cannot be written
  }
  warn(`${lack.what} ${lack.problem}: ${lack.remedy}`);
}

/** With every word and variable that we were given; the variable says to the start whom it is for. */
function becomeAgain(): void {
  const argv = readFileSync("/proc/self/cmdline");
  const again = Buffer.from(`RT_HOLDER=${process.pid}\0`);
  const environment = Buffer.concat([again, readFileSync("/proc/self/environ")]);
  execute(openSync("/proc/self/exe", "r"), argv, environment);
}
