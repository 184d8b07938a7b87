import { openSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import * as abi from "../../native/abi.ts";
import { native } from "../../native/ffi.ts";
import { hasEnded, spawnHelper } from "../../native/helper.ts";
import { closeDescriptor, connectUnix, sealedFile, signalProcess, socketPair } from "../../native/system.ts";
import type { Launched, Paused, Program } from "../runtime.ts";
import { Connection } from "./connection.ts";
import { decide } from "./decide.ts";
import { failureIn } from "./failure.ts";
import { attachForeground } from "./foreground.ts";
import type { MonitorRequest } from "./request.ts";

const SIGKILL = 9;

/** The native exec driver: talks to rt-monitor (zig-native/monitor.zig draws the protocol). */

/**
 * @param lock the locked descriptor of the container's state directory, for the monitor to hold; of an exec the directory of its
 *   session
 * @param ports where the monitor gets the sockets of ports from, where the request says so; ours to close
 */
export function launch(
  request: MonitorRequest,
  lock: number | undefined,
  warn: (line: string) => void,
  ports?: number,
): Launched {
  const [ours, theirs] = socketPair();
  const memory = sealedFile("request", Buffer.from(JSON.stringify(decide(request))));
  const successor =
    request.kind === "create" && request.successor ? openSync("/proc/self/exe", "r") : undefined;
  let monitor: number;
  try {
    const handed = [memory, theirs, lock, successor, ports].filter((fd) => fd !== undefined);
    monitor = spawnHelper("rt-monitor", "monitor", handed);
  } catch (error) {
    closeDescriptor(ours);
    throw error;
  } finally {
    if (successor !== undefined) closeDescriptor(successor);
    closeDescriptor(memory);
    closeDescriptor(theirs);
  }
  const connection = new Connection(ours);
  const ended = async () => {
    await holdsWithin(Number.POSITIVE_INFINITY, () => hasEnded(monitor));
  };
  return {
    async ready(abort, paused) {
      const init = initIn(
        await receive(connection, abi.Frame.created, warn, abort, pausing(connection, paused)),
      );
      return programOf(connection, init.pid, init.startTime, warn);
    },
    async abandon() {
      // The monitor sees its client go, ends what it has built, and itself.
      connection[Symbol.dispose]();
      await ended();
    },
    ended,
  };
}

/** Of `created` and its like. */
function initIn(payload: Buffer): { pid: number; startTime: bigint } {
  const pid = payload.readUInt32BE(0);
  return { pid, startTime: BigInt(native().rt_start_time(pid)) };
}

function pausing(
  connection: Connection,
  paused: Paused | undefined,
): ((payload: Buffer) => Promise<void>) | undefined {
  return (
    paused &&
    (async (payload) => {
      await paused(initIn(payload));
      await connection.send(abi.Frame.proceed);
    })
  );
}

/** A program that runs already, through its monitor's socket. */
export function connect(
  socketPath: string,
  init: { pid: number; startTime: string },
  warn: (line: string) => void,
): Program {
  return programOf(new Connection(connectUnix(socketPath)), init.pid, BigInt(init.startTime), warn);
}

function programOf(
  connection: Connection,
  pid: number,
  startTime: bigint,
  warn: (line: string) => void,
): Program {
  const init = { pid, startTime };
  return {
    ...init,
    async start(abort) {
      await connection.send(abi.Frame.start);
      try {
        await receive(connection, abi.Frame.started, warn, abort);
      } catch (error) {
        // The monitor waits for it from here on, whether or not its client is there: a container may hold what joins it.
        if (abort?.aborted) signalProcess(pid, String(startTime), SIGKILL);
        throw error;
      }
    },
    async attach(streams, options) {
      const { attachStreams } = await import("./streams.ts");
      return attachStreams(connection, init, streams, options, warn);
    },
    async attachForeground(descriptors, options) {
      const socket = connection.handOver();
      if (typeof socket === "number") return await attachForeground(socket, init, descriptors, options);
      // It went, or says why it cannot go on: it says nothing else before it is asked to start.
      if (socket?.type === abi.Frame.failed) throw failureIn(socket.payload);
      return { ended: "lost" };
    },
    async resize(size) {
      const { sendSize } = await import("./streams.ts");
      await sendSize(connection, size);
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}

/** Read frames until one of `type`; its payload. @throws RtError: what the monitor says instead; the reason of `abort` */
async function receive(
  connection: Connection,
  type: number,
  warn: (line: string) => void,
  abort?: AbortSignal,
  paused?: (payload: Buffer) => Promise<void>,
): Promise<Buffer> {
  while (true) {
    const frame = await connection.receive(abort);
    if (!frame) throw new RtError("internal", "the monitor ended early");
    const { payload } = frame;
    if (frame.type === type) return payload;
    if (frame.type === abi.Frame.warning) warn(payload.toString());
    else if (frame.type === abi.Frame.paused && paused) await paused(payload);
    else if (frame.type === abi.Frame.failed) throw failureIn(payload);
    else throw new RtError("internal", `the monitor said ${frame.type} instead of ${type}`);
  }
}
