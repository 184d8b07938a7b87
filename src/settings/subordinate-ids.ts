import type { RtError } from "../base/errors.ts";
import { idMax } from "../base/id-map.ts";
import { type IdSpan, joinedSpans, sizeOfSpans } from "../base/id-span.ts";
import { invalid, quote } from "../base/invalid.ts";

/** A line of /etc/subuid or /etc/subgid (subuid(5)): numbers that somebody may give to his user namespaces. */
export interface SubordinateIds extends IdSpan {
  /** His name, or his number. */
  owner: string;
}

/** What is no such line: its number from 1, and what it begins with, which is somebody's name perhaps. */
export interface SubordinateProblem {
  line: number;
  text: string;
  owner: string;
}

/** All of the file, and what is wrong with it; empty lines and those that begin with "#" are neither. */
export function readSubordinateIds(text: string): {
  ids: (SubordinateIds & { line: number })[];
  problems: SubordinateProblem[];
} {
  const ids: (SubordinateIds & { line: number })[] = [];
  const problems: SubordinateProblem[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const [, owner, first, size] = /^([^:\s\p{C}]{1,256}):(\d{1,10}):(\d{1,10})$/u.exec(line) ?? [];
    const span = { first: Number(first), size: Number(size) };
    const isGood = owner !== undefined && span.size > 0 && span.first + span.size - 1 <= idMax;
    if (isGood) ids.push({ owner, ...span, line: index + 1 });
    else problems.push({ line: index + 1, text: line, owner: line.split(":", 1)[0]!.trim() });
  }
  return { ids, problems };
}

/** @param file for messages */
export function nonsenseIn(file: string, { line, text }: SubordinateProblem): RtError {
  return invalid(
    `${file}: line ${line}: ${quote(text)} is not NAME:FIRST:COUNT, with numbers up to ${idMax}`,
  );
}

/**
 * All of the file that is as it should be. What is wrong with others' lines is theirs.
 * @param owners who is asked for, by his name and his number
 * @param file for messages
 * @throws RtError invalid-argument: a line of his that is nonsense, by its number
 */
export function parseSubordinateIds(text: string, owners: readonly string[], file: string): SubordinateIds[] {
  const { ids, problems } = readSubordinateIds(text);
  const his = problems.find(({ owner }) => owners.includes(owner));
  if (his) throw nonsenseIn(file, his);
  return ids.map(({ owner, first, size }) => ({ owner, first, size }));
}

/**
 * Those of one who is called by his name or by his number.
 * @throws RtError invalid-argument: he has none, or one of them twice
 */
export function idsOf(lines: readonly SubordinateIds[], owners: readonly string[], file: string): IdSpan[] {
  const own = lines.filter(({ owner }) => owners.includes(owner)).map(({ first, size }) => ({ first, size }));
  if (own.length === 0)
    throw invalid(
      `${file} has no ids for ${quote(owners[0]!)}: add a line such as ${quote(`${owners[0]}:100000:65536`)}`,
    );
  if (sizeOfSpans(joinedSpans(own)) === sizeOfSpans(own)) return own;
  throw invalid(`${file}: two of the ranges of ${quote(owners[0]!)} overlap`);
}
