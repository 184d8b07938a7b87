import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ContainerRecord } from "../../container/record.ts";
import type { SpecResources } from "../../oci/runtime-spec.ts";
import { groupOfContainers } from "../../runtime/cgroup.ts";
import { groupPlace } from "../../runtime/group-place.ts";
import type { CgroupRequest } from "../../runtime/native/request.ts";
import { isUnlimited } from "../../settings/resources.ts";

const processesMax = 4096;

/**
 * How many processes and threads a container may have that says nothing of them, and all together: an eighth of what this
 * kernel has numbers and memory for stays free, so that rt can always be started, and none has more than half of the rest.
 */
export function processLimits(): { each: number; all: number } {
  const [numbers, threads] = ["pid_max", "threads-max"].map((name) =>
    Number(readFileSync(`/proc/sys/kernel/${name}`, "latin1")),
  );
  const all = Math.floor((Math.min(numbers!, threads!) * 7) / 8);
  return { each: Math.min(processesMax, Math.floor(all / 2)), all };
}

/** A container's control group with its limits. What was asked for must hold; what is only usual holds where it can. */
export function cgroupRequest(
  { resources }: ContainerRecord,
  path: string,
  limits: SpecResources,
  { each, all }: { each: number; all: number },
): CgroupRequest {
  const pids = { controller: "pids", name: "pids.max" };
  // A parent that somebody names is his, and has his limits; so are systemd's.
  const place = groupPlace();
  const delegated = place.kind === "delegated";
  const isOurs = dirname(path) === groupOfContainers;
  const above = isOurs ? [{ ...pids, value: String(all), unset: "max" }] : [];
  const usual = { ...pids, value: String(each), flag: "--pids-limit", instead: null, required: false };
  if (isUnlimited(resources)) return { path, delegated, files: [usual], above };
  const { askedLimits } = require("./asked-limits.ts") as typeof import("./asked-limits.ts");
  const asked = askedLimits(path, limits, resources);
  return { path, delegated, files: asked.files, above: isOurs ? [...above, ...asked.above] : [] };
}
