import { posix } from "node:path";
import { invalid, quote, rejectControl } from "../base/invalid.ts";

/** `--cgroup-parent`: "" for ours. */

/** The monitor has room for 256 in all, with the container's id (zig-native/monitor.zig). */
const bytesMax = 180;

/** @returns absolute and clean @throws RtError invalid-argument */
export function parseCgroupParent(text: string, what: string): string {
  if (text === "") return "";
  rejectControl(what, text);
  const fail = (why: string) => invalid(`invalid ${what} ${quote(text)}: ${why}`);
  if (text.split("/").includes("..")) throw fail("it leads out of the hierarchy");
  const path = posix.normalize(`/${text}`).replace(/(?<=.)\/$/, "");
  if (/^\/rt\/[0-9a-f]{64}(\/|$)/.test(path)) throw fail("that is another container's own");
  if (!isGroupParent(path)) throw fail("want a cgroup's path, as /group/below");
  return path;
}

/** Of a file or a record: as `parseCgroupParent` makes it. */
export function isGroupParent(path: string): boolean {
  if (path === "/") return true;
  const isShort = Buffer.byteLength(path) <= bytesMax;
  const parts = path.split("/").slice(1);
  return isShort && path.startsWith("/") && parts.every((part) => isName(part));
}

function isName(part: string): boolean {
  return (
    part !== "" && part !== "." && part !== ".." && !part.includes("\0") && Buffer.byteLength(part) <= 255
  );
}

/** Below each hierarchy's root, without a slash in front. */
export function groupUnder(parent: string, id: string): string {
  return posix.join(parent, id).slice(1);
}

/** What systemd calls the cgroup of a container where it makes it. */
export function scopeName(id: string): string {
  return `rt-${id}.scope`;
}

/** Of a file: the path of that cgroup. */
export function isScopePath(path: string, id: string): boolean {
  const parts = path.split("/");
  return parts.length > 2 && parts.at(-1) === scopeName(id) && isGroupParent(parts.slice(0, -1).join("/"));
}

/** Where containers are that name no parent: docker's place, and podman's in a user's systemd. */
const usualSlice = "system.slice";
const usersSlice = "user.slice";

/**
 * The slice that `--cgroup-parent` names: "a-b.slice", which lies in "a.slice".
 * @param parent as `parseCgroupParent` makes it
 * @param isUsers it is the systemd of an ordinary user
 * @throws RtError invalid-argument: it is none
 */
export function sliceOf(parent: string, isUsers = false): string {
  if (parent === "") return isUsers ? usersSlice : usualSlice;
  const slice = posix.basename(parent);
  const isSlice = slice.length <= 100 && /^[A-Za-z0-9:_.\\]+(-[A-Za-z0-9:_.\\]+)*\.slice$/.test(slice);
  if (isSlice && (parent === `/${slice}` || parent === `/${slicePath(slice)}`)) return slice;
  throw invalid(
    `invalid --cgroup-parent ${quote(parent)}: with systemd as cgroup-manager it is a slice, as workers-web.slice`,
  );
}

/** "a.slice/a-b.slice", systemd.slice(5) */
export function slicePath(slice: string): string {
  const words = slice.slice(0, -".slice".length).split("-");
  return words.map((_, index) => `${words.slice(0, index + 1).join("-")}.slice`).join("/");
}
