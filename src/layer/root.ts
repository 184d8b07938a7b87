import { RtError } from "../base/errors.ts";
import type { IdMap } from "../base/id-map.ts";
import { closeDescriptor, socketPair } from "../native/system.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import {
  endingOf,
  type HelperAnswer,
  type HelperArguments,
  helperCommand,
  nowhere,
  ownerArguments,
  readAnswer,
} from "./helper.ts";
import { HelperPipe } from "./pipe.ts";

/**
 * Trees that live: a container's root, whether it runs or not, and directories of the host; as archives out of them and into
 * them, by rt-layer, which is confined to the tree first. Rules and protocol: zig-native/layer/{root,send,receive,changes}.zig.
 */
export type LiveRoot = RunningRoot | StillRoot;

/** As a running process sees it; of what is mounted in it only `mounts` belong to the tree. */
export interface RunningRoot {
  pid: number;
  /** Its start time, which tells it from a later process of this number. */
  startTime: string;
  mounts: readonly string[];
  /** It has a user namespace with these maps: whoever reads and writes in it has its numbers and its rights. */
  owners?: IdMap | undefined;
}

/** A directory, or layers of overlay, topmost first; with an upper directory it can be written to. */
export interface StillRoot {
  tree?: string;
  lower?: readonly string[];
  /** A layer above those. */
  own?: string;
  upper?: { directory: string; work: string };
  /** With that: a file that is locked from the moment on at which the container is to have its upper directory for itself. */
  attended?: string;
  /** What is mounted in it when it runs; parents before what is in them. */
  volumes?: readonly StillVolume[];
  /** Of a container with a user namespace: as of a running one. */
  owners?: IdMap | undefined;
  /** With that: what `lower` has belongs to the container's numbers. All else belongs to the host's. */
  mapped?: boolean;
}

export interface StillVolume {
  path: string;
  from: string;
  readonly: boolean;
  subpath?: string;
  /** It belongs to the numbers of the container, which has a user namespace. */
  mapped?: boolean;
}

function rootArguments(root: LiveRoot): HelperArguments {
  const owners = ownerArguments(root.owners);
  if ("pid" in root) return { pid: root.pid, start: root.startTime, mount: root.mounts, ...owners };
  const volumes = root.volumes ?? [];
  return {
    tree: root.tree,
    own: root.own,
    lower: root.lower,
    mapped: root.mapped ? 1 : undefined,
    upper: root.upper?.directory,
    work: root.upper?.work,
    attended: root.attended,
    volume: volumes.map(({ path }) => path),
    from: volumes.map(({ from }) => from),
    subpath: volumes.map(({ subpath = "" }) => subpath),
    readonly: volumes.filter(({ readonly }) => readonly).map(({ path }) => path),
    "mapped-volume": volumes.filter(({ mapped }) => mapped).map(({ path }) => path),
    ...owners,
  };
}

/** What goes out of a tree. */
export interface Sent {
  root: LiveRoot;
  path: string;
  /** What `path` is called in the archive; "" for the names below it alone. */
  as: string;
  /** A link at `path` is followed. */
  follow?: boolean;
  /** `path` must be a directory. */
  directory?: boolean;
}

/** Where it goes in another tree. */
export interface Received {
  root: LiveRoot;
  path: string;
  /** What it will be called in a directory `path`; "": its contents go there. */
  base: string;
  /** An archive of anybody's, and not of `Sent`: into the directory `path` as it is. */
  raw?: boolean;
  /** Whose it will be; what the archive says otherwise. */
  owner?: { uid: number; gid: number } | undefined;
  /** Without devices and set-id bits. */
  plain?: boolean;
  /** The root itself takes nothing: only volumes do. */
  readonlyRoot?: boolean;
}

export interface Moved {
  /** Of the archive. */
  bytes: number;
  /** Device nodes that were left out. */
  devices: number;
}

function send(sent: Sent): string[] {
  const { root, path, as, follow, directory } = sent;
  const said = {
    path,
    as: as || undefined,
    follow: follow ? 1 : undefined,
    directory: directory ? 1 : undefined,
  };
  return helperCommand("send", { ...rootArguments(root), ...said });
}

