import { statSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { buildTime, commit, version } from "../../base/build-info.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { SpecSeccomp } from "../../oci/runtime-spec.ts";
import type { FilterRequest } from "../../runtime/native/request.ts";
import type { Host } from "../host.ts";

/**
 * The filter of system calls of a program with these capabilities ("CAP_CHOWN"): compiled at most once a boot, then a file below
 * --state, which stays. A monitor has its path as long as the container lives.
 */
export function filterFor(
  host: Host,
  record: ContainerRecord,
  capabilities: readonly string[],
): FilterRequest {
  if (!isFiltered(record)) return { path: "", asked: false };
  const { seccomp = "builtin" } = record;
  const path = join(host.paths.state, "seccomp", keyOf(seccomp, capabilities));
  if (!statSync(path, { throwIfNoEntry: false })) {
    const { profileInForce } = require("./profile.ts") as typeof import("./profile.ts");
    const { writeFilter } =
      require("../../runtime/seccomp-filter.ts") as typeof import("../../runtime/seccomp-filter.ts");
    writeFilter(path, profileInForce(record, capabilities));
  }
  return { path, asked: record.seccomp !== undefined };
}

/** A privileged container is filtered where somebody said how. */
export function isFiltered({
  seccomp,
  privileged,
}: Pick<ContainerRecord, "seccomp" | "privileged">): boolean {
  return seccomp === undefined ? !privileged : seccomp !== "unconfined";
}

/** It is neither ours nor none. */
export function hasOwnProfile({ seccomp = "builtin" }: Pick<ContainerRecord, "seccomp">): boolean {
  return seccomp !== "builtin" && seccomp !== "unconfined";
}

/** All that a filter is made of. Another build may know more calls, or have another profile. */
function keyOf(seccomp: string, capabilities: readonly string[]): string {
  const words = [version, commit, buildTime, process.arch, release(), capabilities.join(), seccomp];
  return new Bun.CryptoHasher("sha256").update(words.join("\n")).digest("hex");
}

/** Of one that has its own: what another runtime would need to filter as we do. */
export function ownProfile(
  record: ContainerRecord,
  capabilities: readonly string[],
): SpecSeccomp | undefined {
  if (!hasOwnProfile(record)) return undefined;
  const { profileInForce } = require("./profile.ts") as typeof import("./profile.ts");
  return profileInForce(record, capabilities);
}
