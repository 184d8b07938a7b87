import { invalid } from "../../base/invalid.ts";
import type { MountRequest } from "../../settings/container-settings.ts";
import { parseTmpfs } from "../../settings/tmpfs.ts";
import { parseVolume } from "../../settings/volume.ts";
import { parseMount } from "./mount.ts";

/** All that `-v`, `--mount` and `--tmpfs` ask for. @throws RtError invalid-argument: two of them at one place */
export function parseMounts(
  volumes: readonly string[],
  mounts: readonly string[],
  tmpfs: readonly string[],
): MountRequest[] {
  const requests = [...volumes.map(parseVolume), ...mounts.map(parseMount), ...tmpfs.map(parseTmpfs)];
  const taken = new Set<string>();
  for (const { destination } of requests) {
    if (taken.has(destination)) throw invalid(`two mounts at ${JSON.stringify(destination)}: leave one out`);
    taken.add(destination);
  }
  return requests;
}
