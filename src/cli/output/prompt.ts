import { readSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { parseSignal } from "../../base/signals.ts";
import type { Context } from "../command.ts";

const lineBytesMax = 64 * 1024;

/** A line from stdin, byte by byte: what follows it is not ours. Undefined at the end of the input. */
export function promptLine(context: Context, question: string): string | undefined {
  context.stdout.write(question);
  const byte = new Uint8Array(1);
  const bytes: number[] = [];
  while (bytes.length < lineBytesMax) {
    if (readSync(0, byte) !== 1) {
      if (bytes.length === 0) return undefined;
      break;
    }
    if (byte[0] === 0x0a) break;
    bytes.push(byte[0]!);
  }
  return Buffer.from(bytes).toString("utf8").replace(/\r$/, "");
}

/** All of stdin, without the line end that an echo or an editor has left. @throws RtError exhausted */
export function readSecretInput(): string {
  const chunk = new Uint8Array(4096);
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let length = readSync(0, chunk); length > 0; length = readSync(0, chunk)) {
    size += length;
    if (size > lineBytesMax)
      throw new RtError("exhausted", `stdin has more than ${lineBytesMax} bytes: that is no password`);
    parts.push(chunk.slice(0, length));
  }
  return Buffer.concat(parts).toString("utf8").replace(/\n$/, "").replace(/\r$/, "");
}

const signals = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/**
 * A line from the terminal that nobody sees. The terminal does not echo meanwhile, and is as it was afterwards, also when a
 * signal or a key ends it.
 * @throws RtError cancelled: 128 and the signal's number
 */
export async function promptSecret(context: Context, question: string): Promise<string> {
  const { stdin } = process;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stop = (name: NodeJS.Signals) =>
    reject(new RtError("cancelled", "interrupted", { exitCode: 128 + parseSignal(name).number }));
  const typed = new TypedLine(resolve, () => stop("SIGINT"));
  const take = (bytes: Uint8Array) => typed.add(bytes);
  const end = () => resolve(typed.text);
  for (const name of signals) process.once(name, stop);
  stdin.setRawMode(true);
  stdin.on("data", take).once("end", end);
  try {
    context.stdout.write(question);
    return await promise;
  } finally {
    stdin.off("data", take).off("end", end);
    stdin.setRawMode(false);
    stdin.pause();
    for (const name of signals) process.off(name, stop);
    context.stdout.write("\n");
  }
}

/** What the terminal's own line would have done with the keys. */
class TypedLine {
  #bytes: number[] = [];
  readonly #done: (text: string) => void;
  readonly #interrupt: () => void;

  constructor(done: (text: string) => void, interrupt: () => void) {
    this.#done = done;
    this.#interrupt = interrupt;
  }

  get text(): string {
    return Buffer.from(this.#bytes).toString("utf8");
  }

  add(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === 0x0d || byte === 0x0a || byte === 0x04) this.#done(this.text);
      else if (byte === 0x03 || byte === 0x1c) this.#interrupt();
      else if (byte === 0x7f || byte === 0x08) this.#erase();
      else if (byte === 0x15) this.#bytes = [];
      else if (this.#bytes.length < lineBytesMax) this.#bytes.push(byte);
      if (byte === 0x0d || byte === 0x0a || byte === 0x04) return;
    }
  }

  /** The last character, of however many bytes. */
  #erase(): void {
    while (this.#bytes.length > 0 && (this.#bytes.at(-1)! & 0xc0) === 0x80) this.#bytes.pop();
    this.#bytes.pop();
  }
}