function receive(received: Received, stdin = false): string[] {
  const { root, path, base, raw, owner, plain, readonlyRoot } = received;
  return helperCommand("receive", {
    stdin: stdin ? 1 : undefined,
    ...rootArguments(root),
    path,
    base: base || undefined,
    raw: raw ? 1 : undefined,
    uid: owner?.uid,
    gid: owner?.gid,
    plain: plain ? 1 : undefined,
    "readonly-root": readonlyRoot ? 1 : undefined,
  });
}

type Child = Bun.Subprocess<number, "pipe", number>;

/** The archive is its descriptor 3, or its standard input. */
function start(
  command: string[],
  archive: number | "pipe",
  abort: AbortSignal | undefined,
  stdin: number = nowhere(),
): Child {
  return Bun.spawn(command, {
    env: {},
    stdio: [stdin, "pipe", nowhere(), archive],
    killSignal: "SIGKILL",
    ...(abort && { signal: abort }),
  }) as Child;
}

async function answerOf(child: Child): Promise<HelperAnswer> {
  const output = await child.stdout.text();
  await child.exited;
  return readAnswer(output, endingOf(child));
}

function moved(answer: HelperAnswer): Moved {
  return { bytes: Number(answer.bytes), devices: Number(answer.devices ?? 0) };
}

/** From one tree into another, past this process. */
export async function moveTree(from: Sent, to: Received, abort?: AbortSignal): Promise<Moved> {
  abort?.throwIfAborted();
  const [out, into] = socketPair();
  let children: Child[];
  try {
    children = [start(send(from), out, abort), start(receive(to), into, abort)];
  } finally {
    closeDescriptor(out);
    closeDescriptor(into);
  }
  const [sent, received] = await Promise.allSettled(children.map(answerOf));
  abort?.throwIfAborted();
  // The one that failed for want of the other says less.
  if (sent!.status === "rejected" && !isGone(sent!.reason)) throw sent!.reason;
  if (received!.status === "rejected") throw received!.reason;
  if (sent!.status === "rejected") throw sent!.reason;
  return moved(received!.value);
}

/** @returns undefined when the reader has gone before the end */
export async function sendTo(fd: number, sent: Sent, abort?: AbortSignal): Promise<Moved | undefined> {
  return toReader(start(send(sent), fd, abort), abort);
}

