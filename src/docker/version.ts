/** The version of Docker's Engine API whose documents these are. */
const apiVersion = "1.51";
const apiVersionLeast = "1.24";

/** `docker version`'s Client: see `versionAnswer` for its Server. */
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

/** GET /version. */
export interface VersionAnswer extends Version {
  Platform: { Name: string };
  Components: { Name: string; Version: string; Details: Record<string, string> }[];
  MinAPIVersion: string;
  GoVersion: string;
}

/** As Docker's clients read it, with an engine of one part. */
export function versionAnswer(version: Version): VersionAnswer {
  const { Version, ApiVersion, GitCommit, BuildTime, Os, Arch, KernelVersion } = version;
  // Clients print it; there is nothing of Go in here.
  const GoVersion = "";
  const details = { ApiVersion, Arch, BuildTime, Experimental: "false", GitCommit, GoVersion, KernelVersion };
  return {
    Platform: { Name: "rt" },
    Components: [{ Name: "Engine", Version, Details: { ...details, MinAPIVersion: apiVersionLeast, Os } }],
    ...version,
    ...{ MinAPIVersion: apiVersionLeast, GoVersion },
  };
}
