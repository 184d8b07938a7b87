import type { Digest } from "../oci/digest.ts";
import { takeBody } from "./body.ts";
import { type Exchange, noBody } from "./exchange.ts";
import { ProtocolError } from "./protocol-error.ts";
import { contentRangeIn } from "./range.ts";
import { digestIn, uploadIdIn } from "./route.ts";
import type { DistributionStore, ServedRepository, ServedUpload } from "./store.ts";

/** `/v2/<name>/blobs/uploads/`: POST (spec.md#pushing-blobs): a blob at once, one of another repository's, or a new upload. */
export async function answerUploads(
  exchange: Exchange,
  store: DistributionStore,
  repository: ServedRepository,
  blobSizeMax: number,
): Promise<Response> {
  const { request, url, name, client } = exchange;
  if (request.method !== "POST") throw new ProtocolError("UNSUPPORTED", "an upload begins with POST");
  const [mount, from, whole] = ["mount", "from", "digest"].map((key) => url.searchParams.get(key));
  if (mount && from) {
    const digest = digestIn(mount);
    if (await repository.mount(digest, store.repository(from))) return created(name, digest);
  }
  const digest = whole ? digestIn(whole) : undefined;
  const id = repository.startUpload(client);
  if (digest === undefined) return progress(202, name, id, 0);
  using upload = await held(repository, id);
  try {
    await append(request, upload, blobSizeMax);
  } catch (error) {
    // Nobody knows its name, to go on with it.
    upload.cancel();
    throw error;
  }
  await upload.commit(digest);
  return created(name, digest);
}

/** `/v2/<name>/blobs/uploads/<id>`: PATCH, PUT, GET, DELETE (spec.md#pushing-a-blob-in-chunks). */
export async function answerUpload(
  { request, url, name }: Exchange,
  repository: ServedRepository,
  text: string,
  blobSizeMax: number,
): Promise<Response> {
  const id = uploadIdIn(text);
  const size = repository.uploadSize(id);
  if (size === undefined) throw unknownUpload();
  switch (request.method) {
    case "GET":
    case "HEAD":
      return progress(204, name, id, size);
    case "PATCH": {
      using upload = await held(repository, id);
      checkPlace(request, name, id, upload);
      await append(request, upload, blobSizeMax);
      return progress(202, name, id, upload.size);
    }
    case "PUT": {
      const digest = digestIn(url.searchParams.get("digest") ?? "");
      using upload = await held(repository, id);
      checkPlace(request, name, id, upload);
      await append(request, upload, blobSizeMax);
      await upload.commit(digest);
      return created(name, digest);
    }
    case "DELETE": {
      using upload = await held(repository, id);
      upload.cancel();
      return noBody(204);
    }
    default:
      throw new ProtocolError("UNSUPPORTED", "an upload knows PATCH, PUT, GET and DELETE");
  }
}

/** A piece must begin where the last one ended. */
function checkPlace({ headers }: Request, name: string, id: string, { size }: ServedUpload): void {
  const header = headers.get("content-range");
  if (header === null) return;
  const range = contentRangeIn(header);
  const length = headers.get("content-length");
  const fits = range && (length === null || range.end - range.start === Number(length));
  if (!fits)
    throw new ProtocolError("BLOB_UPLOAD_INVALID", "Content-Range and what is sent do not fit together");
  if (range.start === size) return;
  throw new ProtocolError("BLOB_UPLOAD_INVALID", `the upload goes on at byte ${size}`, {
    status: 416,
    headers: placeOf(name, id, size),
  });
}

async function append(request: Request, upload: ServedUpload, blobSizeMax: number): Promise<void> {
  const tooLarge = () => {
    upload.cancel();
    return new ProtocolError("SIZE_INVALID", `a blob has at most ${blobSizeMax} bytes`, { status: 413 });
  };
  const promised = request.headers.get("content-length");
  if (upload.size + Number(promised ?? 0) > blobSizeMax) throw tooLarge();
  if (promised !== null) upload.expect(Number(promised));
  await takeBody(request, (chunk) => {
    if (upload.size + chunk.length > blobSizeMax) throw tooLarge();
    upload.write(chunk);
  });
}

async function held(repository: ServedRepository, id: string): Promise<ServedUpload> {
  const upload = await repository.upload(id);
  if (!upload) throw unknownUpload();
  return upload;
}

function created(name: string, digest: Digest): Response {
  return noBody(201, { Location: `/v2/${name}/blobs/${digest}`, "Docker-Content-Digest": digest });
}

function progress(status: number, name: string, id: string, size: number): Response {
  return noBody(status, placeOf(name, id, size));
}

/** Of an upload without a byte the specification has no word either. */
function placeOf(name: string, id: string, size: number): Record<string, string> {
  return {
    Location: `/v2/${name}/blobs/uploads/${id}`,
    Range: `0-${Math.max(size - 1, 0)}`,
    "Docker-Upload-UUID": id,
  };
}

function unknownUpload(): ProtocolError {
  return new ProtocolError("BLOB_UPLOAD_UNKNOWN", "there is no such upload in this repository");
}
