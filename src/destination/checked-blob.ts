import { RtError } from "../base/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { ReadBlob } from "./destination.ts";

/**
 * A blob's bytes as they come, and in the end a failure unless their number and digest were those of the descriptor: what was
 * made of them is nothing before.
 * @throws RtError data-loss
 */
export async function* checkedBlob(
  blob: Descriptor,
  read: ReadBlob,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const hash = new Bun.CryptoHasher("sha256");
  let size = 0;
  for await (const chunk of read(blob, 0, signal)) {
    signal.throwIfAborted();
    size += chunk.length;
    if (size > blob.size) throw wrong(blob);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== blob.size || `sha256:${hash.digest("hex")}` !== blob.digest) throw wrong(blob);
}

function wrong({ digest }: Descriptor): RtError {
  return new RtError("data-loss", `what was read of ${digest} is something else: refused`);
}
