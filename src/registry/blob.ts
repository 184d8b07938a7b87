import { RtError } from "../base/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { quoted } from "../oci/json.ts";
import type { Answer } from "./answer.ts";
import type { EndpointClient } from "./endpoint-client.ts";
import type { Limits } from "./limits.ts";
import { pauseOrThrow, TransientError } from "./retry.ts";

/**
 * A blob's bytes from `offset` to its descriptor's size. When the connection breaks, the rest is asked for by Range:
 *
 *   206 with the right Content-Range   goes on
 *   206 with another one               a failed try
 *   200                                a server without ranges: the bytes we have are skipped
 *
 * @throws data-loss: more bytes than the descriptor says; else as EndpointClient.get
 */
export async function* fetchBlob(
  client: EndpointClient,
  blob: Descriptor,
  offset: number,
  limits: Limits,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let position = offset;
  for (let failures = 0; position < blob.size; ) {
    const start = position;
    try {
      for await (const chunk of oneTry(client, blob, position, signal)) {
        position += chunk.length;
        yield chunk;
      }
      if (position < blob.size) {
        throw new TransientError(
          `${client.endpoint.host} ends ${blob.digest} at byte ${position} of ${blob.size}`,
        );
      }
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      failures = position - start >= limits.progressBytesMin ? 1 : failures + 1;
      await pauseOrThrow(error, failures, limits, signal);
    }
  }
}

async function* oneTry(
  client: EndpointClient,
  blob: Descriptor,
  position: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const headers: Record<string, string> = position > 0 ? { Range: `bytes=${position}-` } : {};
  const answer = await client.get(`blobs/${blob.digest}`, headers, signal);
  let skip: number;
  try {
    skip = bytesToSkip(answer, blob, position);
  } catch (error) {
    answer.discard();
    throw error;
  }
  let room = blob.size - position;
  for await (const whole of answer.chunks()) {
    const chunk = skip > 0 ? whole.subarray(skip) : whole;
    skip -= whole.length - chunk.length;
    if (chunk.length === 0) continue;
    room -= chunk.length;
    if (room < 0) throw wrongSize(answer, blob, "sends more");
    yield chunk;
  }
}

/** How many bytes of the body lie before `position`, once the headers prove to be about this blob. */
function bytesToSkip(answer: Answer, blob: Descriptor, position: number): number {
  if (answer.status === 200) {
    const length = answer.headers.get("content-length");
    if (length !== null && Number(length) !== blob.size)
      throw wrongSize(answer, blob, `announces ${Number(length)}`);
    return position;
  }
  const text = answer.headers.get("content-range") ?? "";
  const range = /^bytes ([0-9]{1,16})-([0-9]{1,16})\/([0-9]{1,16}|\*)$/.exec(text);
  const [first, last, total] = [Number(range?.[1]), Number(range?.[2]), range?.[3]];
  if (total !== undefined && total !== "*" && Number(total) !== blob.size) {
    throw wrongSize(answer, blob, `announces ${Number(total)}`);
  }
  if (!range || first !== position || last < first || last >= blob.size) {
    throw new TransientError(
      `${answer.url.host} answers bytes ${position}- of ${blob.digest} with ${quoted(text)}`,
    );
  }
  return 0;
}

function wrongSize(answer: Answer, blob: Descriptor, does: string): RtError {
  return new RtError(
    "data-loss",
    `${answer.url.host} ${does} bytes for ${blob.digest} where its manifest says ${blob.size}: refused`,
  );
}
