import type { Descriptors, Streams, WindowSize } from "./stdio.ts";

/**
 * An exec driver starts a container's program, or another program in a running container, and joins callers to it.
 *
 *   const launched = launch(request, lock, warn)    // it is being built; there is time for other work
 *   const program = await launched.ready(abort)     // it is built, and waits
 *   await program.attach(streams, { start: true })  // the program is executed; the streams are its own until it ends
 *
 * Nothing here blocks but `attachForeground`, for a command that has nothing else to do.
 */
export interface Launched {
  /**
   * @param paused awaited where the request says that it pauses: it is built then but for the change of its root
   * @throws RtError when it cannot be built; what `paused` throws; the reason of `abort` when that comes first
   */
  ready(abort?: AbortSignal, paused?: Paused): Promise<Program>;
  /** Before the program's start: nothing of it runs any more when this resolves. */
  abandon(): Promise<void>;
  /** After the program's end: the monitor's own, which comes with it. Only a process that lives on needs to care. */
  ended(): Promise<void>;
}

/** @param init the container's process, in our pid namespace */
export type Paused = (init: { pid: number; startTime: bigint }) => Promise<void>;

export interface Program extends Disposable {
  /** In our pid namespace. */
  readonly pid: number;
  readonly startTime: bigint;
  /** Execute the program, and leave it to itself. @throws the reason of `abort`, and it is no more, when that comes first */
  start(abort?: AbortSignal): Promise<void>;
  attach(streams: Streams, options: AttachOptions): Promise<Outcome>;
  /** The same for this process's own descriptors, with this thread waiting in native code until the end. */
  attachForeground(descriptors: Descriptors, options: AttachOptions): Promise<Outcome>;
  /** Of its terminal; one that has none goes on as it is. */
  resize(size: WindowSize): Promise<void>;
}

export interface AttachOptions {
  /** Execute the program, once its caller's signals are looked after. */
  start: boolean;
  /** Send the caller's stdin. */
  stdin: boolean;
  /** The caller's terminal is raw meanwhile, and its size is handed on. */
  tty: boolean;
  /** Hand on the signals that the caller gets. */
  signals: boolean;
  /** Typed in this order, they leave the program alone; none when empty. */
  detachKeys: Uint8Array;
  /** Of streams: aborted, it leaves the program alone as those keys do. */
  leave?: AbortSignal;
}

export type Outcome =
  /** `writeError`: why the caller's stdout or stderr took no more, unless its reader just went. */
  | { ended: "exit"; status: number; writeError: string | undefined }
  | { ended: "lost" }
  | { ended: "detached" };
