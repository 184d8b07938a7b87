import { release } from "node:os";
import type { ContainerRecord } from "../../container/record.ts";
import { hostPlatform } from "../../oci/platform.ts";
import type { SpecSeccomp } from "../../oci/runtime-spec.ts";
import { parseSeccompProfile, type SeccompProfile } from "../../settings/seccomp-profile.ts";
import { resolveSeccomp } from "../../spec/seccomp.ts";
import { defaultSeccomp } from "../../spec/seccomp-default.ts";

/**
 * The profiles that filters are made of: loaded where one is to be made or shown, as most starts find theirs made.
 *
 * @param seccomp as in a record, and not "unconfined"
 * @throws RtError for one that this rt cannot read
 */
export function profileNamed(seccomp: ContainerRecord["seccomp"]): SeccompProfile {
  if (seccomp === undefined || seccomp === "builtin") return defaultSeccomp;
  return parseSeccompProfile(seccomp, "seccomp profile");
}

/** What it says for a program with these capabilities ("CAP_CHOWN"), here and now. */
export function profileInForce(
  { seccomp }: Pick<ContainerRecord, "seccomp">,
  capabilities: readonly string[],
): SpecSeccomp {
  return resolveSeccomp(profileNamed(seccomp), { capabilities, ...machineOfFilters() });
}

/** What conditions of profiles ask of the machine. */
export function machineOfFilters(): { architecture: string; kernel: string } {
  return { architecture: hostPlatform().architecture, kernel: release() };
}
