import { readFileSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { isMountRoot, unmount } from "../native/system.ts";

/** More than anybody puts one over the other. */
const layersMax = 64;

/** In our own mount namespace. False where there is nothing. */
export function isMountPoint(path: string): boolean {
  return isMountRoot(path);
}

/** All that is mounted at `path`, at once: who has it open keeps it. Nothing there is fine. @throws RtError */
export function unmountAll(path: string): void {
  for (let layer = 0; layer < layersMax && isMountRoot(path); layer++) unmount(path);
}

/** The mount that `path` lies on, and whether mounts of others come to it (`slave`), and its own go to them (`shared`). */
export function mountAround(path: string): { point: string; shared: boolean; slave: boolean } | undefined {
  let place = realpathSync(path);
  while (!isMountRoot(place) && place !== "/") place = dirname(place);
  // proc_pid_mountinfo(5): id, parent, device, root, point, options, optional fields, "-". The last one lies on top.
  const lines = readFileSync("/proc/self/mountinfo", "latin1").split("\n").reverse();
  const found = lines.map((line) => line.split(" ")).find((fields) => unescaped(fields[4] ?? "") === place);
  const optional = found?.slice(6, found.indexOf("-")) ?? [];
  const has = (kind: string) => optional.some((field) => field.startsWith(`${kind}:`));
  return found && { point: place, shared: has("shared"), slave: has("master") };
}

/** Space, tab, line end and backslash stand there as \\ooo; bytes are what they are. */
function unescaped(point: string): string {
  const bytes = point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
  return Buffer.from(bytes, "latin1").toString();
}
