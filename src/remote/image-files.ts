import { RtError } from "../base/errors.ts";
import { object } from "../base/shape.ts";
import { platformQuery } from "../docker/platform-query.ts";
import type { ImportOptions } from "../engine/image/import.ts";
import type { LoadOptions } from "../engine/image/load.ts";
import type { SaveOptions } from "../engine/image/save.ts";
import { type Digest, digestShape, isDigest } from "../oci/digest.ts";
import { pathOf } from "./api.ts";
import { documentOf, type RemoteCaller } from "./caller.ts";
import { nameQuery } from "./commit.ts";
import { readPieces, writeFileWhole } from "./file.ts";
import { pullProgress, readMessages } from "./messages.ts";
import { abortOf, inputOf, onHostAlone, writeOut } from "./stdio.ts";

const identified = object({ Id: digestShape });
const tarType = [["Content-Type", "application/x-tar"]] as const;

/** Images of the engine in one archive, to a file of the caller's or to his output. */
export async function remoteSave(
  caller: RemoteCaller,
  names: readonly string[],
  { format, output, platforms = [], uncompressed }: SaveOptions,
): Promise<void> {
  const { api, session } = caller;
  if (format !== "docker-archive") throw onHostAlone(`image save --format ${format}`);
  if (uncompressed) throw onHostAlone("image save --uncompressed");
  const { body } = await api.send({
    method: "GET",
    path: "/images/get",
    query: { names, platform: platforms.map(platformQuery) },
    abort: abortOf(session),
  });
  if (output !== undefined) return await writeFileWhole(output, body);
  await writeOut(session, async (write) => {
    for await (const piece of body) await write("stdout", piece);
  });
}

/** All images of an archive, of a file of the caller's or of his input. */
export async function remoteLoad(
  caller: RemoteCaller,
  { input, platform, onProgress, onLoaded }: LoadOptions,
): Promise<void> {
  const { api, session } = caller;
  const { body } = await api.send({
    method: "POST",
    path: "/images/load",
    query: { platform: platform && platformQuery(platform), quiet: onProgress ? "0" : "1" },
    fields: tarType,
    body: input === undefined ? inputOf(session) : readPieces(input),
    abort: abortOf(session),
  });
  const names = new Map<Digest, string[]>();
  for await (const message of readMessages(body)) {
    const progress = pullProgress(message);
    if (progress) onProgress?.(progress);
    const [, isId, name] = /^Loaded image( ID)?: (\S+)$/.exec(message.stream.trim()) ?? [];
    if (name === undefined) continue;
    const id = isId ? digestOfLoaded(name) : await idOf(caller, name);
    names.set(id, [...(names.get(id) ?? []), ...(isId ? [] : [name])]);
  }
  for (const [id, own] of names) onLoaded({ id, names: own, taken: [] });
}

function digestOfLoaded(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RtError("data-loss", "the engine loaded an image, and answered an id that is none");
}

async function idOf(caller: RemoteCaller, name: string): Promise<Digest> {
  const { Id } = await documentOf(
    caller,
    identified,
    { method: "GET", path: pathOf`/images/${name}/json` },
    "image",
  );
  return Id;
}

/** A root file system's archive as an image of one layer. @returns its id */
export async function remoteImport(caller: RemoteCaller, options: ImportOptions): Promise<Digest> {
  const { source, reference, changes, message, platform } = options;
  const { api, session } = caller;
  const isAddress = /^https?:\/\//.test(source);
  const pieces = source === "-" ? inputOf(session) : readPieces(source);
  const { body } = await api.send({
    method: "POST",
    path: "/images/create",
    query: { fromSrc: isAddress ? source : "-", ...nameQuery(reference), changes, message, platform },
    fields: isAddress ? [] : tarType,
    body: isAddress ? undefined : pieces,
    abort: abortOf(session),
  });
  let id: Digest | undefined;
  for await (const { status } of readMessages(body)) if (isDigest(status)) id = status;
  if (id) return id;
  throw new RtError("data-loss", "the engine does not say what became of the import");
}
