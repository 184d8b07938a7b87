import { posix } from "node:path";
import { RtError } from "../../base/errors.ts";
import { rejectNul } from "../../base/invalid.ts";
import { type ArchiveTop, ArchiveTopReader } from "../../docker/archive-top.ts";
import type { PathStat } from "../../docker/path-stat.ts";
import { sendPieces } from "../../layer/root.ts";
import type { Host } from "../host.ts";
import { copyFailure } from "./copy.ts";
import { find } from "./find.ts";
import { copySource } from "./host-tree.ts";
import { liveRoot } from "./root.ts";

/** Links that lead to links: more than so many are a circle, as the kernel says. */
const linksMax = 40;

/**
 * What is at a path of a container. It is looked at by rt-layer, which is confined to the container's root: what an archive of it
 * begins with says all of it, and no more of it is sent.
 * @throws RtError not-found
 */
export async function statPath(host: Host, name: string, path: string): Promise<PathStat> {
  const seen = await find(host, name);
  const source = copySource(posix.join("/", rejectNul("path", path)), path);
  await using undo = new AsyncDisposableStack();
  const root = await liveRoot(host, seen, false, undo);
  const topOf = async (at: string, directory: boolean): Promise<ArchiveTop> => {
    const enough = new AbortController();
    const reader = new ArchiveTopReader();
    const take = (bytes: Uint8Array) => {
      if (reader.take(bytes)) enough.abort(read);
      return undefined;
    };
    const abort = AbortSignal.any([host.session.abort, enough.signal]);
    await sendPieces(take, { root, path: at, directory, as: "x" }, abort).catch((error) => {
      if (error !== read) throw error;
    });
    if (!reader.top) throw new RtError("internal", "the archive has no beginning");
    return reader.top;
  };
  try {
    const { link, ...top } = await topOf(source.path, source.isDirectory);
    const linkTarget = link === undefined ? "" : await endOf(source.path, link, topOf);
    return { name: nameOf(path), ...top, linkTarget };
  } catch (error) {
    throw copyFailure(error, seen, path, undefined);
  }
}

const read = new RtError("cancelled", "all of it that is needed has come");

function nameOf(path: string): string {
  return path.endsWith("/.") ? "." : posix.basename(posix.join("/", path)) || "/";
}

/** Where a link leads in the end; one that leads nowhere, or in a circle, leads to what it says. */
async function endOf(
  from: string,
  link: string,
  topOf: (path: string, directory: boolean) => Promise<ArchiveTop>,
): Promise<string> {
  let at = posix.resolve(posix.dirname(from), link);
  for (let links = 0; links < linksMax; links++) {
    let next: string | undefined;
    try {
      ({ link: next } = await topOf(at, false));
    } catch (error) {
      if (error instanceof RtError && error.code === "not-found") return at;
      throw error;
    }
    if (next === undefined) return at;
    at = posix.resolve(posix.dirname(at), next);
  }
  return at;
}
