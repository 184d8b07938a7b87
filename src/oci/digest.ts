import { RtError } from "../base/errors.ts";
import { type Shape, such } from "../base/shape.ts";
import { quoted } from "./json.ts";

/** `sha256:` and 64 lower-case hex digits. Branded: a string becomes a Digest only through `parseDigest`. */
export type Digest = `sha256:${string}` & { readonly __brand: "Digest" };

const pattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && pattern.test(text);
}

/** A digest in a record. */
export const digestShape: Shape<Digest> = such(isDigest, "a digest");

/** @throws RtError invalid-argument: sha512 and others are valid OCI, but rt's store is addressed by sha256 alone. */
export function parseDigest(text: unknown, what = "digest"): Digest {
  if (isDigest(text)) return text;
  throw new RtError(
    "invalid-argument",
    `invalid ${what} ${typeof text === "string" ? quoted(text) : typeof text}: want sha256: and 64 lower-case hex digits`,
  );
}

/** The 64 hex digits of a digest: a file name that is safe by construction. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}` as Digest;
}

/** chainID(n) = sha256(chainID(n-1) + " " + diffID(n)); chainID(0) = diffID(0). OCI image-spec, config.md#layer-chainid. */
export function chainID(parent: Digest | undefined, diffID: Digest): Digest {
  return parent === undefined ? diffID : digestOf(`${parent} ${diffID}`);
}

/** Every chainID of an image, bottom first. */
export function chainIDs(diffIDs: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffID of diffIDs) chain.push(chainID(chain.at(-1), diffID));
  return chain;
}
