/** What `rt exec` was asked for. See run-options.ts for the fields that it shares. */
export interface ExecOptions {
  container: string;
  command: string[];
  interactive: boolean;
  tty: boolean;
  detach: boolean;
  /** "KEY=VALUE" over the container's own; a bare "KEY" removes it. */
  env: string[];
  workingDirectory: string | undefined;
  user: string | undefined;
  privileged: boolean;
}
