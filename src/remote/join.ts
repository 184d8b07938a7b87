import { withCause } from "../base/errors.ts";
import { DetachKeys } from "../base/typed-keys.ts";
import type { Streams, Terminal, WindowSize } from "../engine/session.ts";
import type { Duplex } from "../http/duplex.ts";
import type { HeaderFields } from "../http/head.ts";
import { isFramed, pour } from "./streams.ts";

/** A caller and a program that is elsewhere, over the connection that a hijack left. */
export interface Joining {
  wire: Duplex;
  fields: HeaderFields;
  streams: Streams;
  tty: boolean;
  /** The caller's stdin is the program's. */
  stdin: boolean;
  detachKeys: Uint8Array;
}

export interface Joined {
  /** The other side has ended, or the caller typed the keys. */
  ended: "over" | "detached";
  /** Why the caller did not get all of the output. */
  writeError: string | undefined;
}

/** Both directions, each by itself, until the program's has ended or the caller detached. */
export async function joinWire({ wire, fields, streams, tty, stdin, detachKeys }: Joining): Promise<Joined> {
  let writeError: string | undefined;
  const output: Streams["output"] = async (stream, bytes) => {
    // A program does not wait for ever because nobody reads it any more.
    if (writeError !== undefined) return;
    try {
      await streams.output(stream, bytes);
    } catch (error) {
      writeError = withCause("cannot write the program's output", error).message;
    }
  };
  const over = new AbortController();
  const sides: Promise<"over" | "detached">[] = [
    pour(piecesOf(wire), isFramed(fields, tty), output).then(() => "over" as const),
  ];
  if (stdin && streams.stdin) sides.push(type(wire, streams.stdin, tty ? detachKeys : none, over.signal));
  try {
    return { ended: await Promise.race(sides), writeError };
  } finally {
    over.abort();
    wire.destroy();
  }
}

const none = new Uint8Array();

async function* piecesOf(wire: Duplex): AsyncGenerator<Uint8Array, void> {
  for (let piece = await wire.read(); piece; piece = await wire.read()) yield piece;
}

/** What the caller says, and that it has said all: a half-close. Answers only when it detaches. */
async function type(
  wire: Duplex,
  input: AsyncIterable<Uint8Array>,
  detachKeys: Uint8Array,
  over: AbortSignal,
): Promise<"detached"> {
  const keys = new DetachKeys(detachKeys);
  for await (const bytes of input) {
    if (over.aborted) break;
    const { typed, detaches } = keys.filter(bytes);
    // The wire keeps what it cannot send yet, and the caller may use its own once more.
    await wire.write(typed.slice());
    if (detaches) return "detached";
  }
  if (!over.aborted) wire.end();
  return await new Promise<never>(() => {});
}

/** The program's terminal has the caller's size, from now on. One that has ended has none, which its status tells. */
export function followSize(
  terminal: Terminal,
  resize: (size: WindowSize) => Promise<void>,
  over: AbortSignal,
): void {
  const set = async () => {
    const size = terminal.size();
    if (size && !over.aborted) await resize(size);
  };
  const all = async () => {
    // It may be about to begin.
    for (let attempt = 1; attempt <= firstAttempts && !over.aborted; attempt++) {
      if (
        await set().then(
          () => true,
          () => false,
        )
      )
        break;
      await Bun.sleep(10 * attempt);
    }
    for await (const _ of terminal.changes ?? []) {
      if (over.aborted) return;
      await set().catch(() => {});
    }
  };
  all().catch(() => {});
}

/** As many as Docker's clients make. */
const firstAttempts = 10;

/** The caller's signals are the program's; of one that has ended its status tells. */
export function followSignals(
  signals: AsyncIterable<number>,
  send: (signal: number) => Promise<unknown>,
  over: AbortSignal,
): void {
  const all = async () => {
    for await (const signal of signals) {
      if (over.aborted) return;
      await send(signal).catch(() => {});
    }
  };
  all().catch(() => {});
}
