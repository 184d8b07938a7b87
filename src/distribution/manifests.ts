import { RtError } from "../base/errors.ts";
import { digestOf } from "../oci/digest.ts";
import { documentBytesMax, shown } from "../oci/json.ts";
import { isIndexType, isManifestType } from "../oci/media-types.ts";
import { withSmallBody } from "./body.ts";
import { type Exchange, isUnchanged, noBody } from "./exchange.ts";
import { ProtocolError } from "./protocol-error.ts";
import { type ManifestName, manifestNameIn } from "./route.ts";
import type { ServedManifest, ServedRepository } from "./store.ts";

/** `/v2/<name>/manifests/<reference>`: GET, HEAD, PUT, DELETE (spec.md#pulling-manifests, #pushing-manifests, #deleting-manifests). */
export async function answerManifest(
  { request, name }: Exchange,
  repository: ServedRepository,
  reference: string,
): Promise<Response> {
  const named = manifestNameIn(reference);
  switch (request.method) {
    case "GET":
    case "HEAD":
      return getManifest(request, repository, named, reference);
    case "PUT":
      if (!named)
        throw new ProtocolError(
          "MANIFEST_INVALID",
          `${shown(reference)} is no tag: at most 128 of letters, digits, "_", "." and "-"`,
        );
      return putManifest(request, name, repository, named);
    case "DELETE":
      if (!named || !(await repository.deleteManifest(named))) throw unknown(reference);
      return noBody(202);
    default:
      throw new ProtocolError("UNSUPPORTED", "a manifest knows GET, HEAD, PUT and DELETE");
  }
}

async function getManifest(
  request: Request,
  repository: ServedRepository,
  named: ManifestName | undefined,
  reference: string,
): Promise<Response> {
  const found = named && (await repository.manifest(named));
  if (!found) throw unknown(reference);
  const wanted = "tag" in named ? await forOldClient(request, repository, found) : found;
  const headers = {
    "Docker-Content-Digest": wanted.digest,
    ETag: `"${wanted.digest}"`,
    "Content-Type": wanted.mediaType,
    "Content-Length": String(wanted.bytes.length),
  };
  if (isUnchanged(request, wanted.digest)) return noBody(304, headers);
  return new Response(request.method === "HEAD" ? null : wanted.bytes, { headers });
}

/** Who names types and no index among them gets the image for linux/amd64, as from Docker's registry. */
async function forOldClient(
  request: Request,
  repository: ServedRepository,
  found: ServedManifest,
): Promise<ServedManifest> {
  const accept = request.headers.get("accept") ?? "*/*";
  const types = accept.split(",").map((type) => type.split(";", 1)[0]!.trim());
  const isOld = types.some(isManifestType) && !types.some((type) => isIndexType(type) || type.includes("*"));
  if (!isOld || !isIndexType(found.mediaType)) return found;
  const { parseDocument } = await import("../oci/manifest.ts");
  const index = parseDocument(found.bytes, found.mediaType, "the index");
  if (index.kind !== "index") return found;
  const entry = index.manifests.find(
    ({ platform }) => platform?.os === "linux" && platform.architecture === "amd64",
  );
  const below = entry && manifestNameIn(entry.digest);
  return (below && (await repository.manifest(below))) ?? found;
}

async function putManifest(
  request: Request,
  name: string,
  repository: ServedRepository,
  named: ManifestName,
): Promise<Response> {
  const tooLarge = new ProtocolError("SIZE_INVALID", `a manifest has at most ${documentBytesMax} bytes`, {
    status: 413,
  });
  return withSmallBody(request, documentBytesMax, tooLarge, async (bytes) => {
    const digest = digestOf(bytes);
    if ("digest" in named && named.digest !== digest)
      throw new ProtocolError("DIGEST_INVALID", `what was sent is ${digest}`);
    const contentType = request.headers.get("content-type");
    const { subject } = await repository.putManifest(named, { bytes, contentType });
    return noBody(201, {
      Location: `/v2/${name}/manifests/${digest}`,
      "Docker-Content-Digest": digest,
      ...(subject && { "OCI-Subject": subject }),
    });
  });
}

/** What reading a manifest says against it. */
export function invalidManifest(error: unknown): unknown {
  return error instanceof RtError
    ? new ProtocolError("MANIFEST_INVALID", error.message, { cause: error })
    : error;
}

function unknown(reference: string): ProtocolError {
  return new ProtocolError("MANIFEST_UNKNOWN", `there is no manifest ${shown(reference)} here`);
}
