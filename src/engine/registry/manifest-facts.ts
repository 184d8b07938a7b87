import { RtError } from "../../base/errors.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { fieldsIn, optionalIn, parseJson, stringIn } from "../../oci/json.ts";
import type { Index, Manifest } from "../../oci/manifest.ts";

/** What a list of referrers tells of a manifest (distribution-spec, listing referrers). */
export interface ManifestFacts {
  subject?: Digest;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** RFC 6838: two names of 127 characters at most. */
const typeLengthMax = 255;

/** @throws RtError data-loss: a subject of the wrong form; a type that is longer than any */
export function manifestFacts(bytes: Uint8Array, document: Manifest | Index): ManifestFacts {
  const what = "the manifest";
  const field = fieldsIn(parseJson(bytes, what), what);
  const own = optionalIn(field("artifactType"), `${what}: artifactType`, stringIn) || undefined;
  const artifactType = own ?? (document.kind === "manifest" ? document.config.mediaType : undefined);
  if ((artifactType?.length ?? 0) > typeLengthMax)
    throw new RtError("data-loss", `${what} is of a type of more than ${typeLengthMax} characters`);
  const subject = optionalIn(field("subject"), `${what}: subject`, (value, place) => {
    const digest = fieldsIn(value, place)("digest");
    if (isDigest(digest)) return digest;
    throw new RtError("data-loss", `${place} has no digest of sha256`);
  });
  const { annotations } = document;
  return {
    ...(subject && { subject }),
    ...(artifactType && { artifactType }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}
