import { readSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import type { LayerStream } from "./stream.ts";
import { type ContextLease, type Contexts, leaseContext } from "./zstd-context.ts";
import { frameHeaderBytesMax, parseFrameHeader } from "./zstd-frame.ts";

/** Read at once from the blob. */
const inputBytes = 256 * 1024;
/** Decompressed at once: about 0.3 ms of this thread. */
const outputBytes = 512 * 1024;
/** Frames that want a larger window than 128 MiB are refused, as zstd(1) does: it is our memory. */
const windowLogMax = 27;

/**
 * The decompressed bytes of a zstd blob (RFC 8878) that is still arriving: any number of frames one after the other,
 * skippable ones included. A chunk is valid until the next is asked for.
 * @param fd the stream's file, open
 * @throws RtError data-loss: damaged, cut off, or something else after the last frame; exhausted: too large a window; what
 * `stream.more` rejects with
 */
export async function* inflateZstd(stream: LayerStream, fd: number): AsyncGenerator<Uint8Array> {
  const contexts = await loadContexts();
  const input = Buffer.allocUnsafe(inputBytes);
  const output = Buffer.allocUnsafe(outputBytes);
  let have = 0;
  let lease: ContextLease | undefined;
  try {
    for (;;) {
      const { size, done } = await stream.more(have);
      while (have < size) {
        const bytesRead = readSync(fd, input, 0, Math.min(inputBytes, size - have), have);
        if (bytesRead === 0)
          throw new RtError("data-loss", "the layer's blob became shorter while it was read");
        have += bytesRead;
        let rest = input.subarray(0, bytesRead);
        // A full output buffer may leave more inside the context, even when all input is taken.
        for (let full = false; rest.length > 0 || full; ) {
          lease ??= await leaseContext(await windowAt(stream, fd, have - rest.length), contexts);
          const { context } = lease;
          const [hint, produced, consumed] = step(() => context.decompressStream(output, rest));
          rest = rest.subarray(consumed);
          full = produced === outputBytes && hint !== 0;
          if (hint === 0) {
            lease.end();
            lease = undefined;
          }
          if (produced > 0) yield output.subarray(0, produced);
        }
      }
      if (done) break;
    }
    if (lease || have === 0) throw new RtError("data-loss", "the zstd stream ends early");
  } finally {
    lease?.end();
  }
}

/** The window that the frame at `position` of the blob wants; 0 where the blob ends before that is said. */
async function windowAt(stream: LayerStream, fd: number, position: number): Promise<number> {
  const head = Buffer.alloc(frameHeaderBytesMax);
  for (;;) {
    const length = readSync(fd, head, 0, head.length, position);
    const header = parseFrameHeader(head.subarray(0, length));
    if (header) return checkWindow(header.window);
    const { size, done } = await stream.more(position + length);
    if (done && size <= position + length) return 0;
  }
}

function checkWindow(window: number): number {
  const max = 2 ** windowLogMax;
  if (window <= max) return window;
  const wanted = Math.ceil(window / 1024 ** 2);
  throw new RtError(
    "exhausted",
    `the zstd stream wants a window of ${wanted} MiB, and the limit is ${max / 1024 ** 2} MiB (--long=${windowLogMax})`,
  );
}

function step<T>(decompress: () => T): T {
  try {
    return decompress();
  } catch (error) {
    throw new RtError("data-loss", `the zstd stream is damaged: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Of zstd-napi's addon: loaded for the first zstd layer only; its JavaScript part (node streams) is not needed. */
async function loadContexts(): Promise<Contexts> {
  const { loadZstdAddon } = await import("../native/addon.ts");
  loadZstdAddon();
  const place = globalThis as unknown as Record<symbol, typeof import("zstd-napi/binding")>;
  const { DCtx, DParameter, ResetDirective } = place[Symbol.for("rt.zstd")]!;
  return {
    make() {
      const context = new DCtx();
      context.setParameter(DParameter.windowLogMax, windowLogMax);
      return context;
    },
    reset: (context) => context.reset(ResetDirective.sessionOnly),
  };
}
