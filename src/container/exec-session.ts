import { mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asSystemError, isErrno } from "../base/errors.ts";
import { defaulted, flag, type Infer, integer, listOf, object, ShapeError, text } from "../base/shape.ts";
import { readStateFile } from "./state-file.ts";

/**
 * The programs that were executed in a container besides its own, as long as it has a state directory:
 *
 *   exec/<id>       what it is, as JSON on the first line; then what its monitor tells the event log of its end
 *   exec/<id>.exit  "code <n>\nfinished <unix ns>\n", by rename(2), from its monitor
 *
 * (created-exec.ts has those that nobody has started yet.)
 */
const session = object({
  /** In our pid namespace, with the start time that tells it from a later process of the same number. */
  pid: integer,
  startTime: text,
  words: listOf(text),
  user: text,
  tty: flag,
  openStdin: flag,
  privileged: flag,
  openStdout: defaulted(flag, true),
  openStderr: defaulted(flag, true),
  /** Base64. */
  detachKeys: defaulted(text, ""),
});
export type ExecSession = Infer<typeof session>;

/** Of those that are over the last are kept. */
const finishedMax = 100;
/** So many more, and the oldest go: not each exec looks at all of them. */
const slack = 20;
const wordsBytesMax = 32 << 10;
const bytesMax = 256 << 10;

export function execDirectory(state: string): string {
  return join(state, "exec");
}

/**
 * An open descriptor of the directory, for the monitor; made with the first. Where it cannot be had a session leaves nothing: a
 * full disk is no reason not to start one, and a container that has just ended says so itself.
 */
export function openSessions(state: string): number | undefined {
  const directory = execDirectory(state);
  try {
    return openSync(directory, "r");
  } catch (error) {
    if (!isErrno(error, "ENOENT")) return unless(error);
  }
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, "EEXIST")) return unless(error);
  }
  try {
    return openSync(directory, "r");
  } catch (error) {
    return unless(error);
  }
}

/** The container may be over by now, and the disk be full: nothing fails because of that. @throws what is no system's error */
function unless(error: unknown): undefined {
  if (!asSystemError(error)) throw error;
}

/** @param events lines for its monitor */
export function writeSession(state: string, id: string, facts: ExecSession, events: readonly string[]): void {
  const lines = [JSON.stringify({ ...facts, words: bounded(facts.words) }), ...events, ""];
  try {
    writeFileSync(join(execDirectory(state), id), lines.join("\n"), { mode: 0o600 });
  } catch (error) {
    unless(error);
  }
}

/** Without what does not fit: somebody may want to know what ran, and not all that it was told. */
function bounded(words: readonly string[]): string[] {
  let bytes = 0;
  const end = words.findIndex((word) => {
    bytes += Buffer.byteLength(word);
    return bytes > wordsBytesMax;
  });
  return words.slice(0, end < 0 ? words.length : end);
}

/** The oldest of those that are over go, once there are too many. */
export function trimSessions(state: string): void {
  const directory = execDirectory(state);
  try {
    const ended = readdirSync(directory).filter((name) => name.endsWith(".exit"));
    if (ended.length > finishedMax + slack) trim(directory, ended);
  } catch (error) {
    unless(error);
  }
}

function trim(directory: string, ended: string[]): void {
  const time = (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const times = new Map(ended.map((name) => [name, time(name)]));
  ended.sort((a, b) => times.get(a)! - times.get(b)!);
  for (const name of ended.slice(0, -finishedMax)) {
    rmSync(join(directory, name.slice(0, -".exit".length)), { force: true });
    rmSync(join(directory, name), { force: true });
  }
}

/** Those of a container. */
export function sessionIds(state: string): string[] {
  try {
    return readdirSync(execDirectory(state)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Undefined where there is none, or none that can be read. */
export function readSession(state: string, id: string): ExecSession | undefined {
  const content = readStateFile(join(execDirectory(state), id), bytesMax)?.toString();
  if (!content) return undefined;
  try {
    return session(JSON.parse(content.slice(0, content.indexOf("\n"))), "session");
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ShapeError) return undefined;
    throw error;
  }
}

/** Of one that could not be executed: no monitor of it sees an end. */
export function writeSessionExit(state: string, id: string, code: number): void {
  const draft = join(execDirectory(state), `${id}.exit.new`);
  try {
    writeFileSync(draft, `code ${code}\nfinished ${BigInt(Date.now()) * 1_000_000n}\n`, { mode: 0o600 });
    renameSync(draft, join(execDirectory(state), `${id}.exit`));
  } catch (error) {
    unless(error);
  }
}

/** Undefined as long as its monitor has not seen its end. */
export function readSessionExit(state: string, id: string): number | undefined {
  const content = readStateFile(join(execDirectory(state), `${id}.exit`))?.toString();
  const code = /^code (\d{1,3})$/m.exec(content ?? "")?.[1];
  return code === undefined ? undefined : Number(code);
}
