import type { RtError } from "../base/errors.ts";
import { visible } from "../base/visible.ts";
import type { PeerPipe } from "./channel.ts";

export interface PeerProgram {
  argv: readonly [string, ...string[]];
  env: Record<string, string>;
  /** For messages: "box: ". */
  who: string;
  /** What went wrong, by how the program ended and the last line that it wrote to its stderr. */
  explain(status: number | undefined, lastLine: string): RtError | undefined;
  warn: (line: string) => void;
}

const endPatience_ms = 5000;
/** A connection that ssh keeps for later (ControlPersist) holds our pipe for as long. */
const stderrPatience_ms = 500;
const lineBytesMax = 4096;

/** A program through which another rt is spoken to: its stdin and stdout. Lines of its stderr become warnings. */
export function openChild({ argv, env, who, explain, warn }: PeerProgram): PeerPipe {
  const child = Bun.spawn([...argv], { env, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  const errors = new ErrorLines(child.stderr, (line) => warn(`${who}${line}`));
  const within = (ms: number, ...what: Promise<unknown>[]) =>
    Promise.race([Promise.all(what), Bun.sleep(ms)]);
  return {
    input: child.stdout,
    async write(bytes) {
      try {
        await child.stdin.write(bytes);
        await child.stdin.flush();
        return child.exitCode === null;
      } catch {
        return false; // EPIPE: how the child ended says more
      }
    },
    async ending() {
      await within(endPatience_ms, child.exited);
      await within(stderrPatience_ms, errors.end);
      return explain(child.exitCode ?? undefined, errors.takeLast());
    },
    async close(isOver) {
      if (!isOver) child.kill("SIGTERM");
      await Promise.resolve(child.stdin.end()).catch(() => undefined);
      await within(endPatience_ms, child.exited);
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await within(stderrPatience_ms, errors.end);
      if (isOver) errors.tellLast();
    },
  };
}

/** Each line is told when the next one comes: the last may be the reason of a failure. */
export class ErrorLines {
  readonly end: Promise<void>;
  readonly #tell: (line: string) => void;
  #last = "";

  constructor(stream: ReadableStream<Uint8Array>, tell: (line: string) => void) {
    this.#tell = tell;
    this.end = this.#read(stream);
  }

  takeLast(): string {
    const last = this.#last;
    this.#last = "";
    return last;
  }

  tellLast(): void {
    const last = this.takeLast();
    if (last !== "") this.#tell(last);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const piece of stream) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split(/[\r\n]+/);
      rest = (lines.pop() ?? "").slice(0, lineBytesMax);
      for (const line of lines) this.#line(line);
    }
    this.#line(rest);
  }

  #line(line: string): void {
    const text = visible(line.trim().slice(0, lineBytesMax));
    if (text === "") return;
    this.tellLast();
    this.#last = text;
  }
}
