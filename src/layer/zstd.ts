import { readSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import type { LayerStream } from "./stream.ts";

/** Read at once from the blob. */
const inputBytes = 256 * 1024;
/** Decompressed at once: about 0.3 ms of this thread. */
const outputBytes = 512 * 1024;
/** Frames that want a larger window than 2^27 bytes are refused, as zstd(1) does: it is our memory. */
const windowLogMax = 27;

/**
 * The decompressed bytes of a zstd blob (RFC 8878) that is still arriving: any number of frames one after the other,
 * skippable ones included. A chunk is valid until the next is asked for.
 * @param fd the stream's file, open
 * @throws RtError data-loss: damaged, cut off, or something else after the last frame; what `stream.more` rejects with
 */
export async function* inflateZstd(stream: LayerStream, fd: number): AsyncGenerator<Uint8Array> {
  const { DCtx, DParameter } = await loadZstd();
  const context = new DCtx();
  context.setParameter(DParameter.windowLogMax, windowLogMax);
  const input = Buffer.allocUnsafe(inputBytes);
  const output = Buffer.allocUnsafe(outputBytes);
  let have = 0;
  let inFrame = false;
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
        const [hint, produced, consumed] = step(() => context.decompressStream(output, rest));
        rest = rest.subarray(consumed);
        inFrame = hint !== 0;
        full = produced === outputBytes;
        if (produced > 0) yield output.subarray(0, produced);
      }
    }
    if (done) break;
  }
  if (inFrame || have === 0) throw new RtError("data-loss", "the zstd stream ends early");
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

/** zstd-napi's addon, loaded for the first zstd layer only; its JavaScript part (node streams) is not needed. */
async function loadZstd(): Promise<typeof import("zstd-napi/binding")> {
  const { loadZstdAddon } = await import("../native/addon.ts");
  loadZstdAddon();
  return (globalThis as unknown as Record<symbol, typeof import("zstd-napi/binding")>)[
    Symbol.for("rt.zstd")
  ]!;
}
