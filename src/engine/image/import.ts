import { open } from "node:fs/promises";
import { RtError, withCause } from "../../base/errors.ts";
import { decompress, UnreadCompression } from "../../content/decompress.ts";
import type { Draft } from "../../content/draft.ts";
import { mergeChanges, parseImageChanges } from "../../docker/image-change.ts";
import type { Digest } from "../../oci/digest.ts";
import { shown } from "../../oci/json.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { familiar } from "../../reference/reference.ts";
import { keepWithinLimit } from "../care/limit.ts";
import { timestamp } from "../container/describe.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";
import { piecesOf } from "./received-archive.ts";
import { defaultLayerSizeMax } from "./unpack.ts";
import { parseTarget, writeImage } from "./write.ts";

export interface ImportOptions {
  /** A file, an address with http: or https:, or "-": the caller's input. */
  source: string;
  /** What it will be called: "name[:tag]". */
  reference?: string | undefined;
  /** Instructions of a Dockerfile that say what its containers are to be: `CMD ["sh"]`. */
  changes: readonly string[];
  message: string;
  /** Of the files; this machine's unless given. */
  platform?: string | undefined;
}

/**
 * A root file system's archive as an image of one layer, which is kept uncompressed, as one of a commit is. It is unpacked before
 * anybody sees the image.
 * @returns the image's id
 * @throws RtError not-found; invalid-argument: the name, or a change; data-loss: no archive; exhausted
 */
export async function importImage(host: Host, options: ImportOptions): Promise<Digest> {
  const target = options.reference === undefined ? undefined : parseTarget(options.reference);
  const platform = options.platform ? parsePlatform(options.platform, hostPlatform()) : hostPlatform();
  const context = { env: [], workingDirectory: "/", shell: ["/bin/sh", "-c"] };
  const config = mergeChanges(parseImageChanges(options.changes, context), {});
  const isAddress = /^https?:/i.test(options.source);
  using draft = (await host.content()).draft();
  const written = await writeArchive(host, options.source, isAddress, draft);
  const layer = { driver: await host.snapshots(), parents: [], draft, ...written };
  const id = await writeImage(host, layer, target, {
    base: { layers: [], diffIDs: [], chain: [], history: [], platform, size: 0 },
    ...{ config, author: "", createdBy: "", created: timestamp() },
    comment: options.message || `Imported from ${isAddress ? options.source : "-"}`,
  });
  if (target) imageEvent(host, "tag", id, familiar(target));
  imageEvent(host, "import", id, id);
  await keepWithinLimit(host, [id]);
  return id;
}

async function writeArchive(
  host: Host,
  source: string,
  isAddress: boolean,
  draft: Draft,
): Promise<{ digest: Digest; bytes: number }> {
  const sizeMax = (await host.config()).maxLayerSize ?? defaultLayerSizeMax;
  const hash = new Bun.CryptoHasher("sha256");
  let bytes = 0;
  await using input = await openSource(host, source, isAddress);
  try {
    const tar = await decompress(input.chunks, sizeMax);
    for await (const chunk of tar) {
      hash.update(chunk);
      await draft.write(chunk, bytes);
      bytes += chunk.length;
    }
  } catch (error) {
    throw error instanceof UnreadCompression ? error.of(input.name) : error;
  }
  if (bytes === 0) throw new RtError("data-loss", `${input.name} is empty: want a tar archive`);
  return { digest: `sha256:${hash.digest("hex")}` as Digest, bytes };
}

interface Input extends AsyncDisposable {
  name: string;
  chunks: AsyncIterable<Uint8Array>;
}

async function openSource(host: Host, source: string, isAddress: boolean): Promise<Input> {
  const { stdio, abort } = host.session;
  if (isAddress) {
    const { download } = await import("../../source/download.ts");
    return { name: shown(source), chunks: download(source, abort), async [Symbol.asyncDispose]() {} };
  }
  if (source === "-") {
    const chunks = stdio.kind === "streams" ? (stdio.stdin ?? nothing()) : piecesOf(stdio.stdin, abort);
    return { name: "the input", chunks, async [Symbol.asyncDispose]() {} };
  }
  const file = await open(source).catch((error) => {
    throw withCause(`cannot open ${shown(source)}`, error);
  });
  const chunks = piecesOf(file.fd, abort);
  return { name: shown(source), chunks, [Symbol.asyncDispose]: () => file.close() };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
