import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import { flag, type Infer, integer, listOf, object, ShapeError, text } from "../base/shape.ts";
import { readStateFile } from "./state-file.ts";

/**
 * The programs that were executed in a container besides its own, as long as it has a state directory:
 *
 *   exec/<id>       what it is, as JSON on the first line; then what its monitor tells the event log of its end
 *   exec/<id>.exit  "code <n>\nfinished <unix ns>\n", by rename(2), from its monitor
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
});
export type ExecSession = Infer<typeof session>;

/** Of those that are over the last are kept. */
const finishedMax = 100;
/** So many more, and the oldest go: not each exec looks at all of them. */
const slack = 20;
const wordsBytesMax = 32 << 10;
const bytesMax = 256 << 10;

function directoryOf(state: string): string {
  return join(state, "exec");
}

/** An open descriptor of the directory, for the monitor; made with the first. */
export function openSessions(state: string): { descriptor: number; close(): void } {
  const directory = directoryOf(state);
  const open = () => openSync(directory, "r");
  let descriptor: number;
  try {
    descriptor = open();
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    descriptor = open();
  }
  return { descriptor, close: () => closeSync(descriptor) };
}

/** @param events lines for its monitor */
export function writeSession(state: string, id: string, facts: ExecSession, events: readonly string[]): void {
  const lines = [JSON.stringify({ ...facts, words: bounded(facts.words) }), ...events, ""];
  writeFileSync(join(directoryOf(state), id), lines.join("\n"), { mode: 0o600 });
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
  const directory = directoryOf(state);
  const ended = readdirSync(directory).filter((name) => name.endsWith(".exit"));
  if (ended.length <= finishedMax + slack) return;
  const age = new Map(
    ended.map((name) => [name, statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0]),
  );
  ended.sort((a, b) => age.get(a)! - age.get(b)!);
  for (const name of ended.slice(0, -finishedMax)) {
    rmSync(join(directory, name.slice(0, -".exit".length)), { force: true });
    rmSync(join(directory, name), { force: true });
  }
}

/** Those of a container. */
export function sessionIds(state: string): string[] {
  try {
    return readdirSync(directoryOf(state)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Undefined where there is none, or none that can be read. */
export function readSession(state: string, id: string): ExecSession | undefined {
  const content = readStateFile(join(directoryOf(state), id), bytesMax)?.toString();
  if (!content) return undefined;
  try {
    return session(JSON.parse(content.slice(0, content.indexOf("\n"))), "session");
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ShapeError) return undefined;
    throw error;
  }
}

/** Undefined as long as its monitor has not seen its end. */
export function readSessionExit(state: string, id: string): number | undefined {
  const content = readStateFile(join(directoryOf(state), `${id}.exit`))?.toString();
  const code = /^code (\d{1,3})$/m.exec(content ?? "")?.[1];
  return code === undefined ? undefined : Number(code);
}
