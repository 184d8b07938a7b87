/** GET /exec/ID/json. */
export interface ExecInspect {
  ID: string;
  ContainerID: string;
  Running: boolean;
  /** Null while it runs. */
  ExitCode: number | null;
  Pid: number;
  CanRemove: boolean;
  /** Base64 in Docker's document; rt's detach keys are its caller's. */
  DetachKeys: string;
  OpenStdin: boolean;
  OpenStdout: boolean;
  OpenStderr: boolean;
  ProcessConfig: {
    entrypoint: string;
    arguments: string[];
    privileged: boolean;
    tty: boolean;
    user?: string;
  };
}

export interface ExecFacts {
  id: string;
  container: string;
  /** Undefined while it runs. */
  exitCode: number | undefined;
  pid: number;
  words: readonly string[];
  user: string;
  tty: boolean;
  openStdin: boolean;
  privileged: boolean;
}

export function execInspect(facts: ExecFacts): ExecInspect {
  const { words, user, privileged, tty } = facts;
  return {
    ID: facts.id,
    Running: facts.exitCode === undefined,
    ExitCode: facts.exitCode ?? null,
    ProcessConfig: {
      tty,
      entrypoint: words[0] ?? "",
      arguments: words.slice(1),
      privileged,
      ...(user !== "" && { user }),
    },
    OpenStdin: facts.openStdin,
    OpenStderr: true,
    OpenStdout: true,
    CanRemove: false,
    ContainerID: facts.container,
    DetachKeys: "",
    Pid: facts.pid,
  };
}
