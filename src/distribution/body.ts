import { ProtocolError } from "./protocol-error.ts";

/** A body must bring so much in each such span, or it counts as stalled: who trickles holds no upload for ever. */
const pace = { span_ms: 30_000, bytesMin: 1024 };

/**
 * The body as it comes. Whoever takes it does so at once and in step, so that nothing piles up here.
 * @returns bytes
 * @throws ProtocolError (cut off, stalled) | whatever `take` throws
 */
export async function takeBody(request: Request, take: (chunk: Uint8Array) => void): Promise<number> {
  const reader = request.body?.getReader();
  if (!reader) return 0;
  let total = 0;
  let before = 0;
  const stalled = new ProtocolError("BLOB_UPLOAD_INVALID", "the body stalls", { status: 408 });
  let isStalled = false;
  const timer = setInterval(() => {
    if (total - before < pace.bytesMin) {
      isStalled = true;
      reader.cancel(stalled).catch(() => undefined);
    }
    before = total;
  }, pace.span_ms);
  let failure: unknown;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      total += value.length;
      take(value);
    }
  } catch (error) {
    failure = error;
  } finally {
    clearInterval(timer);
  }
  if (failure === undefined) {
    // A cancelled body ends like any other, and one in chunks has promised no length.
    if (isStalled || isShort(request, total)) throw stalled;
    return total;
  }
  await reader.cancel(failure).catch(() => undefined);
  const isCut = failure instanceof Error && failure.name === "AbortError";
  throw isCut
    ? new ProtocolError("BLOB_UPLOAD_INVALID", "the connection was cut", { cause: failure })
    : failure;
}

/** Less than was promised: it was given up. */
function isShort(request: Request, total: number): boolean {
  const promised = request.headers.get("content-length");
  return promised !== null && total < Number(promised);
}

/** A small body, whole. @throws ProtocolError `tooLarge` */
export async function smallBody(
  request: Request,
  sizeMax: number,
  tooLarge: ProtocolError,
): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > sizeMax) throw tooLarge;
  const parts: Uint8Array[] = [];
  let size = 0;
  await takeBody(request, (chunk) => {
    size += chunk.length;
    if (size > sizeMax) throw tooLarge;
    parts.push(chunk);
  });
  return Buffer.concat(parts, size);
}
