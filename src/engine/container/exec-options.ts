import type { WindowSize } from "../session.ts";

/** What `rt exec` was asked for. See settings/container-settings.ts for the fields that it shares. */
export interface ExecOptions {
  container: string;
  command: string[];
  /** -i: stdin is ours. */
  openStdin: boolean;
  tty: boolean;
  detach: boolean;
  /** "KEY=VALUE" over the container's own; a bare "KEY" removes it. */
  env: string[];
  /** "" for the container's own, both. */
  workingDirectory: string;
  user: string;
  privileged: boolean;
  /** False: nobody is told of what it writes there; for documents alone, whoever is joined to it sees to it. */
  openStdout?: boolean;
  openStderr?: boolean;
  /** Base64; the caller's unless given. */
  detachKeys?: string;
  /** Of its terminal from the start, where the caller has none. */
  consoleSize?: WindowSize;
}

/** What `exec start` was asked for. */
export interface StartExecOptions {
  detach: boolean;
  /** It is about to begin, and the caller is to be joined to it. What fails before is not the program's fault. */
  onStarted?: () => void;
  /** Signals of the caller are the program's; so it is unless said otherwise. */
  sigProxy?: boolean;
}
