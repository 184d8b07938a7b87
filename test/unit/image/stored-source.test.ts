/** What of an image in the store goes out: its index where all of that is here, else its manifest. */
import { expect, test } from "bun:test";
import { ContentStore } from "../../../src/content/content-store.ts";
import type { ImageRecord } from "../../../src/image/record.ts";
import { StoredSource, wholeIndex } from "../../../src/image/stored-source.ts";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import { scratch } from "../store/samples.ts";

interface Put {
  mediaType: string;
  digest: Digest;
  size: number;
}

async function put(content: ContentStore, mediaType: string, value: object): Promise<Put> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const digest = digestOf(bytes);
  await content.put(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

async function manifest(content: ContentStore): Promise<Put> {
  const config = await put(content, mediaTypes.ociConfig, { os: "linux" });
  return put(content, mediaTypes.ociManifest, { schemaVersion: 2, config, layers: [] });
}

const index = (content: ContentStore, manifests: readonly object[]) =>
  put(content, mediaTypes.ociIndex, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });

async function rootOf(content: ContentStore, target: Put, own: Put): Promise<Digest> {
  const record = { manifest: own } as ImageRecord;
  const image = { name: "x", reference: "", record, target: target.digest };
  return digestOf((await new StoredSource(content, image).root()).bytes);
}

test("an index goes out with all that it names, and what is to be kept of it is told", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  const own = await manifest(content);
  const whole = await index(content, [own]);
  expect(await rootOf(content, whole, own)).toBe(whole.digest);
  expect([...(wholeIndex(content, whole.digest) ?? [])]).toContain(own.digest);
  const missing = { ...own, digest: digestOf("another platform's") };
  const part = await index(content, [own, missing]);
  expect(await rootOf(content, part, own)).toBe(own.digest);
  expect(wholeIndex(content, part.digest)).toBeUndefined();
});

test("an entry whose digest is of another algorithm is not here: the manifest goes out", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  const own = await manifest(content);
  const other = await index(content, [own, { ...own, digest: `sha512:${"0".repeat(128)}` }]);
  expect(await rootOf(content, other, own)).toBe(own.digest);
});

test("indexes of a thousand equal entries in one another are each read once", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  const own = await manifest(content);
  let top = own;
  for (let level = 0; level < 3; level++) top = await index(content, Array(1000).fill(top));
  let reads = 0;
  content.read = (digest) => {
    if (++reads > 100) throw new Error("read again and again");
    return ContentStore.prototype.read.call(content, digest);
  };
  expect(wholeIndex(content, top.digest)?.size).toBe(5);
});
