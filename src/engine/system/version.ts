import { arch, release } from "node:os";
import { buildTime, commit, version as rtVersion, zigVersion } from "../../base/build-info.ts";

/** The version of Docker's Engine API whose shapes `inspect` and `--format` follow. */
const apiVersion = "1.48";

/** As `docker version`'s Client. */
export interface VersionFacts {
  Version: string;
  ApiVersion: string;
  GitCommit: string;
  BuildTime: string;
  BunVersion: string;
  ZigVersion: string;
  Os: string;
  Arch: string;
  KernelVersion: string;
}

export function version(): VersionFacts {
  return {
    Version: rtVersion,
    ApiVersion: apiVersion,
    GitCommit: commit,
    BuildTime: buildTime,
    BunVersion: Bun.version,
    ZigVersion: zigVersion,
    Os: "linux",
    Arch: arch() === "x64" ? "amd64" : arch(),
    KernelVersion: release(),
  };
}
