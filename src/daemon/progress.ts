import { RtError } from "../base/errors.ts";
import { visibleJson } from "../base/visible.ts";
import { errorDocument } from "../docker/error-document.ts";
import { failureLine, type ProgressLine } from "../docker/progress.ts";
import type { BodyWriter } from "../http/server.ts";
import type { ApiCall } from "./call.ts";

/** For `progressing`: a line to the client, in order. */
export type Tell = (line: ProgressLine) => void;

/**
 * An answer of JSON lines, which begins with the first of them: work that fails before it is answered with a status, and work
 * that fails later with a line.
 *
 * @param always also the former is told with a line, as of a load
 *
 *   await progressing(call, async (tell) => { tell({ status: "Pulling from library/alpine" }); … });
 */
export async function progressing(
  call: ApiCall,
  work: (tell: Tell) => Promise<void>,
  { always = false } = {},
): Promise<void> {
  const stream = new ProgressStream(call);
  try {
    await work((line) => stream.tell(line));
  } catch (error) {
    if (!stream.hasBegun && !always) throw error;
    stream.tell(failureLine(errorDocument(error).body));
    await stream.end();
    if (!(error instanceof RtError)) throw error;
    return;
  }
  await stream.end();
}

/** What a slow client does not read is not kept: of a layer's bars the last one only. */
class ProgressStream {
  readonly #call: ApiCall;
  #body: BodyWriter | undefined;
  #writing: Promise<void> | undefined;
  readonly #bars = new Map<string, ProgressLine>();

  constructor(call: ApiCall) {
    this.#call = call;
  }

  get hasBegun(): boolean {
    return this.#body !== undefined;
  }

  tell(line: ProgressLine): void {
    const { id = "" } = line;
    const isBar = line.progress !== undefined;
    if (isBar && this.#writing) {
      this.#bars.set(id, line);
      return;
    }
    this.#bars.delete(id);
    this.#write(line);
  }

  /** All is written, or the client is gone. */
  async end(): Promise<void> {
    this.#body ??= this.#call.stream("application/json");
    while (this.#writing) await this.#writing;
    this.#body.end();
  }

  #write(line: ProgressLine): void {
    this.#body ??= this.#call.stream("application/json");
    const wait = this.#body.write(Buffer.from(`${visibleJson(line)}\r\n`));
    if (!wait) return;
    const written = wait.then(() => {
      if (this.#writing !== written) return;
      this.#writing = undefined;
      const bars = [...this.#bars.values()];
      this.#bars.clear();
      for (const bar of bars) this.tell(bar);
    });
    this.#writing = written;
  }
}
