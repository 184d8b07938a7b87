import { type ErrorCode, RtError } from "../base/errors.ts";
import { type Infer, integer, object, optional, type Shape, ShapeError, text } from "../base/shape.ts";
import { isErrorCode } from "../docker/error-document.ts";
import { given } from "../docker/zero.ts";
import type { LayerProgress } from "../engine/image/pull.ts";
import type { PushProgress } from "../engine/image/push.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { jsonLines } from "./streams.ts";

/**
 * What an engine tells while images travel: a JSON document a line, in an answer whose status is 200 whatever becomes of it.
 *
 *   {"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"4f4fb700ef54"}
 *   {"errorDetail":{"message":"…"},"error":"…"}
 */
const anything: Shape<unknown> = (value) => value;
const count = given(integer, 0);
const messageShape = object({
  status: given(text, ""),
  stream: given(text, ""),
  id: given(text, ""),
  progressDetail: given(object({ current: count, total: count }), { current: 0, total: 0 }),
  error: optional(anything),
  errorDetail: optional(anything),
  code: optional(anything),
  aux: optional(anything),
});
export type TransferMessage = Infer<typeof messageShape>;

/** Each, in order; what is no message is passed over. @throws RtError what one of them says went wrong */
export async function* readMessages(body: AsyncIterable<Uint8Array>): AsyncGenerator<TransferMessage, void> {
  for await (const line of jsonLines(body)) {
    const message = messageIn(line);
    if (!message) continue;
    const failure = failureIn(message);
    if (failure) throw failure;
    yield message;
  }
}

function messageIn(line: string): TransferMessage | undefined {
  try {
    return messageShape(JSON.parse(line), "message");
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ShapeError) return undefined;
    throw error;
  }
}

/** Its class is told by an engine of ours; Docker's say it in words. */
function failureIn({ error, errorDetail, code }: TransferMessage): RtError | undefined {
  if (error === undefined && errorDetail === undefined) return undefined;
  const detail = (typeof errorDetail === "object" && errorDetail !== null ? errorDetail : {}) as Record<
    string,
    unknown
  >;
  const said = typeof detail.message === "string" && detail.message !== "" ? detail.message : error;
  const message = typeof said === "string" && said !== "" ? said : "the engine failed, and does not say why";
  if (isErrorCode(code)) return new RtError(code, message);
  return new RtError(classOf(message), message, { exitCode: 1 });
}

function classOf(message: string): ErrorCode {
  if (/not found|manifest unknown|does not exist|No such image/i.test(message)) return "not-found";
  if (/unauthorized|authentication required|access.*denied/i.test(message)) return "unauthorized";
  if (/no space left/i.test(message)) return "exhausted";
  if (/invalid|unexpected EOF|archive\/tar|not a tar/i.test(message)) return "data-loss";
  return "unavailable";
}

/** Of a digest the API tells the first twelve digits; what is shown of one are these. */
function layerOf(id: string): Digest | undefined {
  if (isDigest(id)) return id;
  if (!/^[0-9a-f]{12}$/.test(id)) return undefined;
  return `sha256:${id.padEnd(64, "0")}` as Digest;
}

/** Of what comes. Undefined: it is not about a layer. */
export function pullProgress({ id, status, progressDetail }: TransferMessage): LayerProgress | undefined {
  const layer = layerOf(id);
  const what = comes.find(([words]) => status.startsWith(words))?.[1];
  return layer && what && { layer, status: what, ...progressDetail };
}

const comes: readonly (readonly [words: string, status: LayerProgress["status"]])[] = [
  ["Pulling fs layer", "waiting"],
  ["Waiting", "waiting"],
  ["Retrying", "waiting"],
  ["Downloading", "downloading"],
  ["Loading layer", "downloading"],
  ["Verifying Checksum", "downloading"],
  ["Download complete", "downloading"],
  ["Extracting", "extracting"],
  ["Already exists", "exists"],
  ["Layer already exists", "exists"],
  ["Pull complete", "done"],
];

/** And of what goes. */
export function pushProgress({ id, status, progressDetail }: TransferMessage): PushProgress | undefined {
  const layer = layerOf(id);
  if (!layer) return undefined;
  const from = /^Mounted from (.+)$/.exec(status)?.[1];
  if (from !== undefined) return { layer, status: "mounted", from: `/${from}`, ...progressDetail };
  const what = goes.find(([words]) => status.startsWith(words))?.[1];
  return what && { layer, status: what, ...progressDetail };
}

type Goes = Exclude<PushProgress["status"], "mounted">;
const goes: readonly (readonly [words: string, status: Goes])[] = [
  ["Compressing", "compressing"],
  ["Compressed", "compressed"],
  ["Preparing", "preparing"],
  ["Waiting", "waiting"],
  ["Pushing", "sending"],
  ["Pushed", "sent"],
  ["Layer already exists", "exists"],
];
