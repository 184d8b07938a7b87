import type { Digest } from "../oci/digest.ts";
import { type Exchange, isUnchanged, noBody } from "./exchange.ts";
import { ProtocolError } from "./protocol-error.ts";
import { type ByteRange, rangeIn } from "./range.ts";
import { digestIn } from "./route.ts";
import type { ServedBlob, ServedRepository } from "./store.ts";

/** `/v2/<name>/blobs/<digest>`: GET, HEAD, DELETE (spec.md#pulling-blobs, #deleting-blobs). */
export async function answerBlob(
  { request }: Exchange,
  repository: ServedRepository,
  text: string,
): Promise<Response> {
  const digest = digestIn(text);
  switch (request.method) {
    case "GET":
    case "HEAD": {
      const blob = await repository.blob(digest, request.method === "HEAD");
      if (!blob) throw unknownBlob(digest);
      return sendBlob(request, digest, blob);
    }
    case "DELETE":
      if (!(await repository.deleteBlob(digest))) throw unknownBlob(digest);
      return noBody(202);
    default:
      throw new ProtocolError("UNSUPPORTED", "a blob knows GET, HEAD and DELETE");
  }
}

function sendBlob(request: Request, digest: Digest, blob: ServedBlob): Response {
  const { size } = blob;
  const headers: Record<string, string> = {
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "Content-Type": "application/octet-stream",
    // Or it would be called what the file here is.
    "Content-Disposition": "attachment",
    "Cache-Control": "max-age=31536000",
    "Accept-Ranges": "bytes",
  };
  if (isUnchanged(request, digest)) return noBody(304, headers);
  const range = rangeIn(request.headers.get("range"), size);
  if (range === "unsatisfiable") {
    const message = `the blob has ${size} bytes`;
    throw new ProtocolError("SIZE_INVALID", message, {
      status: 416,
      headers: { "Content-Range": `bytes */${size}` },
    });
  }
  const span: ByteRange = range === "none" ? { start: 0, end: size } : range;
  headers["Content-Length"] = String(span.end - span.start);
  if (range !== "none") headers["Content-Range"] = `bytes ${span.start}-${span.end - 1}/${size}`;
  const status = range === "none" ? 200 : 206;
  return new Response(request.method === "HEAD" ? null : bodyOf(blob, span), { status, headers });
}

function bodyOf(
  { size, path, read }: ServedBlob,
  { start, end }: ByteRange,
): Blob | ReadableStream<Uint8Array> {
  if (read) return read(start, end);
  const file = Bun.file(path!);
  return start === 0 && end === size ? file : file.slice(start, end);
}

function unknownBlob(digest: Digest): ProtocolError {
  return new ProtocolError("BLOB_UNKNOWN", `there is no blob ${digest} here`);
}
