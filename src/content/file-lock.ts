import { closeSync, constants, fstatSync, lstatSync, openSync, unlinkSync } from "node:fs";
import { cancellation } from "../base/abort.ts";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { flock } from "../native/system.ts";

export interface LockOptions {
  mode?: "shared" | "exclusive";
  signal?: AbortSignal;
  /** Called once when the wait for another process has taken longer than a second: the place to say so. */
  onWait?: () => void;
}

/** Not in Node's constants; the same on x86-64 and arm64. A lock must not live on in a child. */
const O_CLOEXEC = 0o2000000;
const pollFirst_ms = 2;
const pollLast_ms = 50;
const quiet_ms = 1000;

/**
 * flock(2) on a file that is made for it and may be removed by whoever holds it. The kernel drops the lock with its
 * process, however that ends, so there are no stale locks.
 *
 * As the file can be unlinked or renamed by the holder that we waited for, a lock counts only if the path still leads to
 * the file that we locked; otherwise we begin again with the new one. A symbolic link is never followed: where others may write,
 * one of theirs would have us make, or write to, whatever it leads to.
 */
export class FileLock implements Disposable {
  readonly path: string;
  readonly fd: number;
  #open = true;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
  }

  /** The lock, or undefined when another holds it. @throws RtError when the file cannot be made */
  static try(path: string, mode: "shared" | "exclusive" = "exclusive"): FileLock | undefined {
    for (;;) {
      const fd = open(path);
      try {
        if (!flock(fd, mode, false)) {
          closeSync(fd);
          return undefined;
        }
        if (leadsTo(path, fd)) return new FileLock(path, fd);
      } catch (error) {
        closeSync(fd);
        throw withCause(`cannot lock ${path}`, error);
      }
      closeSync(fd);
    }
  }

  /** Waits for ever, without blocking the event loop. @throws RtError cancelled */
  static async acquire(path: string, options: LockOptions = {}): Promise<FileLock> {
    const start = performance.now();
    let told = false;
    for (let delay = pollFirst_ms; ; delay = Math.min(delay * 1.5, pollLast_ms)) {
      if (options.signal?.aborted) throw cancellation(options.signal);
      const lock = FileLock.try(path, options.mode);
      if (lock) return lock;
      if (!told && performance.now() - start > quiet_ms) {
        told = true;
        options.onWait?.();
      }
      await Bun.sleep(delay);
    }
  }

  /** Let others in, but keep the file open for reading. */
  unlock(): void {
    if (this.#open) flock(this.fd, "unlock", false);
  }

  /** While we hold it: those who wait see that the path leads elsewhere, and begin again. */
  unlink(): void {
    try {
      unlinkSync(this.path);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw withCause(`cannot remove ${this.path}`, error);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function open(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | O_CLOEXEC, 0o600);
  } catch (error) {
    if (isErrno(error, "ELOOP"))
      throw new RtError("data-loss", `${path} is a symbolic link: refused`, { cause: error });
    throw withCause(`cannot open ${path}`, error);
  }
}

function leadsTo(path: string, fd: number): boolean {
  const named = lstatSync(path, { throwIfNoEntry: false });
  const opened = fstatSync(fd);
  return named !== undefined && named.ino === opened.ino && named.dev === opened.dev;
}

/** Holds the exclusive lock of an open file until that is closed, by whatever end. False: another has it. */
export function holdLock(fd: number): boolean {
  return flock(fd, "exclusive", false);
}

/** Does somebody hold the exclusive lock of this file? False when there is no such file. Makes and changes nothing. */
export function isHeld(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | O_CLOEXEC);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return false;
    throw withCause(`cannot open ${path}`, error);
  }
  try {
    return !flock(fd, "shared", false);
  } finally {
    closeSync(fd);
  }
}
