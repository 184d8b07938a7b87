import { posix } from "node:path";
import { callerPath } from "../../base/working-directory.ts";
import type { MountRequest } from "../../settings/container-settings.ts";
import { parseTmpfs } from "../../settings/tmpfs.ts";
import { parseVolume, rejectTwice } from "../../settings/volume.ts";
import { parseMount } from "./mount.ts";

/** All that `-v`, `--mount` and `--tmpfs` ask for. @throws RtError invalid-argument: two of them at one place */
export function parseMounts(
  volumes: readonly string[],
  mounts: readonly string[],
  tmpfs: readonly string[],
): MountRequest[] {
  const binds = volumes.map((text) => parseVolume(text, "--volume", ofCaller));
  const requests = [...binds, ...mounts.map(parseMount), ...tmpfs.map(parseTmpfs)];
  rejectTwice(requests);
  return requests;
}

function ofCaller(path: string, what: string): string {
  return posix.resolve(callerPath(path, `${what}:`));
}
