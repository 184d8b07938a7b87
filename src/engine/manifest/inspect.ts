import { RtError } from "../../base/errors.ts";
import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import { ManifestListStore, type StoredEntry } from "../../image/manifest-list-store.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { chosen, parseDocument, type RawDocument } from "../../oci/manifest.ts";
import { type ListPlatform, listDocument, ordered } from "../../oci/manifest-list.ts";
import { mediaTypes } from "../../oci/media-types.ts";
import { isNear } from "../../reference/kind.ts";
import { canonical, parse } from "../../reference/reference.ts";
import { checkBytes } from "../../source/resolve.ts";
import type { Source } from "../../source/source.ts";
import type { Host } from "../host.ts";
import { listName, openAsked, platformOf } from "./found.ts";

export interface InspectManifestOptions {
  /** Of this list that was made here. */
  list?: string | undefined;
  /** With descriptors, platforms and what an index names. */
  verbose: boolean;
  /** Who the caller is to the registry; undefined: whom this host's files know. */
  credentials?: RegistryCredentials | undefined;
  /** False: this registry may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
}

/** A manifest, or an index, as it came; with `verbose` docker's documents about it, or about all that it names. */
export type ManifestInspect =
  | { kind: "manifest" | "index"; bytes: Uint8Array }
  | { kind: "verbose"; documents: VerboseManifest | VerboseManifest[] };

/** Docker's document of `manifest inspect -v`. */
export interface VerboseManifest {
  Ref: string;
  Descriptor: { mediaType: string; digest: Digest; size: number; platform?: ListPlatform };
  /** Base64. */
  Raw: string;
  SchemaV2Manifest?: unknown;
  OCIManifest?: unknown;
}

const entriesMax = 256;

/** Of a list that was made here, if there is one of this name; else of what the registry has by it. */
export async function inspectManifest(
  host: Host,
  text: string,
  options: InspectManifestOptions,
): Promise<ManifestInspect> {
  const { list, verbose, tlsVerify, credentials } = options;
  if (list !== undefined) return await inspectEntry(host, listName(list), text, verbose);
  const own = isNear(text) || parse(text).digest ? undefined : listName(text);
  const lists = new ManifestListStore(host.database);
  if (own && lists.has(own)) return await inspectList(host, lists.get(own), verbose);
  const source = await openAsked(host, isNear(text) ? text : canonical(parse(text)), tlsVerify, credentials);
  try {
    return await inspectSource(source, verbose);
  } finally {
    await source.close();
  }
}

async function inspectEntry(
  host: Host,
  list: string,
  text: string,
  verbose: boolean,
): Promise<ManifestInspect> {
  const reference = canonical(parse(text));
  const entry = new ManifestListStore(host.database).get(list).find((each) => each.reference === reference);
  if (!entry) throw new RtError("not-found", `No such manifest: ${reference} in ${list}`);
  const bytes = (await host.content()).read(entry.digest);
  if (!verbose) return { kind: "manifest", bytes };
  return { kind: "verbose", documents: verboseOf(reference, bytes, entry.mediaType, entry.platform) };
}

async function inspectList(
  host: Host,
  entries: readonly StoredEntry[],
  verbose: boolean,
): Promise<ManifestInspect> {
  if (!verbose) return { kind: "index", bytes: listDocument(entries).bytes };
  const content = await host.content();
  const documents = entries.map(({ digest, mediaType, platform, reference }) =>
    verboseOf(reference, content.read(digest), mediaType, platform),
  );
  return { kind: "verbose", documents };
}

async function inspectSource(source: Source, verbose: boolean): Promise<ManifestInspect> {
  const raw = await source.root();
  const what = `the manifest of ${source.name}`;
  const document = parseDocument(raw.bytes, raw.contentType, what);
  if (!verbose) return { kind: document.kind, bytes: raw.bytes };
  if (document.kind === "manifest") {
    const platform = await platformOf(source, document.config, source.name);
    return { kind: "verbose", documents: verboseOf(source.name, raw.bytes, document.mediaType, platform) };
  }
  if (document.manifests.length > entriesMax)
    throw new RtError("exhausted", `${what} has more than ${entriesMax} entries: refused`);
  const documents: VerboseManifest[] = [];
  for (const each of document.manifests) {
    const entry = chosen(each, what);
    const below: RawDocument = await source.document(entry);
    checkBytes(below.bytes, entry, "manifest", source.name);
    const reference = `${source.name.replace(/@sha256:.*$/, "")}@${entry.digest}`;
    documents.push(verboseOf(reference, below.bytes, entry.mediaType, entry.platform));
  }
  return { kind: "verbose", documents };
}

function verboseOf(
  reference: string,
  bytes: Uint8Array,
  mediaType: string,
  platform: ListPlatform | undefined,
): VerboseManifest {
  const { mediaType: type } = parseDocument(bytes, mediaType, `the manifest of ${reference}`);
  const document: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const descriptor = { mediaType: type, digest: digestOf(bytes), size: bytes.length };
  return {
    Ref: reference,
    Descriptor: { ...descriptor, ...(platform && { platform: ordered(platform) }) },
    Raw: Buffer.from(bytes).toString("base64"),
    ...(type === mediaTypes.dockerManifest ? { SchemaV2Manifest: document } : { OCIManifest: document }),
  };
}
