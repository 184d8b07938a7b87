import { StoredSource, wholeIndex } from "../../image/stored-source.ts";
import type { Digest } from "../../oci/digest.ts";
import { canonical } from "../../reference/reference.ts";
import type { Host } from "../host.ts";
import { remaker } from "./remake.ts";

export interface StoredForSending {
  source: StoredSource;
  /** Digests of blobs, and chainIDs: what must not go while it is sent. */
  needed: string[];
  /** "host/path" of where a blob of it has come from, or has been sent to, with this image or with another. */
  repositories: (blob: Digest) => string[];
}

/**
 * An image that is here, as a source.
 * @throws RtError not-found, in Docker's words
 */
export async function storedImage(host: Host, text: string): Promise<StoredForSending> {
  const { record, tags, targets } = host.images.get(text);
  const content = await host.content();
  const wanted = host.images.nameFor(text);
  const tag = wanted ?? tags[0];
  const reference = tag ? canonical(tag) : "";
  const target = (tag && targets.get(canonical(tag))) ?? record.manifest.digest;
  const blobs = [record.manifest, record.configuration, ...record.layers].map(({ digest }) => digest);
  return {
    source: new StoredSource(content, { name: text, reference, record, target }, remaker(host, text, record)),
    needed: [target, ...blobs, ...record.chain, ...(wholeIndex(content, target) ?? [])],
    repositories: (blob) => host.images.repositoriesOf(blob),
  };
}
