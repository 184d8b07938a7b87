import { RtError } from "../base/errors.ts";
import * as abi from "../native/abi.ts";
import { check, describeErrno, errnoName, native } from "../native/ffi.ts";
import { spawnHelper } from "../native/helper.ts";
import { awaitHelper, closeDescriptor, connectUnix, sealedFile, socketPair } from "../native/system.ts";
import type { MonitorRequest } from "./request.ts";

/**
 * The native exec driver: talks to rt-monitor (zig-native/monitor.zig draws the protocol).
 *
 *   using built = launch(request, lock, warn)   // the monitor runs and builds the container; there is time for other work
 *   const program = built.ready()               // init is built and waits
 *   program.attach({ start: true, … })          // the program is executed; our stdio until it ends
 */
export interface Launched {
  /** @throws RtError when it cannot be built. */
  ready(): Program;
  /** Before `start`: nothing of it runs any more when this returns. */
  abandon(): void;
  /** After the program's end: the monitor's own, which comes with it. Only a process that lives on needs to care. */
  awaitMonitor(): void;
}

export interface Program extends Disposable {
  /** In our pid namespace. */
  readonly pid: number;
  readonly startTime: bigint;
  /** Execute the program, and leave it to itself. */
  start(): void;
  attach(options: AttachOptions): Outcome;
}

export interface AttachOptions {
  /** Execute the program, once our signals are looked after. */
  start: boolean;
  /** Send our stdin. */
  stdin: boolean;
  /** Our terminal is raw meanwhile, and its size is handed on. */
  tty: boolean;
  /** Hand on the signals that we get. */
  signals: boolean;
  /** Typed in this order, they leave the program alone; none when empty. */
  detachKeys: Uint8Array;
}

export type Outcome =
  /** `writeError`: why our stdout or stderr took no more, unless its reader just went. */
  | { ended: "exit"; status: number; writeError: string | undefined }
  | { ended: "lost" }
  | { ended: "detached" };

const messageBytes = 1024;

/** @param lock the locked descriptor of the container's state directory, for the monitor to hold; an exec has none */
export function launch(
  request: MonitorRequest,
  lock: number | undefined,
  warn: (line: string) => void,
): Launched {
  const [ours, theirs] = socketPair();
  const memory = sealedFile("request", Buffer.from(JSON.stringify(request)));
  let monitor: number;
  try {
    const handed = lock === undefined ? [memory, theirs] : [memory, theirs, lock];
    monitor = spawnHelper("rt-monitor", "monitor", handed);
  } catch (error) {
    closeDescriptor(ours);
    throw error;
  } finally {
    closeDescriptor(memory);
    closeDescriptor(theirs);
  }
  return {
    ready() {
      const pid = awaitFrame(ours, abi.Frame.created, warn).readUInt32BE(0);
      return program(ours, pid, BigInt(native().rt_start_time(pid)), warn);
    },
    abandon() {
      // The monitor sees its client go, ends what it has built, and itself.
      closeDescriptor(ours);
      awaitHelper(monitor);
    },
    awaitMonitor: () => awaitHelper(monitor),
  };
}

/** A program that runs already, through its monitor's socket. */
export function connect(
  socketPath: string,
  init: { pid: number; startTime: string },
  warn: (line: string) => void,
): Program {
  return program(connectUnix(socketPath), init.pid, BigInt(init.startTime), warn);
}

function program(socket: number, pid: number, startTime: bigint, warn: (line: string) => void): Program {
  return {
    pid,
    startTime,
    start() {
      check(native().rt_frame_send(socket, abi.Frame.start, Buffer.alloc(1), 0), "cannot start");
      awaitFrame(socket, abi.Frame.started, warn);
    },
    attach: (options) => attach(socket, pid, startTime, options),
    [Symbol.dispose]: () => closeDescriptor(socket),
  };
}

/** Read frames until one of `type`; its payload. */
function awaitFrame(socket: number, type: number, warn: (line: string) => void): Buffer {
  const kind = new Uint32Array(1);
  const payload = Buffer.alloc(messageBytes);
  while (true) {
    const length = native().rt_frame_receive(socket, kind, payload, payload.length);
    if (length === -EINTR) {
      throw new RtError("cancelled", "interrupted", { exitCode: 128 + kind[0]! });
    }
    if (length < 0)
      throw new RtError("internal", `the monitor ended early: ${describeErrno(errnoName(-length))}`);
    const body = payload.subarray(0, length);
    if (kind[0] === type) return Buffer.from(body);
    if (kind[0] === abi.Frame.warning) warn(body.toString());
    else if (kind[0] === abi.Frame.failed) {
      throw failure(
        body.readUInt32BE(0),
        body.readUInt32BE(4),
        body.toString("utf8", abi.failure_header_bytes),
      );
    } else throw new RtError("internal", `the monitor said ${kind[0]} instead of ${type}`);
  }
}

const ENOENT = 2;
const EINTR = 4;

/** The child's words as an error: its message names the object, the errno says why. */
function failure(stage: number, errno: number, message: string): RtError {
  const name = errno === 0 ? undefined : errnoName(errno);
  const text = name === undefined ? message : `${message}: ${describeErrno(name)}`;
  if (stage === abi.Stage.exec) {
    // The message has the reason in the words that people know from their shells.
    return new RtError(errno === ENOENT ? "not-found" : "forbidden", message, {
      exitCode: errno === ENOENT ? 127 : 126,
    });
  }
  // Docker's rule: what the program itself may not do is 126; that the container cannot be made as asked is 125.
  if (stage === abi.Stage.cwd && name === "EACCES") return new RtError("forbidden", text, { exitCode: 126 });
  if (stage === abi.Stage.identity || stage === abi.Stage.cwd) return new RtError("invalid-argument", text);
  return new RtError(name === "EPERM" || name === "EACCES" ? "forbidden" : "unavailable", text);
}

function reason(errno: number): string | undefined {
  return errno === 0 ? undefined : describeErrno(errnoName(errno));
}

function attach(socket: number, pid: number, startTime: bigint, options: AttachOptions): Outcome {
  const result = new Uint32Array(abi.AttachResult.bytes / 4);
  const message = Buffer.alloc(messageBytes);
  const flags =
    (options.stdin ? abi.attach_stdin : 0) |
    (options.tty ? abi.attach_tty : 0) |
    (options.signals ? abi.attach_signals : 0) |
    (options.start ? abi.attach_start : 0);
  const keys = Buffer.from([...options.detachKeys, 0]);
  const attached = native().rt_attach(
    socket,
    flags,
    pid,
    startTime,
    keys,
    keys.length - 1,
    message,
    message.length,
    result,
  );
  check(attached, "cannot attach");
  const field = (offset: number) => result[offset / 4]!;
  switch (field(abi.AttachResult.ended)) {
    case abi.Ended.exit:
      return {
        ended: "exit",
        status: field(abi.AttachResult.status),
        writeError: reason(field(abi.AttachResult.errno)),
      };
    case abi.Ended.failed:
      throw failure(
        field(abi.AttachResult.stage),
        field(abi.AttachResult.errno),
        message.toString("utf8", 0, field(abi.AttachResult.message_bytes)),
      );
    case abi.Ended.detached:
      return { ended: "detached" };
    default:
      return { ended: "lost" };
  }
}