async function toReader(child: Child, abort: AbortSignal | undefined): Promise<Moved | undefined> {
  try {
    return moved(await answerOf(child));
  } catch (error) {
    abort?.throwIfAborted();
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** In pieces, each of which is waited for. */
export async function sendPieces(
  take: (bytes: Uint8Array) => Promise<unknown> | undefined,
  sent: Sent,
  abort?: AbortSignal,
): Promise<Moved | undefined> {
  abort?.throwIfAborted();
  const child = start(send(sent), "pipe", abort);
  using stream = await PieceReader.open(child.stdio[3] as unknown as number);
  const result = toReader(child, abort);
  result.catch(() => {}); // it is waited for below
  for (;;) {
    const piece = await stream.next();
    if (piece === undefined) return result;
    await take(piece);
  }
}

export async function receiveFrom(fd: number, received: Received, abort?: AbortSignal): Promise<Moved> {
  // Bun takes a 0 in any other place for none.
  const child = start(receive(received, true), nowhere(), abort, fd);
  try {
    return moved(await answerOf(child));
  } finally {
    abort?.throwIfAborted();
  }
}

export async function receivePieces(
  pieces: AsyncIterable<Uint8Array>,
  received: Received,
  abort?: AbortSignal,
): Promise<Moved> {
  abort?.throwIfAborted();
  const child = start(receive(received), "pipe", abort);
  const pipe = await HelperPipe.open(child.stdio[3] as unknown as number);
  const result = answerOf(child);
  result.catch(() => {}); // it is waited for below
  try {
    for await (const piece of pieces) if (!(await pipe.write(piece))) break;
  } finally {
    pipe.end();
  }
  abort?.throwIfAborted();
  return moved(await result);
}

export interface Change {
  kind: "A" | "C" | "D";
  path: string;
}

/** What a container wrote: an upper directory of overlay, or else a whole tree. */
export interface Top {
  path: string;
  isUpper: boolean;
  /** It belongs to the host's numbers of a user namespace with these maps; the image, to the container's. */
  owners: IdMap | undefined;
}

function topArguments({ path, isUpper, owners }: Top): HelperArguments {
  return { new: path, overlay: isUpper ? 1 : undefined, ...ownerArguments(owners) };
}

/** What `top` changed of an image; `given` is none of it where it is new. */
export async function changesOf(
  image: StillRoot,
  top: Top,
  given: readonly string[],
  abort?: AbortSignal,
): Promise<Change[]> {
  abort?.throwIfAborted();
  const args = { ...rootArguments(image), ...topArguments(top), given };
  const child = start(helperCommand("changes", args), nowhere(), abort);
  return changesToldBy(child, abort);
}

/** How the tree `found` differs from `wanted`, which was made of the same layer: A is missing, D is too much. */
export async function differencesOf(found: string, wanted: string, abort?: AbortSignal): Promise<Change[]> {
  abort?.throwIfAborted();
  return changesToldBy(start(helperCommand("verify", { found, wanted }), nowhere(), abort), abort);
}

async function changesToldBy(child: Child, abort: AbortSignal | undefined): Promise<Change[]> {
  const output = Buffer.from(await child.stdout.bytes());
  await child.exited;
  abort?.throwIfAborted();
  const end = output.lastIndexOf(0) + 1;
  readAnswer(output.toString("utf8", end), endingOf(child));
  const told = output.toString("utf8", 0, end).split("\0").slice(0, -1);
  return told.map((text) => ({ kind: text[0] as Change["kind"], path: text.slice(1) }));
}

/** The layer that `commitTo` wrote. */
export interface WrittenLayer {
  /** Of the archive, which is not compressed. */
  digest: Digest;
  bytes: number;
  /** Names that no layer can have. */
  leftOut: number;
}

/** The same changes as a layer, to an open file from its beginning. @throws RtError exhausted: more than `sizeMax` bytes */
export async function commitTo(
  file: number,
  image: StillRoot,
  top: Top,
  given: readonly string[],
  { sizeMax, abort }: { sizeMax?: number | undefined; abort?: AbortSignal | undefined } = {},
): Promise<WrittenLayer> {
  abort?.throwIfAborted();
  const args = { ...rootArguments(image), ...topArguments(top), given, limit: sizeMax };
  const child = start(helperCommand("commit", args), file, abort);
  let answer: HelperAnswer;
  try {
    answer = await answerOf(child);
  } finally {
    abort?.throwIfAborted();
  }
  const { bytes, digest, leftOut } = answer;
  return { digest: parseDigest(`sha256:${digest}`), bytes: Number(bytes), leftOut: Number(leftOut) };
}

function isGone(error: unknown): boolean {
  return error instanceof RtError && /: (EPIPE|ECONNRESET)$/.test(error.message);
}

/** The reading end of a helper's output, which waits when nobody asks for more. */
class PieceReader implements Disposable {
  readonly #pieces: Uint8Array[] = [];
  #ended = false;
  #wake = () => {};

  static async open(fd: number): Promise<PieceReader> {
    const reader = new PieceReader();
    const leave = () => {
      reader.#ended = true;
      reader.#wake();
    };
    const options: Bun.FdSocketOptions = {
      fd,
      socket: {
        data(socket, bytes) {
          reader.#pieces.push(Uint8Array.from(bytes));
          socket.pause();
          reader.#wake();
          reader.#resume = () => socket.resume();
        },
        close: leave,
        end: leave,
        error: leave,
      },
    };
    // bun-types has the options, and forgot the overload that takes them.
    const socket = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
    reader.#close = () => socket.terminate();
    return reader;
  }

  #resume = () => {};
  #close = () => {};

  /** One that waits to be asked sees no end, and would stay open for ever. */
  [Symbol.dispose](): void {
    this.#close();
  }

  /** Undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0 && !this.#ended) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#resume();
      if (this.#pieces.length === 0 && !this.#ended) await promise;
    }
    return this.#pieces.shift();
  }
}
