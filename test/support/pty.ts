/**
 * A program under a real pseudo-terminal: its controlling terminal, with a size, keys, and a screen to read.
 *
 *   await using terminal = openPty(["rt", "run", "-it", …], { rows: 24, columns: 80, env });
 *   await terminal.screen.waitFor("$ ");
 *   terminal.type("exit 3\r");
 *   expect(await terminal.exited).toBe(3);
 */
import { Transcript } from "./wait.ts";

export interface PtyOptions {
  rows?: number;
  columns?: number;
  env?: Record<string, string>;
  cwd?: string;
}

/** termios flags; equal before and after a program that left the terminal as it found it. */
export interface TerminalFlags {
  input: number;
  output: number;
  local: number;
  control: number;
}

export interface Pty extends AsyncDisposable {
  readonly pid: number;
  /** All that was written to the terminal, as UTF-8, control sequences and all. */
  readonly screen: Transcript;
  /** Exit status; 128+n where signal n ended it. */
  readonly exited: Promise<number>;
  type(keys: string | Uint8Array): void;
  resize(rows: number, columns: number): void;
  flags(): TerminalFlags;
  kill(signal?: NodeJS.Signals): void;
}

export function openPty(command: string[], options: PtyOptions = {}): Pty {
  const screen = new Transcript();
  const settings = {
    rows: options.rows ?? 24,
    cols: options.columns ?? 80,
    data: (_terminal: Bun.Terminal, bytes: Uint8Array) => screen.add(bytes),
    exit: () => screen.end(),
  };
  const child = Bun.spawn(command, {
    terminal: settings,
    ...(options.env && { env: options.env }),
    ...(options.cwd && { cwd: options.cwd }),
  });
  const terminal = child.terminal!;
  return {
    pid: child.pid,
    screen,
    exited: child.exited,
    type: (keys) => void terminal.write(keys instanceof Uint8Array ? new Uint8Array(keys) : keys),
    resize: (rows, columns) => terminal.resize(columns, rows),
    flags: () => ({
      input: terminal.inputFlags,
      output: terminal.outputFlags,
      local: terminal.localFlags,
      control: terminal.controlFlags,
    }),
    kill: (signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      terminal.close();
    },
  };
}
