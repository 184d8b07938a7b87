import * as abi from "../../native/abi.ts";
import { closeDescriptor } from "../../native/system.ts";

/** A frame of the attach protocol, which zig-native/monitor.zig draws. */
export interface MonitorFrame {
  type: number;
  payload: Buffer;
}

/** More than this many frames that nobody has asked for yet: no more are read, and in the end the program waits. */
const queueMax = 8;

/**
 * The client's end of a monitor's socket, on the event loop. What it is not asked for stays in the socket: until the first
 * `receive` the descriptor is as it was given, for whoever does better with it alone.
 */
export class Connection implements Disposable {
  readonly #descriptor: number;
  #socket: Bun.Socket | undefined;
  #opening: Promise<void> | undefined;
  readonly #queue: MonitorFrame[] = [];
  readonly #reader = new FrameReader((type, payload) => {
    this.#queue.push({ type, payload: Buffer.from(payload) });
  });
  #closed = false;
  #paused = false;
  #wake: () => void = () => {};
  #drained: () => void = () => {};

  /** @param descriptor a connected stream socket; owned from here on */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /**
   * The next frame, or undefined when the monitor has gone.
   * @throws the reason of `abort`, when that comes first
   */
  async receive(abort?: AbortSignal): Promise<MonitorFrame | undefined> {
    await this.#open();
    using _waking = abort && onAbort(abort, () => this.#wake());
    while (true) {
      abort?.throwIfAborted();
      const frame = this.#queue.shift();
      if (frame) {
        if (this.#queue.length < queueMax) this.#resume();
        return frame;
      }
      if (this.#closed) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** Resolves when the kernel has taken it; false when the monitor has gone. */
  async send(type: number, payload: Uint8Array = Buffer.alloc(0)): Promise<boolean> {
    await this.#open();
    let rest: Uint8Array = encodeFrame(type, payload);
    while (rest.length > 0 && !this.#closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#drained = resolve;
      const taken = this.#socket!.write(rest);
      if (taken < 0) return false;
      rest = rest.subarray(taken);
      if (rest.length > 0 && !this.#closed) await promise;
    }
    return !this.#closed;
  }

  /**
   * The descriptor, for native code that reads on from here; afterwards this can only be disposed of. Instead of it a frame
   * that came already, or undefined when the monitor has gone.
   */
  handOver(): number | MonitorFrame | undefined {
    this.#pause();
    return this.#queue.shift() ?? (this.#closed ? undefined : this.#descriptor);
  }

  [Symbol.dispose](): void {
    if (this.#socket) this.#socket.terminate();
    else if (!this.#closed) closeDescriptor(this.#descriptor);
    this.#closed = true;
    this.#wake();
    this.#drained();
  }

  #open(): Promise<void> {
    this.#opening ??= this.#adopt();
    return this.#opening;
  }

  async #adopt(): Promise<void> {
    const gone = () => {
      this.#closed = true;
      this.#wake();
      this.#drained();
    };
    const options: Bun.FdSocketOptions = {
      fd: this.#descriptor,
      socket: {
        data: (socket, bytes) => {
          if (!this.#reader.push(bytes)) socket.terminate();
          if (this.#queue.length >= queueMax) this.#pause();
          this.#wake();
        },
        drain: () => this.#drained(),
        close: gone,
        error: gone,
      },
    };
    // bun-types has the options, and forgot the overload that takes them.
    this.#socket = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
  }

  #pause(): void {
    if (!this.#paused) this.#socket?.pause();
    this.#paused = true;
  }

  #resume(): void {
    if (this.#paused) this.#socket?.resume();
    this.#paused = false;
  }
}

function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  signal.addEventListener("abort", listener);
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}

function encodeFrame(type: number, payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(abi.frame_header_bytes + payload.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(payload.length, 4);
  frame.set(payload, abi.frame_header_bytes);
  return frame;
}

/** Cuts a stream into frames: type u8, three bytes of nothing, length u32 big-endian, payload. */
export class FrameReader {
  readonly #frame: (type: number, payload: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(frame: (type: number, payload: Buffer) => void) {
    this.#frame = frame;
  }

  /** @returns false: what came is no frame of the monitor's, and nothing after it can be read */
  push(bytes: Uint8Array): boolean {
    let rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : Buffer.from(bytes);
    while (rest.length >= abi.frame_header_bytes) {
      const length = rest.readUInt32BE(4);
      if (length > abi.frame_payload_max) return false;
      const end = abi.frame_header_bytes + length;
      if (rest.length < end) break;
      this.#frame(rest.readUInt8(0), rest.subarray(abi.frame_header_bytes, end));
      rest = rest.subarray(end);
    }
    this.#rest = rest;
    return true;
  }
}
