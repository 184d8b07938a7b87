import { invalid } from "../../base/invalid.ts";
import type { ApiCall } from "../call.ts";

/** GET /containers/{name}/stats: a document, or one each second until the client goes or the container does. */
export async function getContainerStats(call: ApiCall): Promise<void> {
  const { query } = call;
  const stream = query.flag("stream", true);
  const oneShot = call.since("1.41") && query.flag("one-shot");
  if (stream && oneShot) throw invalid("cannot have stream=true and one-shot=true");
  const options = { names: [call.param("name")], all: false, stream, oneShot };
  const rounds = await call.engine.container.stats(options);
  const body = call.stream("application/json");
  for await (const [document] of rounds)
    if (document) await body.write(Buffer.from(`${JSON.stringify(document)}\n`));
  body.end();
}
