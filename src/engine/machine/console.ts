import { constants, fstatSync, openSync, type Stats, writeSync } from "node:fs";
import { isErrno } from "../../base/errors.ts";

/**
 * Where the session of `rt init` writes: a console that nobody reads, or that somebody has stopped with ctrl-s, must not keep
 * it from what else it has to do. So it waits for none: what is not taken at once is kept, up to a limit, and tried again.
 */
export class ConsoleOutput implements Disposable {
  readonly #fd: number;
  #waiting: Buffer = Buffer.alloc(0);
  #room: PromiseWithResolvers<void> | undefined;
  #pause_ms = pauseFirst_ms;
  #timer: Timer | undefined;
  #closing = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** All of `bytes`, sooner or later. A promise when enough is waiting: it resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    // Who writes much waits for room; on the way down nobody can be asked to, and what is too much is lost.
    const most = this.#closing ? waitingEnough : waitingMax;
    if (this.#waiting.length < most) this.#waiting = Buffer.concat([this.#waiting, bytes]);
    if (this.#timer === undefined) this.#flush();
    if (this.#waiting.length < waitingEnough || this.#closing) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** From now on nobody waits for room, and of what waits no more is kept than a slow console takes in a second. */
  hurry(): void {
    this.#closing = true;
    const old = this.#waiting.length - waitingEnough;
    // From the end of a line on: the one that is half out comes to its end by that.
    if (old > 0) this.#waiting = this.#waiting.subarray(Math.max(0, this.#waiting.indexOf("\n", old)));
    this.#makeRoom();
  }

  /** Until all is written; as long as the console goes on taking something, and for a moment when it does not. */
  async drain(): Promise<void> {
    this.hurry();
    const end = performance.now() + drainedWithin_ms;
    for (let last = Infinity; this.#waiting.length > 0 && performance.now() < end; ) {
      if (this.#waiting.length === last) return;
      last = this.#waiting.length;
      await Bun.sleep(stuckAfter_ms);
    }
  }

  /** What waits is lost: the descriptor is about to be closed. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#waiting = Buffer.alloc(0);
    this.#makeRoom();
  }

  #flush(): void {
    this.#timer = undefined;
    const before = this.#waiting.length;
    try {
      while (this.#waiting.length > 0) {
        this.#waiting = this.#waiting.subarray(writeSync(this.#fd, this.#waiting));
      }
    } catch (error) {
      // One that is gone takes nothing more, quietly.
      if (isErrno(error, "EPIPE") || isErrno(error, "EIO")) this.#waiting = Buffer.alloc(0);
      else if (!isErrno(error, "EAGAIN")) throw error;
    }
    if (this.#waiting.length < waitingEnough) this.#makeRoom();
    if (this.#waiting.length === 0) return;
    this.#pause_ms =
      this.#waiting.length < before ? pauseFirst_ms : Math.min(this.#pause_ms * 2, pauseLast_ms);
    this.#timer = setTimeout(() => this.#flush(), this.#pause_ms);
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

const [waitingEnough, waitingMax] = [12 * 1024, 16 * 1024 * 1024];
const [pauseFirst_ms, pauseLast_ms] = [2, 100];
const [drainedWithin_ms, stuckAfter_ms] = [1000, 200];

/** For stdout and stderr; the same twice when they lead to the same place, so that no line comes into another. */
export function consoleOutputs(
  outDescriptor: number,
  errorDescriptor: number,
): { stdout: ConsoleOutput; stderr: ConsoleOutput } {
  const [out, error] = [fstatSync(outDescriptor), fstatSync(errorDescriptor)];
  const stdout = new ConsoleOutput(withoutWaiting(outDescriptor, out));
  const same = out.dev === error.dev && out.ino === error.ino;
  return { stdout, stderr: same ? stdout : new ConsoleOutput(withoutWaiting(errorDescriptor, error)) };
}

/**
 * The same place, opened anew: what is non-blocking is the open file, which others have as well. A file never lets anybody
 * wait; a socket cannot be opened, and is used as it is.
 */
function withoutWaiting(fd: number, stats: Stats): number {
  if (!stats.isFIFO() && !stats.isCharacterDevice()) return fd;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}
