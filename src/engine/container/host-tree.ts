import { lstatSync, mkdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { isErrno, RtError, withCause } from "../../base/errors.ts";
import { type Moved, type Received, receivePieces, type Sent, sendPieces } from "../../layer/root.ts";

/**
 * The caller's own side of a copy: which of his files a path means, and these files as an archive, out and in. So it is for a
 * container of this host, and for one behind an API.
 */

/** What the archive's top is called between two of our own. */
export const archiveTop = "x";

/** What a path that ends with "/" or "/." says besides. */
export function copySource(
  clean: string,
  typed: string,
): { path: string; base: string; isDirectory: boolean } {
  const path = clean.replace(/(?<=.)\/$/, "");
  const isContents = typed === "." || typed.endsWith("/.") || path === "/";
  return {
    path,
    base: isContents ? "" : posix.basename(path),
    isDirectory: isContents || typed.endsWith("/"),
  };
}

export function withEnd(clean: string, typed: string): string {
  return typed.endsWith("/") && !clean.endsWith("/") ? `${clean}/` : clean;
}

/** @returns what is sent, what it is called in a directory (""; its contents go there), and whether it is one itself */
export function hostSource(
  typed: string,
  follow: boolean,
): { sent: Sent; base: string; isDirectory: boolean } {
  const { path, base, isDirectory } = copySource(join("/", typed), typed);
  const found = attempt(() => (follow || isDirectory ? statSync(path) : lstatSync(path)), path);
  if (isDirectory && !found.isDirectory())
    throw new RtError("invalid-argument", `${path} is not a directory`, { exitCode: 1 });
  const real = attempt(
    () => (follow || isDirectory ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))),
    path,
  );
  const sent = {
    root: { tree: dirname(real) },
    path: real === "/" ? "/" : `/${basename(real)}`,
    as: archiveTop,
  };
  return { sent, base, isDirectory: found.isDirectory() };
}

/** The directory that it goes into becomes the root of whoever writes there; its own links are followed before. */
export function hostTarget(path: string): Pick<Received, "root" | "path"> {
  const found = statOf(path);
  if (found?.isDirectory()) return { root: { tree: path }, path: "/" };
  if (found) {
    const real = realpathSync(path);
    return { root: { tree: dirname(real) }, path: withEnd(`/${basename(real)}`, path) };
  }
  const clean = path.replace(/(\/\.?)+$/, "");
  const parent = dirname(clean);
  if (!statOf(parent)?.isDirectory()) {
    const why = `invalid output path: directory ${JSON.stringify(parent)} does not exist`;
    throw new RtError("not-found", why, { exitCode: 1 });
  }
  return { root: { tree: parent }, path: withEnd(`/${basename(clean)}`, path) };
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
    throw error;
  }
}

function attempt<T>(step: () => T, path: string): T {
  try {
    return step();
  } catch (error) {
    const { code, message } = withCause("cannot copy", error);
    const missing = isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR");
    const why = missing ? `lstat ${path}: no such file or directory` : message;
    throw new RtError(code, why, { cause: error, exitCode: 1 });
  }
}

/** As the caller's own would be; what gives rights is kept for one who asks for it. */
export function takenOver(archive: boolean): Pick<Received, "owner" | "plain"> {
  return archive ? {} : { owner: { uid: process.geteuid!(), gid: process.getegid!() }, plain: true };
}

export interface ReceiveOptions {
  /** What it is called in a directory; "": its contents go there. */
  base: string;
  archive: boolean;
  abort?: AbortSignal | undefined;
  /** It is a container's whole root. */
  isRoot: boolean;
}

/**
 * An archive of one thing, whatever its top is called, to where `cp` puts it.
 */
export async function receiveOnHost(
  pieces: AsyncIterable<Uint8Array>,
  to: string,
  { base, archive, abort, isRoot }: ReceiveOptions,
): Promise<Moved> {
  const how = { base, ...takenOver(archive) };
  const target = hostTarget(to);
  if (!isRoot) return await receivePieces(pieces, { ...target, ...how }, abort);
  // The names of a whole root begin with what is in it.
  if (!statOf(to)) mkdirSync(to, { mode: 0o755 });
  return await receivePieces(pieces, { root: { tree: to }, path: "/", raw: true, ...how }, abort);
}

/** An archive of what is at a path, in pieces. @param sent of `hostSource` */
export async function* sentFromHost(sent: Sent, abort?: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const offered: { piece: Uint8Array; taken: () => void }[] = [];
  let wake = () => {};
  let isOver = false;
  const take = (piece: Uint8Array) =>
    new Promise<void>((taken) => {
      offered.push({ piece, taken });
      wake();
    });
  const gone = new AbortController();
  const signals = abort ? AbortSignal.any([abort, gone.signal]) : gone.signal;
  const sending = sendPieces(take, sent, signals).finally(() => {
    isOver = true;
    wake();
  });
  sending.catch(() => {}); // it is waited for below
  try {
    while (true) {
      const next = offered.shift();
      if (next) {
        yield next.piece;
        next.taken();
        continue;
      }
      if (isOver) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    await sending;
  } finally {
    gone.abort(new RtError("cancelled", "nobody wants the rest of the archive"));
    for (const { taken } of offered) taken();
  }
}
