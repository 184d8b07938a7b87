import { RtError } from "../base/errors.ts";
import { integer, object, text } from "../base/shape.ts";
import { given } from "../docker/zero.ts";
import type { WaitCondition } from "../engine/container/wait.ts";
import { answered, containerPath, type RemoteCaller } from "./caller.ts";

const waited = object({
  StatusCode: integer,
  Error: given(object({ Message: given(text, "") }), { Message: "" }),
});

/**
 * Begins to wait, which the engine says it does before this is answered: nothing that happens from then on is missed.
 * @returns the exit status, once it is there
 */
export async function waitFor(
  { api }: RemoteCaller,
  name: string,
  condition: WaitCondition,
  abort: AbortSignal | undefined,
): Promise<{ status: Promise<number> }> {
  const { body } = await api.send({
    method: "POST",
    path: containerPath(name, "/wait"),
    query: { condition },
    abort,
  });
  const status = exitOf(body);
  status.catch(() => {}); // it may be that nobody asks any more
  return { status };
}

async function exitOf(body: AsyncIterable<Uint8Array>): Promise<number> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of body) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > answerLengthMax) break;
  }
  const { StatusCode, Error: failure } = answered(waited, documentIn(text), "wait");
  if (failure.Message !== "") throw new RtError("unavailable", failure.Message);
  return StatusCode;
}

const answerLengthMax = 64 << 10;

function documentIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // of no shape, which is what is told
  }
}
