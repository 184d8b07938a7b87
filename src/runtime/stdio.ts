/** What an attached program's input and output are joined to: this process's descriptors, or streams of whoever asks. */

/**
 * Descriptors of this process, for a caller that has nothing to do until the program ends: its thread waits in one native
 * call, which also looks after the terminal (raw mode, its size) and takes the signals.
 */
export interface Descriptors {
  readonly kind: "descriptors";
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
  /**
   * Calls `wait`, which blocks this thread and has its own signal handlers; the caller's are put aside meanwhile.
   * @throws the reason of the caller's abort, in place of calling it, when that has come
   */
  blocking<T>(wait: () => T): Promise<T>;
  /**
   * The same descriptors for a caller whose program is somewhere else, so that this thread has more to do than to wait. Once that
   * is disposed of the terminal is as it was, and signals are the caller's again.
   * @throws the reason of the caller's abort, when that has come, and signals are asked for
   */
  streams(wanted: StreamWishes): Promise<Streams & AsyncDisposable>;
}

export interface StreamWishes {
  /** What is typed comes as it is typed, and nobody else heeds it: where stdin is a terminal. */
  raw: boolean;
  stdin: boolean;
  /** The signals that this process gets, too: it does not heed them itself. */
  signals: boolean;
}

export interface Streams {
  readonly kind: "streams";
  /** What the program reads; its end is the program's end of file. Without it nothing is sent. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /**
   * Called with each piece, in order. While a promise that it answers is pending nothing more is read, and in the end the
   * program waits.
   */
  output(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void> | undefined;
  /** Its size is the program's terminal's. */
  readonly terminal?: Terminal;
  /** Numbers of signals that are handed on to the program. */
  readonly signals?: AsyncIterable<number>;
}

export interface WindowSize {
  rows: number;
  columns: number;
}

export interface Terminal {
  /** Undefined when it does not say. */
  size(): WindowSize | undefined;
  /** Answers once for each change. */
  readonly changes?: AsyncIterable<void>;
}
