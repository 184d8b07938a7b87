import { writeFileSync } from "node:fs";
import { asSystemError, RtError } from "../base/errors.ts";
import type { IdSpan } from "../base/id-span.ts";
import { findProgram, programOutput } from "./programs.ts";
import { namespaceRefusal } from "./refusal.ts";
import { addIdsCommand, type SubordinateKind, subordinateFile, subordinateIds } from "./subordinates.ts";

/** The kernel takes 340 lines of a map (user_namespaces(7)). */
const rangesMax = 339;

/**
 * Write the maps of the namespace of process `pid`: 0 in there is the user, and 1 and up are his subordinate ids. Where he has
 * none, or there is nobody who may map them (newuidmap(1)), he is alone in there, which he is told.
 */
export async function mapUsers(pid: number, warn: (line: string) => void): Promise<void> {
  const uid = process.geteuid!();
  const gid = process.getegid!();
  const ranges = { uid: await subordinateIds("uid", uid), gid: await subordinateIds("gid", uid) };
  const programs = { uid: findProgram("newuidmap"), gid: findProgram("newgidmap") };
  const lack = lackOf(ranges, programs, uid);
  if (lack !== undefined) {
    warn(
      `${lack} (until then all files of your containers are yours, and programs in them cannot change their user)`,
    );
    return mapAlone(pid, uid, gid);
  }
  await mapBy(programs.uid!, "uid", pid, uid, ranges.uid);
  await mapBy(programs.gid!, "gid", pid, gid, ranges.gid);
}

function lackOf(
  ranges: Record<SubordinateKind, IdSpan[]>,
  programs: Record<SubordinateKind, string | undefined>,
  uid: number,
): string | undefined {
  if (programs.uid === undefined || programs.gid === undefined)
    return "there is no newuidmap here, which lends you more ids than your own: install uidmap (shadow-utils)";
  for (const kind of ["uid", "gid"] as const) {
    if (ranges[kind].length > 0) continue;
    return `you have no subordinate ids in ${subordinateFile(kind)}: ${addIdsCommand(uid)}`;
  }
  return undefined;
}

async function mapBy(
  program: string,
  kind: SubordinateKind,
  pid: number,
  own: number,
  ranges: readonly IdSpan[],
): Promise<void> {
  const words = ["0", String(own), "1"];
  let inside = 1;
  for (const { first, size } of ranges.slice(0, rangesMax)) {
    const left = Math.min(size, 2 ** 32 - 1 - inside);
    if (left <= 0) break;
    words.push(String(inside), String(first), String(left));
    inside += left;
  }
  const { status, stderr } = await programOutput([program, String(pid), ...words]);
  if (status === 0) return;
  const said = stderr.trim().split("\n", 1)[0] || `status ${status}`;
  throw new RtError(
    "forbidden",
    `${program} does not lend you the ids of ${subordinateFile(kind)}: ${said}: rt system check says what is amiss`,
  );
}

function mapAlone(pid: number, uid: number, gid: number): void {
  try {
    writeFileSync(`/proc/${pid}/setgroups`, "deny");
    writeFileSync(`/proc/${pid}/uid_map`, `0 ${uid} 1\n`);
    writeFileSync(`/proc/${pid}/gid_map`, `0 ${gid} 1\n`);
  } catch (error) {
    throw namespaceRefusal(asSystemError(error)?.code ?? "EPERM");
  }
}
