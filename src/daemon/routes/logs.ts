import { RtError } from "../../base/errors.ts";
import { invalid } from "../../base/invalid.ts";
import { parseMoment } from "../../docker/timestamp.ts";
import type { BodyWriter } from "../../http/server.ts";
import type { ApiCall } from "../call.ts";
import { lineFrames, type OutputStream } from "../frames.ts";
import { hasTerminal, outputTo, streamType } from "../streams.ts";

/** GET /containers/{name}/logs */
export async function getContainerLogs(call: ApiCall): Promise<void> {
  const { query } = call;
  const name = call.param("name");
  const wanted = { stdout: query.flag("stdout"), stderr: query.flag("stderr") };
  if (!wanted.stdout && !wanted.stderr) throw invalid("Bad parameters: you must choose at least one stream");
  const options = {
    ...{ follow: query.flag("follow"), timestamps: query.flag("timestamps"), details: query.flag("details") },
    ...{ tail: tailIn(query.text("tail")), since: momentIn(call, "since"), until: momentIn(call, "until") },
  };
  const tty = await hasTerminal(call, name);
  let body: BodyWriter | undefined;
  const write = (stream: OutputStream, bytes: Uint8Array) => {
    if (!wanted[stream]) return undefined;
    return body?.write(tty ? Uint8Array.from(bytes) : lineFrames(stream, bytes));
  };
  const onReading = () => {
    body = call.stream(streamType(call, tty));
  };
  const engine = call.engineFor({ stdio: outputTo(call, write) });
  try {
    await engine.container.logs(name, { ...options, onReading });
  } catch (error) {
    if (!body || !(error instanceof RtError) || error.code === "cancelled") throw error;
    wanted.stderr = true;
    void write("stderr", Buffer.from(`Error grabbing logs: ${error.message}\n`));
  }
  body?.end();
}

/** What is no number of lines means all of them. */
function tailIn(text: string): number | undefined {
  return /^\+?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function momentIn({ query }: ApiCall, name: string): bigint | undefined {
  const text = query.text(name);
  return text === "" || text === "0" ? undefined : parseMoment(name, text, Date.now());
}
