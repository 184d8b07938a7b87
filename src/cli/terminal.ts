import { write } from "node:fs";
import { isErrno } from "../base/errors.ts";
import { parseSignal } from "../base/signals.ts";
import type { Streams, StreamWishes, WindowSize } from "../engine/session.ts";
import { isHeeded } from "./heeded.ts";

/** What is handed on to a program: as zig-native/lib/signals.zig does where this thread waits in there. */
const forwarded = [
  ...(["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const),
  ...(["SIGALRM", "SIGTERM", "SIGVTALRM", "SIGIO", "SIGPWR"] as const),
];
/** Those that end a process which has its terminal to put right before. */
const ending = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

interface ProcessStdio extends Readonly<Record<"stdin" | "stdout" | "stderr", number>> {
  /** Undefined where the descriptor is no terminal's. */
  sizeOf(descriptor: number): WindowSize | undefined;
}

/** This process's descriptors as streams: read as they are asked for, written as they are taken, until disposed of. */
export function processStreams(
  descriptors: ProcessStdio,
  { raw, stdin, signals }: StreamWishes,
): Streams & AsyncDisposable {
  const stack = new AsyncDisposableStack();
  const isRaw = raw && descriptors.sizeOf(descriptors.stdin) !== undefined;
  if (isRaw) stack.use(rawTerminal());
  const input = stdin ? stack.adopt(new Input(descriptors.stdin), (each) => each.stop()) : undefined;
  const sent = signals ? stack.use(new SignalQueue(forwarded)) : undefined;
  if (isRaw && !signals) stack.use(endingRestored(() => stack.disposeAsync()));
  const changes = raw ? stack.use(new SignalQueue(["SIGWINCH"])) : undefined;
  return {
    kind: "streams",
    ...(input && { stdin: input }),
    output: (stream, bytes) => writeWhole(descriptors[stream], bytes),
    ...(changes && {
      terminal: { size: () => descriptors.sizeOf(0) ?? descriptors.sizeOf(1), changes: changed(changes) },
    }),
    ...(sent && { signals: sent }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function* changed(queue: AsyncIterable<number>): AsyncGenerator<void> {
  for await (const _ of queue) yield;
}

/** Nothing that is typed is echoed, or a signal, until it is disposed of. */
function rawTerminal(): Disposable {
  const { stdin } = process;
  stdin.setRawMode(true);
  return { [Symbol.dispose]: () => void stdin.setRawMode(false) };
}

/** A signal that ends us does so after `restore`. */
function endingRestored(restore: () => Promise<void>): Disposable {
  const end = (name: NodeJS.Signals) => {
    void restore().finally(() => process.kill(process.pid, name));
  };
  const heeded = ending.filter(isHeeded);
  for (const name of heeded) process.once(name, end);
  return {
    [Symbol.dispose]() {
      for (const name of heeded) process.off(name, end);
    },
  };
}

/** What comes on a descriptor, no faster than it is asked for. A reader that waits keeps nobody from leaving. */
class Input implements AsyncIterable<Uint8Array> {
  readonly #reader: {
    read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
  #isStopped = false;

  constructor(fd: number) {
    this.#reader = (fd === 0 ? Bun.stdin : Bun.file(fd)).stream().getReader();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    while (!this.#isStopped) {
      const { done, value } = await this.#reader.read();
      if (done || !value || this.#isStopped) return;
      yield value;
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#reader.cancel().catch(() => {}); // what cannot be read any more need not be stopped
  }
}

/** Numbers of signals that came and nobody has asked for yet. One that comes again before that came once, as in the kernel. */
class SignalQueue implements AsyncIterable<number>, Disposable {
  readonly #names: readonly NodeJS.Signals[];
  readonly #came = new Set<number>();
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(names: readonly NodeJS.Signals[]) {
    this.#names = names.filter(isHeeded);
    for (const name of this.#names) process.on(name, this.#take);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<number, void> {
    while (!this.#isOver) {
      const [first] = this.#came;
      if (first !== undefined) {
        this.#came.delete(first);
        yield first;
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.dispose](): void {
    for (const name of this.#names) process.off(name, this.#take);
    this.#isOver = true;
    this.#wake?.();
  }

  readonly #take = (name: NodeJS.Signals) => {
    this.#came.add(parseSignal(name).number);
    this.#wake?.();
  };
}

/** Done when the kernel has all of it: a reader that is slow is waited for, elsewhere than in this thread. @throws EPIPE and the like */
async function writeWhole(fd: number, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += await writePiece(fd, bytes, offset);
    } catch (error) {
      // Somebody handed us a pipe in non-blocking mode, and it is full.
      if (!isErrno(error, "EAGAIN")) throw error;
      await Bun.sleep(1);
    }
  }
}

function writePiece(fd: number, bytes: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, offset, bytes.length - offset, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}
