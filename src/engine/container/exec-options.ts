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
}
