import { onAbort } from "../../base/abort.ts";
import { DetachKeys } from "../../base/typed-keys.ts";
import * as abi from "../../native/abi.ts";
import { signalProcess } from "../../native/system.ts";
import type { AttachOptions, Outcome } from "../runtime.ts";
import type { Streams, Terminal, WindowSize } from "../stdio.ts";
import type { Connection } from "./connection.ts";
import { failureIn } from "./failure.ts";

/**
 * Join streams to the program behind `connection` until it ends or they detach. Each direction goes on by itself: a reader
 * that is slow does not keep stdin from flowing. zig-native/lib/attach.zig does the same for descriptors.
 */
export async function attachStreams(
  connection: Connection,
  init: { pid: number; startTime: bigint },
  streams: Streams,
  options: AttachOptions,
  warn: (line: string) => void,
): Promise<Outcome> {
  const over = new AbortController();
  const input = new Input(connection, options.detachKeys);
  const { terminal } = streams;
  using _leaving = options.leave && onAbort(options.leave, () => input.detach());
  if (options.leave?.aborted) input.detach();
  try {
    if (options.start) await connection.send(abi.Frame.start);
    if (options.tty && terminal) await sendSizeOf(connection, terminal);
    const sides = [
      options.stdin && streams.stdin && input.send(streams.stdin, over.signal),
      options.tty && terminal && forwardSizes(connection, terminal, over.signal),
      options.signals && streams.signals && forwardSignals(init, streams.signals, over.signal),
    ].filter((side) => side instanceof Promise);
    const failed = Promise.withResolvers<never>();
    for (const side of sides) side.catch(failed.reject);
    // Who goes before the program is executed takes it with him: the monitor has nobody then whom to tell of a failure.
    const detached = options.start ? input.started.then(() => input.detached) : input.detached;
    return await Promise.race([receiveAll(connection, streams, input, warn), detached, failed.promise]);
  } finally {
    over.abort();
  }
}

async function receiveAll(
  connection: Connection,
  streams: Streams,
  input: Input,
  warn: (line: string) => void,
): Promise<Outcome> {
  for (let frame = await connection.receive(); frame; frame = await connection.receive()) {
    const { type, payload } = frame;
    if (type === abi.Frame.stdout) await streams.output("stdout", payload);
    else if (type === abi.Frame.stderr) await streams.output("stderr", payload);
    else if (type === abi.Frame.started) input.begin();
    else if (type === abi.Frame.stdin_taken) input.taken();
    else if (type === abi.Frame.warning) warn(payload.toString());
    else if (type === abi.Frame.failed) throw failureIn(payload);
    else if (type === abi.Frame.exit && payload.length >= 4)
      return { ended: "exit", status: payload.readUInt32BE(0), writeError: undefined };
  }
  return { ended: "lost" };
}

/** One stdin frame is on its way at a time: what the client says besides never waits behind it. */
class Input {
  readonly detached: Promise<Outcome>;
  /** The program is executed. */
  readonly started: Promise<void>;
  readonly begin: () => void;
  readonly #connection: Connection;
  readonly #keys: DetachKeys;
  /** The program is left alone. */
  readonly detach: () => void;
  #credit: PromiseWithResolvers<void> | undefined;

  constructor(connection: Connection, keys: Uint8Array) {
    this.#connection = connection;
    this.#keys = new DetachKeys(keys);
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.detached = promise;
    this.detach = () => resolve({ ended: "detached" });
    const start = Promise.withResolvers<void>();
    this.started = start.promise;
    this.begin = start.resolve;
  }

  /** The monitor has taken our last frame. */
  taken(): void {
    this.#credit?.resolve();
  }

  async send(source: AsyncIterable<Uint8Array>, over: AbortSignal): Promise<void> {
    for await (const bytes of source) {
      if (over.aborted) return;
      const { typed, detaches } = this.#keys.filter(bytes);
      for (let at = 0; at < typed.length; at += abi.frame_payload_max) {
        this.#credit = Promise.withResolvers();
        const piece = typed.subarray(at, at + abi.frame_payload_max);
        if (!(await this.#connection.send(abi.Frame.stdin, piece))) return;
        await this.#credit.promise;
      }
      if (detaches) return this.detach();
    }
    if (!over.aborted) await this.#connection.send(abi.Frame.stdin_eof);
  }
}

async function forwardSizes(connection: Connection, terminal: Terminal, over: AbortSignal): Promise<void> {
  for await (const _ of terminal.changes ?? []) {
    if (over.aborted) return;
    await sendSizeOf(connection, terminal);
  }
}

async function sendSizeOf(connection: Connection, terminal: Terminal): Promise<void> {
  const size = terminal.size();
  if (size) await sendSize(connection, size);
}

/** @returns false when the monitor has gone */
export function sendSize(connection: Connection, { rows, columns }: WindowSize): Promise<boolean> {
  const payload = Buffer.alloc(4);
  payload.writeUInt16BE(rows, 0);
  payload.writeUInt16BE(columns, 2);
  return connection.send(abi.Frame.resize, payload);
}

async function forwardSignals(
  init: { pid: number; startTime: bigint },
  signals: AsyncIterable<number>,
  over: AbortSignal,
): Promise<void> {
  for await (const signal of signals) {
    if (over.aborted) return;
    // False when it is gone: the exit is on its way to us.
    signalProcess(init.pid, String(init.startTime), signal);
  }
}
