import { abortable, cancellation } from "../../base/abort.ts";
import { withCause } from "../../base/errors.ts";
import { formChoice } from "../../content/compress.ts";
import { writeAll } from "../../content/write-all.ts";
import type { ArchiveOutput } from "../../destination/archive-file.ts";
import type { Destination } from "../../destination/destination.ts";
import type { Recompression } from "../../image/recompress.ts";
import { sendImage } from "../../image/send.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { canonical, familiar, parse, type Reference, repositoryOf } from "../../reference/reference.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";
import type { Session } from "../session.ts";
import { inForm } from "./recompress.ts";
import { storedImage } from "./stored.ts";

/** podman's names; what docker writes is the first. */
export const saveFormats = ["docker-archive", "oci-archive", "oci-dir"] as const;
export type SaveFormat = (typeof saveFormats)[number];

export interface SaveOptions {
  format: SaveFormat;
  /** A file, or with `oci-dir` a directory; the caller's output unless it is given. */
  output?: string | undefined;
  /** Only the image for it; of several all must be there, and what is here is saved whole. */
  platforms?: readonly string[] | undefined;
  /** Layers as plain tars, whatever they are here. */
  uncompressed?: boolean | undefined;
}

const plainTars: Recompression = { choice: formChoice("tar", undefined), of: "others" };

/**
 * Images that are here into one archive, byte for byte (unless their layers are to be decompressed) and with every blob once. By a
 * name they keep it, by a repository's name all of its tags, and by an ID they have none.
 * @throws RtError not-found, before anything is written; exhausted; …
 */
export async function saveImages(host: Host, texts: readonly string[], options: SaveOptions): Promise<void> {
  const wanted = texts.flatMap((text) => namesFor(host, text));
  for (const { text } of wanted) host.images.get(text);
  const platforms = (options.platforms ?? []).map((text) => parsePlatform(text, hostPlatform()));
  const { abort } = host.session;
  await using destination = await openOutput(host.session, options);
  for (const { text, names } of wanted) {
    const { source: stored, needed } = await storedImage(host, text);
    await using closing = new AsyncDisposableStack();
    closing.use(await protect(host, needed, abort));
    const source = await inForm(host, stored, options.uncompressed ? plainTars : undefined, () => {});
    closing.defer(() => source.close());
    if (platforms.length > 1) for (const platform of platforms) await source.resolve(platform);
    const platform = platforms.length === 1 ? platforms[0] : undefined;
    await sendImage({ source, destination, platform, names, onProgress: () => {}, signal: abort });
  }
  await destination.commit();
  for (const id of new Set(wanted.map(({ text }) => host.images.idOf(text) ?? "")))
    if (id) imageEvent(host, "save", id, id);
}

interface Wanted {
  text: string;
  names: Reference[];
}

function namesFor(host: Host, text: string): Wanted[] {
  const named = host.images.nameFor(text);
  if (named && hasTagOrDigest(text)) return [{ text, names: named.digest ? [] : [named] }];
  const tags = repositoryTags(host, text);
  if (tags.length > 0) return tags.map((tag) => ({ text: canonical(tag), names: [tag] }));
  return [{ text, names: named ? [named] : [] }];
}

function hasTagOrDigest(text: string): boolean {
  return /[:@]/.test(text.slice(text.lastIndexOf("/") + 1));
}

/** All tags of a repository that was named without one, as docker has it. None of what can only be an ID. */
function repositoryTags(host: Host, text: string): Reference[] {
  if (hasTagOrDigest(text) || /^[0-9a-f]{64}$/.test(text) || !isReference(text)) return [];
  const repository = repositoryOf(parse(text));
  const tags = host.images.list().flatMap((image) => image.tags);
  return tags
    .filter((tag) => repositoryOf(tag) === repository)
    .sort((a, b) => (familiar(a) < familiar(b) ? -1 : 1));
}

function isReference(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

async function openOutput(session: Session, { format, output }: SaveOptions): Promise<Destination> {
  if (format === "oci-dir") {
    const { openOciDestination } = await import("../../destination/oci-layout.ts");
    return openOciDestination(output!, output!, undefined);
  }
  const { ArchiveDestination } = await import("../../destination/archive.ts");
  const form = format === "oci-archive" ? "oci" : "docker";
  if (output === undefined) return new ArchiveDestination("the output", outputOf(session), form);
  const { openArchiveFile } = await import("../../destination/archive-file.ts");
  return new ArchiveDestination(output, await openArchiveFile(output, session.abort), form);
}

/** The caller's: whoever reads it sees by its end whether it is whole. */
function outputOf({ stdio, abort }: Session): ArchiveOutput {
  return {
    async write(bytes) {
      if (abort.aborted) throw cancellation(abort);
      const written =
        stdio.kind === "descriptors"
          ? writeAll(stdio.stdout, bytes, null)
          : Promise.resolve(stdio.output("stdout", bytes));
      // Whoever is to read it may never do.
      await abortable(written, abort).catch((error) => {
        throw abort.aborted ? error : withCause("cannot write the archive", error);
      });
    },
    async finish() {},
    [Symbol.dispose]() {},
  };
}
