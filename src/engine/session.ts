import type { Descriptors, Streams } from "../runtime/stdio.ts";

export type { Descriptors, Streams, StreamWishes, Terminal, WindowSize } from "../runtime/stdio.ts";

/**
 * Who calls the engine, and what the engine has of it: made by a command out of its process, by a daemon out of a connection,
 * by `rt init` for each container. What is not in here the engine does not touch: no standard stream, no signal, no exit
 * status of this process.
 */
export interface Session {
  /** What a foreground program's input and output are joined to. */
  readonly stdio: Descriptors | Streams;
  /** The size that a program's new terminal has from the start; undefined when the caller has none. */
  terminalSize(): { rows: number; columns: number } | undefined;
  /** Typed in this order they leave a program with a terminal alone; none when empty. */
  readonly detachKeys: Uint8Array;
  /** One line that the caller should know, without "rt:" and line end. */
  warn(line: string): void;
  /**
   * Aborted when the caller wants no more of what it asked for: that is undone, and fails with the signal's reason. Looked at
   * only where there is something to wait for.
   */
  readonly abort: AbortSignal;
}
