import { closeSync, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import * as abi from "../native/abi.ts";

/**
 * An attached client that does not wait: the output of a container's program while this process does other things. The
 * blocking one, for a foreground command, is `Program.attach`. Protocol: zig-native/monitor.zig.
 */
export interface Listener {
  /**
   * Called with each piece, in order; the bytes are only good during the call. While a promise that it answers is pending
   * nothing more is read, and in the end the program waits.
   */
  output(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<void> | undefined;
}

export interface Following {
  /** The program's exit status, or undefined when the monitor went without a word. */
  readonly exit: Promise<number | undefined>;
}

/**
 * Connect to a monitor's socket. Once this has answered not a byte is missed: connect before the program starts, and all of
 * its output comes.
 */
export async function follow(socketPath: string, listener: Listener): Promise<Following> {
  const { promise: exit, resolve } = Promise.withResolvers<number | undefined>();
  let busy: Promise<void> | undefined;
  const reader = new FrameReader((type, payload) => {
    if (type === abi.Frame.stdout) busy = listener.output("stdout", payload) ?? busy;
    else if (type === abi.Frame.stderr) busy = listener.output("stderr", payload) ?? busy;
    else if (type === abi.Frame.exit) resolve(payload.readUInt32BE(0));
  });
  const directory = openSync(dirname(socketPath), "r");
  try {
    await Bun.connect({
      // A socket's address holds 107 bytes; this is never longer.
      unix: `/proc/self/fd/${directory}/${basename(socketPath)}`,
      socket: {
        data(socket, bytes) {
          if (!reader.push(bytes)) socket.end();
          if (busy === undefined) return;
          socket.pause();
          busy.then(() => socket.resume());
          busy = undefined;
        },
        close: () => resolve(undefined),
        error: () => resolve(undefined),
      },
    });
  } finally {
    closeSync(directory);
  }
  return { exit };
}

/** Cuts a stream into frames: type u8, three bytes of nothing, length u32 big-endian, payload. */
export class FrameReader {
  readonly #frame: (type: number, payload: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(frame: (type: number, payload: Buffer) => void) {
    this.#frame = frame;
  }

  /** False: what came is no frame of the monitor's, and nothing after it can be read. */
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
