import { arch, release } from "node:os";

/**
 * Facts of the build. build.ts replaces the `RT_…` names by string literals (`define`); run from source they are absent,
 * and typeof of an undeclared name is the one use of it that does not throw.
 */
declare const RT_VERSION: string | undefined;
declare const RT_COMMIT: string | undefined;
declare const RT_BUILD_TIME: string | undefined;
declare const RT_ZIG_VERSION: string | undefined;

export const version: string = typeof RT_VERSION === "string" ? RT_VERSION : "0.1.0";
/** This is the executable that build.ts makes, and no interpreter that runs its sources. */
export const isBuilt: boolean = typeof RT_VERSION === "string";
/** Short git commit, "dev" when run from source. */
export const commit: string = typeof RT_COMMIT === "string" ? RT_COMMIT : "dev";
/** RFC 3339, or "" when run from source. */
export const buildTime: string = typeof RT_BUILD_TIME === "string" ? RT_BUILD_TIME : "";
export const zigVersion: string = typeof RT_ZIG_VERSION === "string" ? RT_ZIG_VERSION : "0.16.0";

/** What this process is, for `versionDocument`. */
export function processFacts() {
  return {
    ...{ version, commit, buildTime },
    bun: Bun.version,
    zig: zigVersion,
    /** As Node.js has it: "x64". */
    machine: arch(),
    kernel: release(),
  };
}
