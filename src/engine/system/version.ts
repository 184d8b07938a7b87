import { arch, release } from "node:os";
import { buildTime, commit, version as rtVersion, zigVersion } from "../../base/build-info.ts";
import { type Version, versionDocument } from "../../docker/version.ts";

export function version(): Version {
  return versionDocument({
    version: rtVersion,
    commit,
    buildTime,
    bun: Bun.version,
    zig: zigVersion,
    machine: arch(),
    kernel: release(),
  });
}
