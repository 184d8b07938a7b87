import { readSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { type Compression, compressionOf } from "../oci/compression.ts";
import { type Digest, hexOf } from "../oci/digest.ts";
import { endingOf, type HelperAnswer, helperCommand, nowhere, readAnswer } from "./helper.ts";
import { HelperPipe } from "./pipe.ts";
import type { LayerStream } from "./stream.ts";
import { inflateZstd } from "./zstd.ts";

/** Where a tree is made, and how. Names are below `root`: tmp/<name>/<leaf> becomes committed/<commit>/<leaf>. */
export interface UnpackTarget {
  /** A driver's directory, with tmp/ and committed/ in it. */
  root: string;
  name: string;
  leaf: string;
  commit: string;
  /** `diff`: this layer alone, in overlay's form. `merged`: on top of the parents. */
  mode: "diff" | "merged";
  /** How a merged tree comes to show its parents. */
  via: "none" | "overlay" | "copy";
  /** Committed chainIDs, topmost first. */
  parents: readonly Digest[];
}

export interface UnpackSource {
  stream: LayerStream;
  /** The stream's file, open: it may be renamed while we read. */
  fd: number;
  diffID: Digest;
  /** Bytes of the uncompressed stream. */
  sizeMax?: number | undefined;
  parentReady: Promise<void>;
  signal?: AbortSignal | undefined;
}

export interface Unpacked {
  /** Bytes of the layer's regular files. */
  fileBytes: number;
  /** False: another process committed the same first. */
  committed: boolean;
  /** Device nodes that could not be made: this is a user namespace. */
  devicesLeftOut: number;
  /** Files of other owners than the only one, on a file system that cannot note whose they are. */
  ownersLost: number;
}

type Child = Bun.Subprocess<"pipe", "pipe", number>;

/**
 * Apply one layer and commit it; the digest of the uncompressed stream is verified before. What is left of a failure in
 * tmp/<name> is the caller's to remove.
 * @throws RtError data-loss (malformed, hostile, wrong digest), exhausted (disk full, over sizeMax), cancelled …
 * @throws LayerConflict in diff mode
 */
export async function unpackLayer(source: UnpackSource, target: UnpackTarget): Promise<Unpacked> {
  source.signal?.throwIfAborted();
  const compression = await detect(source);
  if (compression === "bzip2" || compression === "xz")
    throw new RtError("unsupported", `layers compressed with ${compression} are not supported`);
  const child = spawn(compression, source, target);
  let failure: { error: unknown } | undefined;
  let over = false;
  const stop = (error: unknown) => {
    if (over) return;
    failure ??= { error };
    child.kill("SIGKILL");
  };
  const onAbort = () => stop(source.signal?.reason ?? new RtError("cancelled", "interrupted"));
  source.signal?.addEventListener("abort", onAbort);
  const say = (word: string) => sayTo(child, word, () => over);
  source.parentReady.then(() => say("p")).catch(stop);
  const feeding =
    compression === "zstd" ? pump(child, source, target, say) : ring(source.stream, say, () => over);
  feeding.catch(stop);
  try {
    const output = await child.stdout.text();
    await child.exited;
    over = true;
    if (failure) throw failure.error;
    return toUnpacked(readAnswer(output, endingOf(child)));
  } finally {
    over = true;
    source.signal?.removeEventListener("abort", onAbort);
  }
}

async function detect({ stream, fd }: UnpackSource): Promise<Compression> {
  const enough = 6;
  let state = await stream.more(0);
  while (state.size < enough && !state.done) state = await stream.more(state.size);
  const head = Buffer.alloc(enough);
  readSync(fd, head, 0, enough, 0);
  return compressionOf(head);
}

function spawn(compression: Compression, source: UnpackSource, target: UnpackTarget): Child {
  const zstd = compression === "zstd";
  const command = helperCommand("unpack", {
    root: target.root,
    name: target.name,
    leaf: target.leaf,
    commit: target.commit,
    mode: target.mode,
    via: target.via,
    parents: target.parents.map(hexOf).join(","),
    input: zstd ? "pipe" : "file",
    format: compression === "gzip" ? "gzip" : "tar",
    diffid: hexOf(source.diffID),
    limit: source.sizeMax,
  });
  const input = zstd ? "pipe" : source.fd;
  return Bun.spawn(command, { env: {}, stdio: ["pipe", "pipe", nowhere(), input] }) as Child;
}

/** The doorbell: the helper reads the file by itself, and only wants to know when to look again. */
async function ring(
  stream: LayerStream,
  say: (word: string) => Promise<void>,
  over: () => boolean,
): Promise<void> {
  let have = 0;
  while (!over()) {
    const { size, done } = await stream.more(have);
    if (done) return say("$");
    have = size;
    await say(".");
  }
}

/** zstd is inflated here and goes through a pipe. */
async function pump(
  child: Child,
  source: UnpackSource,
  target: UnpackTarget,
  say: (word: string) => Promise<void>,
): Promise<void> {
  // The helper reads nothing before: a window that is held while it waits may be the one that a parent waits for.
  if (target.mode === "merged") await source.parentReady;
  const pipe = await HelperPipe.open(child.stdio[3] as number);
  try {
    for await (const chunk of inflateZstd(source.stream, source.fd)) {
      if (!(await pipe.write(chunk))) return;
    }
  } finally {
    pipe.end();
  }
  await say("$");
}

/** A helper that is gone says why by its answer, not by our broken pipe. */
async function sayTo(child: Child, word: string, over: () => boolean): Promise<void> {
  if (over() || child.exitCode !== null || child.killed) return;
  try {
    child.stdin.write(word);
    await child.stdin.flush();
  } catch (error) {
    if ((error as { code?: string }).code !== "EPIPE") throw error;
  }
}

function toUnpacked(answer: HelperAnswer): Unpacked {
  return {
    fileBytes: Number(answer.fileBytes),
    committed: answer.committed === true,
    devicesLeftOut: Number(answer.devicesLeftOut),
    ownersLost: Number(answer.ownersLost),
  };
}
