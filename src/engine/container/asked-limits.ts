import type { SpecResources } from "../../oci/runtime-spec.ts";
import { passControllersOn } from "../../runtime/delegation.ts";
import { versionOf } from "../../runtime/hierarchies.ts";
import { limitFiles } from "../../runtime/limit-files.ts";
import type { CgroupRequest } from "../../runtime/native/request.ts";
import type { Resources } from "../../settings/resources.ts";

/** The limits of a container that has some: as the stage writes them into `group`, which may not be there yet. */
export function askedLimits(
  group: string,
  limits: SpecResources,
  { pidsLimit, cpuRealtimeRuntime }: Resources,
): Pick<CgroupRequest, "files" | "above"> {
  const files = limitFiles(limits, versionOf).map((file) => ({
    ...file,
    required: isRequired(file.name, pidsLimit),
  }));
  passControllersOn(
    group,
    files.filter(({ required }) => required).map(({ controller }) => controller),
  );
  return { files, above: cpuRealtimeRuntime === undefined ? [] : realtimeAbove };
}

/** Nobody has asked for the usual number of processes, none is what there is without a limit, and not every kernel counts what of huge pages is only promised. */
function isRequired(name: string, pidsLimit: number | undefined): boolean {
  if (name === "pids.max") return pidsLimit !== undefined && pidsLimit > 0;
  return !name.includes(".rsvd.");
}

/** A group has no time for real-time threads unless the one above has it: there it is what the kernel gives to all. */
const realtimeAbove = [{ controller: "cpu", name: "cpu.rt_runtime_us", value: "950000", unset: "0" }];
