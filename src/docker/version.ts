/** The version of Docker's Engine API whose documents these are. */
const apiVersion = "1.48";

/** `docker version`'s Client, and the part of GET /version that is true of rt. */
export interface Version {
  Version: string;
  ApiVersion: string;
  GitCommit: string;
  BuildTime: string;
  /** Ours, both. */
  BunVersion: string;
  ZigVersion: string;
  Os: string;
  Arch: string;
  KernelVersion: string;
}

export interface VersionFacts {
  version: string;
  commit: string;
  buildTime: string;
  bun: string;
  zig: string;
  /** As Node.js has it: "x64". */
  machine: string;
  kernel: string;
}

export function versionDocument(facts: VersionFacts): Version {
  return {
    Version: facts.version,
    ApiVersion: apiVersion,
    GitCommit: facts.commit,
    BuildTime: facts.buildTime,
    BunVersion: facts.bun,
    ZigVersion: facts.zig,
    Os: "linux",
    Arch: facts.machine === "x64" ? "amd64" : facts.machine,
    KernelVersion: facts.kernel,
  };
}
