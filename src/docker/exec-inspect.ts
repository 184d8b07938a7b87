/** GET /exec/ID/json. */
export interface ExecInspect {
  ID: string;
  ContainerID: string;
  Running: boolean;
  /** Null while it runs, and before. */
  ExitCode: number | null;
  Pid: number;
  CanRemove: boolean;
  /** Base64. */
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
  /** Undefined, as that it runs: it is not started yet. */
  exitCode?: number | undefined;
  isRunning?: boolean;
  pid: number;
  words: readonly string[];
  user: string;
  tty: boolean;
  openStdin: boolean;
  openStdout: boolean;
  openStderr: boolean;
  /** Base64. */
  detachKeys: string;
  privileged: boolean;
}

export function execInspect(facts: ExecFacts): ExecInspect {
  const { words, user, privileged, tty } = facts;
  return {
    ID: facts.id,
    Running: facts.isRunning ?? false,
    ExitCode: facts.exitCode ?? null,
    ProcessConfig: {
      tty,
      entrypoint: words[0] ?? "",
      arguments: words.slice(1),
      privileged,
      ...(user !== "" && { user }),
    },
    OpenStdin: facts.openStdin,
    OpenStderr: facts.openStderr,
    OpenStdout: facts.openStdout,
    CanRemove: false,
    ContainerID: facts.container,
    DetachKeys: facts.detachKeys,
    Pid: facts.pid,
  };
}
