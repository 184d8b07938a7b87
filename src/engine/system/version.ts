import { arch, release } from "node:os";
import { buildTime, commit, version, zigVersion } from "../../base/build-info.ts";
import { type Version, versionDocument } from "../../docker/version.ts";

export function engineVersion(): Version {
  return versionDocument({
    version: version,
    commit,
    buildTime,
    bun: Bun.version,
    zig: zigVersion,
    machine: arch(),
    kernel: release(),
  });
}
