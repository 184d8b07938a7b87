import type { SpecSeccomp } from "../../oci/runtime-spec.ts";
import { unknownCalls } from "../../runtime/seccomp-filter.ts";
import type { SeccompProfile } from "../../settings/seccomp-profile.ts";
import { resolveCapabilities } from "../../spec/capabilities.ts";
import { rulesHere } from "../../spec/seccomp.ts";
import { isFiltered } from "../container/filter.ts";
import { find } from "../container/find.ts";
import { machineOfFilters, profileInForce, profileNamed } from "../container/profile.ts";
import { usualFilter } from "../container/usual-filter.ts";
import type { Host } from "../host.ts";

/** Which system calls are let through. */
export interface FilterFacts {
  /** "builtin", "unconfined", or "profile": one of its own. */
  source: string;
  /** As a file that `--security-opt seccomp=FILE` takes. Of a container it has no conditions any more. */
  profile: SeccompProfile;
  /** The same without what does not hold on this machine, whatever the container: what is left asks for capabilities. */
  here: SeccompProfile;
  /** Names in `here` that no system call has; of ours none is shown. */
  unknown: readonly string[];
}

/** Of a container, or of a new one that asks for nothing. @throws RtError not-found */
export async function filterFacts(host: Host, container: string | undefined): Promise<FilterFacts> {
  if (container === undefined) {
    const { seccompProfile } = await host.config();
    const seccomp = seccompProfile === undefined ? "builtin" : usualFilter(seccompProfile);
    return seccomp === "unconfined" ? unconfined : facts(seccomp, profileNamed(seccomp));
  }
  const { record } = (await find(host, container)).container;
  if (!isFiltered(record)) return unconfined;
  const { capAdd, capDrop, privileged, seccomp = "builtin" } = record;
  return facts(seccomp, profileInForce(record, resolveCapabilities(capAdd, capDrop, privileged)));
}

function facts(seccomp: string, profile: SeccompProfile | SpecSeccomp): FilterFacts {
  const source = seccomp === "builtin" ? seccomp : "profile";
  const here = rulesHere(profile, machineOfFilters());
  if (source === "builtin") return { source, profile, here, unknown: [] };
  const names = here.syscalls.flatMap((rule) => rule.names);
  return { source, profile, here, unknown: unknownCalls(names, here.architectures ?? []) };
}

const open = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] };
const unconfined: FilterFacts = { source: "unconfined", profile: open, here: open, unknown: [] };
