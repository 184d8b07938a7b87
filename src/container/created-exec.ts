import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno, withCause } from "../base/errors.ts";
import {
  defaulted,
  flag,
  type Infer,
  integer,
  listOf,
  object,
  optional,
  ShapeError,
  text,
} from "../base/shape.ts";
import { execDirectory } from "./exec-session.ts";
import { readStateFile } from "./state-file.ts";

/**
 * Programs that are to be executed in a container as soon as somebody says so, beside those of exec-session.ts:
 *
 *   exec/<id>.created   what it is to be, as JSON
 *   exec/<id>.starting  the same, from the moment on that somebody has taken it upon himself
 */
const createdExec = object({
  command: listOf(text),
  openStdin: flag,
  openStdout: defaulted(flag, true),
  openStderr: defaulted(flag, true),
  tty: flag,
  env: listOf(text),
  workingDirectory: text,
  user: text,
  privileged: flag,
  /** Base64; undefined: the usual ones. */
  detachKeys: optional(text),
  consoleSize: optional(object({ rows: integer, columns: integer })),
});
export type CreatedExec = Infer<typeof createdExec>;

const bytesMax = 8 << 20;
/** Who creates more than so many before he starts one loses the oldest. */
const createdMax = 500;

/** It can be started from here on, or is another than before. @throws RtError: it cannot be kept */
export function writeCreatedExec(state: string, id: string, created: CreatedExec): void {
  const file = join(execDirectory(state), `${id}.created`);
  try {
    writeFileSync(`${file}.new`, JSON.stringify(created), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    throw withCause("cannot keep what is to be executed", error);
  }
}

/** Undefined where there is none that waits, or none that can be read. */
export function readCreatedExec(
  state: string,
  id: string,
): { created: CreatedExec; isStarting: boolean } | undefined {
  for (const stage of ["created", "starting"]) {
    const content = readStateFile(join(execDirectory(state), `${id}.${stage}`), bytesMax)?.toString();
    if (content === undefined) continue;
    try {
      return { created: createdExec(JSON.parse(content), "exec"), isStarting: stage === "starting" };
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof ShapeError)) throw error;
    }
  }
  return undefined;
}

/** @returns false: somebody else was faster. Else it is the caller's to start, and to `dropCreatedExec` then. */
export function takeCreatedExec(state: string, id: string): boolean {
  const directory = execDirectory(state);
  try {
    renameSync(join(directory, `${id}.created`), join(directory, `${id}.starting`));
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return false;
    throw error;
  }
}

export function dropCreatedExec(state: string, id: string): void {
  rmSync(join(execDirectory(state), `${id}.starting`), { force: true });
}

/** Before one more. */
export function trimCreatedExecs(state: string): void {
  const directory = execDirectory(state);
  const names = readdirSync(directory).filter((name) => name.endsWith(".created"));
  if (names.length < createdMax) return;
  const time = (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const oldest = names.reduce((first, name) => (time(name) < time(first) ? name : first));
  rmSync(join(directory, oldest), { force: true });
}
