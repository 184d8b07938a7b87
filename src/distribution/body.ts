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

/** Bytes of all small bodies that are here at once: what is made of them takes several times as much. */
const heldMax = 64 << 20;
let held = 0;

/**
 * A small body, whole. It counts among those that are here until `use` is done.
 * @throws ProtocolError `tooLarge` | TOOMANYREQUESTS
 */
export async function withSmallBody<T>(
  request: Request,
  sizeMax: number,
  tooLarge: ProtocolError,
  use: (bytes: Uint8Array) => Promise<T>,
): Promise<T> {
  if (Number(request.headers.get("content-length") ?? 0) > sizeMax) throw tooLarge;
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    await takeBody(request, (chunk) => {
      size += chunk.length;
      held += chunk.length;
      if (size > sizeMax) throw tooLarge;
      if (held > heldMax)
        throw new ProtocolError("TOOMANYREQUESTS", "too much is sent at once: try again", {
          headers: { "Retry-After": "1" },
        });
      parts.push(chunk);
    });
    return await use(Buffer.concat(parts.splice(0), size));
  } finally {
    held -= size;
  }
}
