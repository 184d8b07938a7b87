import { RtError } from "../base/errors.ts";
import { type IdSpan, joinedSpans, sizeOfSpans } from "../base/id-span.ts";
import { readTextFile } from "../base/text-file.ts";
import { parseSubordinateIds, readSubordinateIds } from "../settings/subordinate-ids.ts";
import { findProgram, programOutput } from "./programs.ts";

export type SubordinateKind = "uid" | "gid";

export const subordinateFile = (kind: SubordinateKind) => `/etc/sub${kind}`;

/**
 * The subordinate ids of the user with the number `uid`: what the files say, or whoever /etc/nsswitch.conf says is asked instead.
 * @throws RtError invalid-argument: a line of his is nonsense
 */
export async function subordinateIds(kind: SubordinateKind, uid: number): Promise<IdSpan[]> {
  const names = userNames(uid);
  if (isElsewhere()) return askForSubordinates(kind, names[0]!);
  const path = subordinateFile(kind);
  return apart(parseSubordinateIds(hostText(path), names, path).filter(({ owner }) => names.includes(owner)));
}

/** What images want: their highest ids are below it. */
export const idsWanted = 65_536;

/** The command that gives him as many as images want, after all that others have. */
export function addIdsCommand(uid: number): string {
  const files = (["uid", "gid"] as const).map(
    (kind) => readSubordinateIds(hostText(subordinateFile(kind))).ids,
  );
  const free = Math.max(100_000, ...files.flat().map(({ first, size }) => first + size));
  const range = `${free}-${free + idsWanted - 1}`;
  return `sudo usermod --add-subuids ${range} --add-subgids ${range} ${userNames(uid)[0]}; rt system migrate`;
}

/** What the lines of a user may begin with: his name, by /etc/passwd as for newuidmap(1), and his number. */
export function userNames(uid: number): string[] {
  for (const line of hostText("/etc/passwd").split("\n")) {
    const [name, , id] = line.split(":", 3);
    if (id === String(uid) && name) return [name, String(uid)];
  }
  return [String(uid)];
}

/** In their order, but for what overlaps an earlier one, or is the host's root. */
function apart(spans: readonly IdSpan[]): IdSpan[] {
  const kept: IdSpan[] = [];
  for (const { first, size } of spans) {
    const together = [...kept, { first, size }];
    if (first > 0 && sizeOfSpans(joinedSpans(together)) === sizeOfSpans(together)) kept.push({ first, size });
  }
  return kept;
}

/** "subid: sss" in nsswitch.conf(5) */
function isElsewhere(): boolean {
  const source = /^\s*subid:\s*([\w-]+)/m.exec(hostText("/etc/nsswitch.conf"))?.[1];
  return source !== undefined && source !== "files";
}

/** getsubids(1): "0: NAME 100000 65536" */
async function askForSubordinates(kind: SubordinateKind, name: string): Promise<IdSpan[]> {
  const program = findProgram("getsubids");
  if (program === undefined) return [];
  const { status, stdout } = await programOutput([program, ...(kind === "gid" ? ["-g"] : []), name]);
  if (status !== 0) return [];
  return apart(
    stdout.split("\n").flatMap((line) => {
      const [, first, size] = /^\d+: \S+ (\d{1,10}) (\d{1,10})$/.exec(line.trim()) ?? [];
      return first === undefined ? [] : [{ first: Number(first), size: Number(size) }];
    }),
  );
}

/** More than a host with a million users has. */
const bytesMax = 64 << 20;

/** Of a file of the host's; empty where there is none. */
export function hostText(path: string): string {
  try {
    return readTextFile(path, "the file", bytesMax);
  } catch (error) {
    if (error instanceof RtError && error.code === "not-found") return "";
    throw error;
  }
}
