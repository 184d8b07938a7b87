import { posix } from "node:path";
import { RtError } from "../base/errors.ts";
import { rejectNul } from "../base/invalid.ts";
import { integer, object, text } from "../base/shape.ts";
import { goMode, type PathStat } from "../docker/path-stat.ts";
import { given } from "../docker/zero.ts";
import type { CopyFromOptions, CopyToOptions } from "../engine/container/copy.ts";
import type { HeaderFields } from "../http/head.ts";
import { answered, containerPath, type RemoteCaller } from "./caller.ts";
import { abortOf, inputOf, writeOut } from "./stdio.ts";

const hostTree = () => import("../engine/container/host-tree.ts");

const pathStat = object({
  name: given(text, ""),
  size: given(integer, 0),
  mode: integer,
  mtime: given(text, ""),
  linkTarget: given(text, ""),
});

/** What is at a path of a container. @throws RtError not-found */
export async function remoteStat(
  { api, session }: RemoteCaller,
  name: string,
  path: string,
): Promise<PathStat> {
  const { fields, body } = await api.send({
    method: "HEAD",
    path: containerPath(name, "/archive"),
    query: { path: rejectNul("path", path) },
    abort: abortOf(session),
  });
  await body.return();
  return statIn(fields);
}

function statIn(fields: HeaderFields): PathStat {
  const header = fields.get("x-docker-container-path-stat") ?? "";
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(header, "base64").toString("utf8"));
  } catch {
    document = undefined; // of no shape, which is what is told
  }
  return answered(pathStat, document, "path stat");
}

const linksMax = 1;

/** Files out of a container, to this host or as an archive to the caller's output. @returns bytes of an archive of it */
export async function remoteCopyFrom(
  caller: RemoteCaller,
  name: string,
  path: string,
  { to, archive, followLink }: CopyFromOptions,
): Promise<number> {
  const { api, session } = caller;
  const { copySource, receiveOnHost } = await hostTree();
  const source = copySource(posix.join("/", rejectNul("path", path)), path);
  const wanted = followLink ? await followed(caller, name, source.path) : source.path;
  // With an end that says so it must be a directory.
  const asked = source.isDirectory && wanted !== "/" ? `${wanted}/` : wanted;
  const abort = abortOf(session);
  let bytes = 0;
  const { body } = await api
    .send({ method: "GET", path: containerPath(name, "/archive"), query: { path: asked }, abort })
    .catch((error) => {
      throw told(error);
    });
  async function* counted() {
    for await (const piece of body) {
      bytes += piece.length;
      yield piece;
    }
  }
  if (to === undefined) {
    await writeOut(session, async (output) => {
      for await (const piece of counted()) await output("stdout", piece);
    });
    return bytes;
  }
  try {
    const { devices } = await receiveOnHost(counted(), to, {
      base: source.base,
      archive,
      abort,
      isRoot: wanted === "/",
    });
    if (devices > 0) session.warn(`${devices} device nodes were left out (-a copies them)`);
  } catch (error) {
    throw told(error);
  } finally {
    await body.return();
  }
  return bytes;
}

/** Where a link leads to: Docker follows the last part of a path once. */
async function followed(caller: RemoteCaller, name: string, path: string): Promise<string> {
  let place = path;
  for (let links = 0; links < linksMax; links++) {
    const { linkTarget } = await remoteStat(caller, name, place);
    if (linkTarget === "") break;
    place = posix.resolve(posix.dirname(place), linkTarget);
  }
  return place;
}

/** Files into a container. @returns as `copyFrom` */
export async function remoteCopyTo(
  caller: RemoteCaller,
  name: string,
  path: string,
  { from, followLink }: CopyToOptions,
): Promise<number> {
  const { session } = caller;
  const clean = posix.join("/", rejectNul("path", path));
  if (from === undefined) return await put(caller, name, clean, inputOf(session));
  const { hostSource, sentFromHost } = await hostTree();
  const { sent, base, isDirectory } = hostSource(from, followLink);
  const place = await placeFor(caller, name, clean, path, { base, isDirectory });
  const abort = abortOf(session);
  try {
    return await put(caller, name, place.directory, sentFromHost({ ...sent, as: place.as }, abort));
  } catch (error) {
    throw told(error);
  }
}

/**
 * cp's rule, which the engine's end does not know: the archive goes into a directory that is there, and its top is called as it
 * is to be called there; "": its contents go there.
 */
async function placeFor(
  caller: RemoteCaller,
  name: string,
  clean: string,
  typed: string,
  source: { base: string; isDirectory: boolean },
): Promise<{ directory: string; as: string }> {
  const target = clean.replace(/(?<=.)\/$/, "");
  const place = await followed(caller, name, target).catch(absent);
  const there = place === undefined ? undefined : await remoteStat(caller, name, place).catch(absent);
  if (place !== undefined && there && isDirectoryMode(there.mode))
    return { directory: place, as: source.base };
  if (there && source.isDirectory) throw refused("cannot copy directory");
  if (typed.endsWith("/")) {
    if (there) throw refused(`${JSON.stringify(typed)} is not a directory`);
    if (!source.isDirectory) throw refused("no such directory");
  }
  const final = place ?? target;
  return { directory: posix.dirname(final), as: posix.basename(final) };
}

function absent(error: unknown): undefined {
  if (error instanceof RtError && error.code === "not-found") return undefined;
  throw error;
}

function isDirectoryMode(mode: number): boolean {
  // Above what bit operations of JavaScript reach.
  return Math.floor(mode / goMode.directory) % 2 === 1;
}

async function put(
  { api, session }: RemoteCaller,
  name: string,
  directory: string,
  pieces: AsyncIterable<Uint8Array>,
): Promise<number> {
  let bytes = 0;
  async function* counted() {
    for await (const piece of pieces) {
      bytes += piece.length;
      yield piece;
    }
  }
  await api.done({
    method: "PUT",
    path: containerPath(name, "/archive"),
    query: { path: directory, noOverwriteDirNonDir: "true" },
    fields: [["Content-Type", "application/x-tar"]],
    body: counted(),
    abort: abortOf(session),
  });
  return bytes;
}

function refused(why: string): RtError {
  return new RtError("invalid-argument", why, { exitCode: 1 });
}

/** Docker's exit status for a copy that failed. */
function told(error: unknown): unknown {
  if (!(error instanceof RtError) || error.code === "cancelled" || error.exitCode === 1) return error;
  return new RtError(error.code, error.message, { cause: error, exitCode: 1 });
}
