import { posix } from "node:path";
import { RtError } from "../../base/errors.ts";
import { rejectNul } from "../../base/invalid.ts";
import {
  moveTree,
  type Received,
  receiveFrom,
  receivePieces,
  type Sent,
  sendPieces,
  sendTo,
} from "../../layer/root.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find, type Look } from "./find.ts";
import { archiveTop, copySource, hostSource, hostTarget, takenOver, withEnd } from "./host-tree.ts";
import { liveRoot } from "./root.ts";

export interface CopyFromOptions {
  /** An absolute path of the host; an archive to the caller's output when undefined. */
  to: string | undefined;
  /** Owners, set-id bits and devices too. */
  archive: boolean;
  /** What a link at the source leads to, and not the link. */
  followLink: boolean;
}

export interface CopyToOptions {
  /** An absolute path of the host; an archive of the caller's input when undefined. */
  from: string | undefined;
  followLink: boolean;
}

/**
 * Files out of a container. Both ends are worked on by rt-layer in a root that it cannot leave: a container that swaps its
 * directories for links meanwhile changes what comes, and nothing else.
 * @returns how many bytes the archive of it has
 */
export async function copyFrom(
  host: Host,
  name: string,
  path: string,
  options: CopyFromOptions,
): Promise<number> {
  const seen = await find(host, name);
  const source = copySource(posix.join("/", rejectNul("path", path)), path);
  await using undo = new AsyncDisposableStack();
  const root = await liveRoot(host, seen, false, undo);
  const { followLink: follow, to, archive } = options;
  const sent: Sent = { root, path: source.path, directory: source.isDirectory, follow, as: archiveTop };
  const { stdio, abort } = host.session;
  // Docker tells of it as it begins.
  containerEvent(host, seen.container, "archive-path");
  try {
    if (to !== undefined) {
      const received = { ...hostTarget(to), base: source.base, ...takenOver(archive) };
      const { bytes, devices } = await moveTree(sent, received, abort);
      if (devices > 0)
        host.warn(`${devices} device nodes were left out (${archive ? noDevices : "-a copies them"})`);
      return bytes;
    }
    const whole = { ...sent, as: source.base || "." };
    const moved =
      stdio.kind === "descriptors"
        ? await sendTo(stdio.stdout, whole, abort)
        : await sendPieces((bytes) => stdio.output("stdout", bytes), whole, abort);
    return moved?.bytes ?? 0;
  } catch (error) {
    throw copyFailure(error, seen, path, to);
  }
}

const noDevices = "in a user namespace none can be made";

/** Files into a container. @returns as `copyFrom` */
export async function copyTo(
  host: Host,
  name: string,
  path: string,
  options: CopyToOptions,
): Promise<number> {
  const seen = await find(host, name);
  const { from } = options;
  const source = from === undefined ? undefined : hostSource(from, options.followLink);
  await using undo = new AsyncDisposableStack();
  const received: Received = {
    root: await liveRoot(host, seen, true, undo),
    path: withEnd(posix.join("/", rejectNul("path", path)), path),
    base: source?.base ?? "",
    raw: source === undefined,
    readonlyRoot: seen.container.record.readonlyRootfs,
  };
  const { stdio, abort } = host.session;
  containerEvent(host, seen.container, "extract-to-dir");
  try {
    const { bytes, devices } = source
      ? await moveTree(source.sent, received, abort)
      : stdio.kind === "descriptors"
        ? await receiveFrom(stdio.stdin, received, abort)
        : await receivePieces(stdio.stdin ?? noPieces(), received, abort);
    if (devices > 0) host.warn(`${devices} device nodes were left out (${noDevices})`);
    return bytes;
  } catch (error) {
    throw copyFailure(error, seen, path, from);
  }
}

async function* noPieces(): AsyncGenerator<Uint8Array> {}

/** Docker's words for a path that a container has not got. */
export function copyFailure(
  error: unknown,
  { container }: Look,
  path: string,
  host: string | undefined,
): unknown {
  if (!(error instanceof RtError) || error.code === "cancelled") return error;
  if (
    error.code === "not-found" &&
    error.exitCode === 1 &&
    !error.message.startsWith("invalid output path")
  ) {
    const why = `Could not find the file ${path} in container ${container.name}`;
    return new RtError("not-found", why, { cause: error, exitCode: 1 });
  }
  if (error.code === "conflict" && error.message.endsWith(" must be a directory"))
    return new RtError("invalid-argument", error.message, { cause: error, exitCode: 1 });
  const phrase = host === undefined ? "cannot copy" : `cannot copy ${JSON.stringify(host)}`;
  // An archive that is none is its sender's mistake.
  const code = error.code === "data-loss" ? "invalid-argument" : error.code;
  return error.exitCode === 1
    ? error
    : new RtError(code, `${phrase}: ${error.message}`, { cause: error, exitCode: 1 });
}
