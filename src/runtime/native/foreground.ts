import * as abi from "../../native/abi.ts";
import { check, describeErrno, errnoName, native } from "../../native/ffi.ts";
import type { AttachOptions, Outcome } from "../runtime.ts";
import type { Descriptors } from "../stdio.ts";
import { stageFailure } from "./failure.ts";

const messageBytes = 1024;

/** Join this process's descriptors to the program behind `socket` until it ends, with this thread waiting. */
export async function attachForeground(
  socket: number,
  init: { pid: number; startTime: bigint },
  { stdin, stdout, stderr, blocking }: Descriptors,
  options: AttachOptions,
): Promise<Outcome> {
  const result = new Uint32Array(abi.AttachResult.bytes / 4);
  const message = Buffer.alloc(messageBytes);
  const flags =
    (options.stdin ? abi.attach_stdin : 0) |
    (options.tty ? abi.attach_tty : 0) |
    (options.signals ? abi.attach_signals : 0) |
    (options.start ? abi.attach_start : 0);
  const keys = Buffer.from([...options.detachKeys, 0]);
  const attached = await blocking(() =>
    native().rt_attach(
      socket,
      Int32Array.of(stdin, stdout, stderr),
      flags,
      init.pid,
      init.startTime,
      keys,
      keys.length - 1,
      message,
      message.length,
      result,
    ),
  );
  check(attached, "cannot attach");
  const field = (offset: number) => result[offset / 4]!;
  const errno = field(abi.AttachResult.errno);
  switch (field(abi.AttachResult.ended)) {
    case abi.Ended.exit:
      return {
        ended: "exit",
        status: field(abi.AttachResult.status),
        writeError: errno === 0 ? undefined : describeErrno(errnoName(errno)),
      };
    case abi.Ended.failed: {
      const text = message.toString("utf8", 0, field(abi.AttachResult.message_bytes));
      throw stageFailure(field(abi.AttachResult.stage), errno, text);
    }
    case abi.Ended.detached:
      return { ended: "detached" };
    default:
      return { ended: "lost" };
  }
}
