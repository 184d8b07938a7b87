import { openSync } from "node:fs";
import { RtError } from "../base/errors.ts";
import { parseSignal } from "../base/signals.ts";
import { visible } from "../base/visible.ts";
import type { Session } from "../engine/session.ts";
import { windowSize } from "../native/system.ts";
import { isHeeded } from "./heeded.ts";
import type { Output } from "./output/output.ts";

/** A command as the engine's caller: this process's own descriptors, terminal and signals, which nothing else touches. */
export function processSession(
  stderr: Output,
  detachKeys: Uint8Array,
  attached?: readonly Stream[],
): Session {
  const interrupt = new Interrupt();
  const joined = descriptors(attached);
  return {
    stdio: {
      kind: "descriptors",
      ...joined,
      async blocking(wait) {
        await interrupt.end();
        return wait();
      },
      async streams(wanted) {
        if (wanted.signals || wanted.raw) await interrupt.end();
        const { processStreams } = await import("./terminal.ts");
        return processStreams({ ...joined, sizeOf: windowSize }, wanted);
      },
    },
    terminalSize: () => windowSize(0) ?? windowSize(1),
    detachKeys,
    warn: (line) => stderr.write(`rt: ${visible(line)}\n`),
    get abort() {
      return interrupt.signal;
    },
  };
}

const standard = { stdin: 0, stdout: 1, stderr: 2 } as const;
export type Stream = keyof typeof standard;

/** In the place of one that a program is not to have there is nothing. */
function descriptors(attached: readonly Stream[] | undefined): Record<Stream, number> {
  if (!attached) return standard;
  const nothing = openSync("/dev/null", "r+");
  const of = (stream: Stream) => (attached.includes(stream) ? standard[stream] : nothing);
  return { stdin: of("stdin"), stdout: of("stdout"), stderr: of("stderr") };
}

/** Only a terminal has a size. node:tty would tell it too, and takes a millisecond to load. */
export function isTerminal(descriptor: number): boolean {
  return windowSize(descriptor) !== undefined;
}

const names = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/**
 * Signals that would end us where there is something to undo: they are caught from the moment that somebody wants to hear of
 * them. A second one ends us at once.
 */
class Interrupt {
  readonly #controller = new AbortController();
  #armed = false;

  get signal(): AbortSignal {
    if (!this.#armed) for (const name of names.filter(isHeeded)) process.once(name, this.#abort);
    this.#armed = true;
    return this.#controller.signal;
  }

  /**
   * From here on signals are somebody else's.
   * @throws the abort's reason, when one of them has come
   */
  async end(): Promise<void> {
    // One that was caught is told in the next turn of the event loop, or never, should nobody listen any more.
    if (this.#armed) await new Promise<void>((resolve) => setImmediate(resolve));
    this.#disarm();
    this.#controller.signal.throwIfAborted();
  }

  #disarm(): void {
    for (const name of names) process.off(name, this.#abort);
  }

  readonly #abort = (name: NodeJS.Signals) => {
    this.#disarm();
    // The exit status of a program that the signal ended.
    const exitCode = 128 + parseSignal(name).number;
    this.#controller.abort(new RtError("cancelled", "interrupted", { exitCode }));
  };
}
