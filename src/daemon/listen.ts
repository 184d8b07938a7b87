import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  type Stats,
} from "node:fs";
import { dirname } from "node:path";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import type { Duplex } from "../http/duplex.ts";
import { connectDuplex, duplexHandlers, duplexOf } from "../http/socket.ts";
import { heldLock } from "./descriptors.ts";

export interface Listener {
  /** As clients name it: "unix:///run/rt/rt.sock". */
  address: string;
  /** No more connections; those that are there go on. */
  stop(): void;
}

/** Takes a connection, and does not wait for its end. */
export type Accept = (wire: Duplex) => void;

export interface UnixOptions {
  /** Whose members may use it besides the owner; unless given, those of the owner's group. */
  group?: number | undefined;
}

/** sun_path, with its NUL: unix(7). */
const pathBytesMax = 107;

/**
 * A socket in the file system, which only its owner and group may use. A dead one in its place is replaced.
 *
 * One at a time looks whether there is a dead one, removes it and makes his own. It is made with its last mode and the owner's
 * group: until its own group has it, nobody can connect who may not.
 * @throws RtError conflict: somebody answers there
 */
export async function listenUnix(
  path: string,
  accept: Accept,
  { group }: UnixOptions = {},
): Promise<Listener> {
  if (Buffer.byteLength(path) > pathBytesMax)
    throw new RtError(
      "invalid-argument",
      `cannot listen on unix://${path}: longer than ${pathBytesMax} bytes`,
    );
  try {
    const isOurs = mkdirSync(dirname(path), { recursive: true, mode: 0o700 }) !== undefined;
    using _lock = await heldLock(`${path}.lock`);
    await removeDead(path);
    const listener = bound(path, accept);
    const { ino, dev } = lstatSync(path);
    if (group !== undefined) openTo(path, group, isOurs);
    return {
      address: `unix://${path}`,
      stop() {
        listener.stop();
        const there = statOf(path);
        if (there?.ino === ino && there.dev === dev) rmSync(path, { force: true });
      },
    };
  } catch (error) {
    throw withCause(`cannot listen on unix://${path}`, error);
  }
}

function bound(path: string, accept: Accept): { stop(): void } {
  const before = process.umask(0o117);
  try {
    return Bun.listen<Duplex>({
      unix: path,
      socket: {
        ...duplexHandlers,
        open: (socket: Parameters<typeof duplexOf>[0]) => accept(duplexOf(socket)),
      },
      allowHalfOpen: true,
    } as Parameters<typeof Bun.listen<Duplex>>[0]);
  } finally {
    process.umask(before);
  }
}

/**
 * A directory that is ours alone lets the group through, too: it cannot list what is in it, and what is in it is closed to it. In one
 * that others write to, too, there may be a link by now in the place of either.
 */
function openTo(path: string, group: number, isNew: boolean): void {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const directory = openSync(dirname(path), isNew ? flags : flags & ~constants.O_NOFOLLOW);
  try {
    const { mode, uid } = fstatSync(directory);
    if ((mode & 0o077) === 0 && uid === process.geteuid?.()) {
      fchownSync(directory, -1, group);
      fchmodSync(directory, 0o710);
    }
  } finally {
    closeSync(directory);
  }
  lchownSync(path, -1, group);
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

async function removeDead(path: string): Promise<void> {
  const there = statOf(path);
  if (!there) return;
  if (!there.isSocket())
    throw new RtError(
      "conflict",
      "there is something else, which is no socket: remove it, or choose another path",
    );
  if (await answers(path))
    throw new RtError("conflict", "somebody listens there already: stop him, or choose another path");
  rmSync(path, { force: true });
}

async function answers(path: string): Promise<boolean> {
  try {
    const wire = await connectDuplex({ unix: path });
    wire.destroy();
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    return !isErrno(error, "ECONNREFUSED") || isListening(path);
  }
}

/** Bun says the same of one whose queue is full as of one that nobody has. proc_net(5): __SO_ACCEPTCON */
function isListening(path: string): boolean {
  const lines = readFileSync("/proc/net/unix", "latin1").split("\n");
  const name = Buffer.from(path).toString("latin1");
  return lines.some((line) => line.endsWith(` ${name}`) && line.split(/\s+/)[3] === "00010000");
}
