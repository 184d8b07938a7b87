import { RtError, withCause } from "../../base/errors.ts";
import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestOf } from "../../oci/digest.ts";
import {
  documentBytesMax,
  fieldsIn,
  optionalIn,
  parseJson,
  shown,
  stringIn,
  stringsIn,
} from "../../oci/json.ts";
import { type Manifest, parseDocument } from "../../oci/manifest.ts";
import { type ListEntry, type ListPlatform, ordered } from "../../oci/manifest-list.ts";
import { isConfigType, isPlainLayerType } from "../../oci/media-types.ts";
import { canonical, parse, type Reference } from "../../reference/reference.ts";
import { openSource } from "../../source/open.ts";
import { checkBytes } from "../../source/resolve.ts";
import type { Source } from "../../source/source.ts";
import type { Host } from "../host.ts";
import { storedImage } from "../image/stored.ts";
import { givenBy } from "../registry/given.ts";

/** A manifest by a name that people typed. */
export interface FoundEntry extends ListEntry {
  reference: string;
  bytes: Uint8Array;
  manifest: Manifest;
  /** What is in the store of it: digests of blobs, and chainIDs. */
  items: string[];
}

/** Where a reference, or an image's file, leads; nothing is asked yet. */
export async function openAsked(
  host: Host,
  text: string,
  tlsVerify: boolean | undefined,
  credentials?: RegistryCredentials,
): Promise<Source> {
  return await openSource(text, {
    config: await host.config(),
    env: host.env,
    caller: host.caller,
    warn: (line) => host.warn(line),
    ...givenBy(credentials),
    ...(tlsVerify !== undefined && { tlsVerify }),
    ...(host.embedded && { embedded: host.embedded }),
  });
}

/**
 * The image that is to be in a list: the one that is here by exactly this name, else the registry's. Of one that a push
 * compresses it is the registry's too, under the digest that it has there.
 * @param keep its items, from before anything of them is read
 * @throws RtError unsupported: it is a list itself | not-found | …
 */
export async function findEntry(
  host: Host,
  text: string,
  tlsVerify: boolean | undefined,
  keep: (items: readonly string[]) => Promise<void>,
): Promise<FoundEntry> {
  const record = host.images.nameFor(text) && host.images.find(text);
  if (!record?.layers.some(({ mediaType }) => isPlainLayerType(mediaType)))
    return (await findHere(host, text, keep)) ?? (await findThere(host, text, tlsVerify, keep));
  try {
    return await findThere(host, text, tlsVerify, keep);
  } catch (error) {
    const hint = `${shown(text)} is here, but a push compresses its layers: push it first`;
    throw error instanceof RtError && error.code !== "cancelled" ? withCause(hint, error) : error;
  }
}

async function findHere(
  host: Host,
  text: string,
  keep: (items: readonly string[]) => Promise<void>,
): Promise<FoundEntry | undefined> {
  const wanted = parse(text);
  const record = host.images.nameFor(text) && host.images.find(text);
  // By the digest of an index no single image is meant.
  if (!record || (wanted.digest && wanted.digest !== record.manifest.digest)) return undefined;
  const { source, needed } = await storedImage(host, text);
  const { digest, mediaType, size } = record.manifest;
  await keep([digest, ...needed]);
  // It may have been removed, or its name given to another, before they were kept.
  if (host.images.find(text)?.id !== record.id) return await findHere(host, text, keep);
  const { bytes } = await source.document({ digest, mediaType, size });
  const entry = await entryOf(source, bytes, mediaType, canonical(wanted));
  return { ...entry, items: [digest, ...needed] };
}

async function findThere(
  host: Host,
  text: string,
  tlsVerify: boolean | undefined,
  keep: (items: readonly string[]) => Promise<void>,
): Promise<FoundEntry> {
  const wanted = parse(text);
  const source = await openAsked(host, canonical(wanted), tlsVerify);
  try {
    const { bytes, contentType } = await source.root();
    const entry = await entryOf(source, bytes, contentType, canonical(wanted));
    await keep([entry.digest]);
    return { ...entry, items: [entry.digest] };
  } finally {
    await source.close();
  }
}

async function entryOf(
  source: Source,
  bytes: Uint8Array,
  contentType: string | null | undefined,
  reference: string,
) {
  const what = `the manifest of ${reference}`;
  const manifest = parseDocument(bytes, contentType, what);
  if (manifest.kind !== "manifest") {
    const why = `${reference} is a manifest list itself: name its images by their digests, as manifest inspect tells them`;
    throw new RtError("unsupported", why);
  }
  const platform = await platformOf(source, manifest.config, reference);
  const { mediaType } = manifest;
  return { mediaType, size: bytes.length, digest: digestOf(bytes), platform, reference, bytes, manifest };
}

/** As its config has it; undefined of what is no image. */
export async function platformOf(
  source: Source,
  config: Descriptor,
  name: string,
): Promise<ListPlatform | undefined> {
  if (!isConfigType(config.mediaType)) return undefined;
  const what = `the config of ${name}`;
  if (config.size > documentBytesMax)
    throw new RtError(
      "exhausted",
      `${what} has ${config.size} bytes: at most ${documentBytesMax} are accepted`,
    );
  const parts: Uint8Array[] = [];
  for await (const chunk of source.fetch(config, 0)) parts.push(chunk);
  const bytes = Buffer.concat(parts);
  checkBytes(bytes, config, "config", name);
  const field = fieldsIn(parseJson(bytes, what), what);
  const text = (key: string) => optionalIn(field(key), `${what}: ${shown(key)}`, stringIn) ?? "";
  return ordered({
    architecture: text("architecture"),
    os: text("os"),
    "os.version": text("os.version"),
    "os.features": optionalIn(field("os.features"), `${what}: os.features`, stringsIn) ?? [],
    variant: text("variant"),
  });
}

/** The name of a list, which has no digest before it is pushed. */
export function listName(text: string): string {
  const reference: Reference = parse(text);
  if (reference.digest !== undefined)
    throw new RtError("invalid-argument", `invalid name of a list ${shown(text)}: it has a digest`);
  return canonical(reference);
}
