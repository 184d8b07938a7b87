/** Puts a small image into any registry, by the plainest requests there are. */
import { digestOf } from "../../src/oci/digest.ts";
import type { TestImage } from "./fake-registry.ts";

export interface PushTarget {
  url: string;
  headers?: Record<string, string>;
}

/** @returns the digest of the last document, which `reference` names */
export async function pushImage(
  { url, headers = {} }: PushTarget,
  repository: string,
  reference: string,
  image: TestImage,
): Promise<string> {
  for (const blob of image.blobs) await pushBlob({ url, headers }, repository, blob);
  const last = image.documents.at(-1)!;
  for (const { bytes, mediaType } of image.documents) {
    const name = bytes === last.bytes ? reference : digestOf(bytes);
    const response = await fetch(`${url}/v2/${repository}/manifests/${name}`, {
      method: "PUT",
      headers: { ...headers, "Content-Type": mediaType },
      body: bytes,
    });
    if (response.status !== 201) throw new Error(`manifest: ${response.status} ${await response.text()}`);
  }
  return digestOf(last.bytes);
}

export async function pushBlob(
  { url, headers = {} }: PushTarget,
  repository: string,
  bytes: Uint8Array,
): Promise<void> {
  const path = `/v2/${repository}/blobs/uploads/?digest=${digestOf(bytes)}`;
  const response = await fetch(`${url}${path}`, { method: "POST", headers, body: bytes });
  if (response.status !== 201) throw new Error(`blob: ${response.status} ${await response.text()}`);
}
