import { RtError, withCause } from "../../base/errors.ts";
import * as abi from "../../native/abi.ts";
import { native } from "../../native/ffi.ts";
import { spawnHelper } from "../../native/helper.ts";
import { closeDescriptor, sealedFile, socketPair } from "../../native/system.ts";
import { Connection } from "./connection.ts";
import { failureIn } from "./failure.ts";

/** A program that carries a container's network (zig-native/monitor/stack.zig draws how). */
export interface StackRequest {
  kind: string;
  /** The program's path. */
  program: string;
  arguments: readonly string[];
  requests: readonly string[];
  /** The container's state directory. */
  directory: string;
}

/**
 * Start it, for as long as the container's init lives; it is ready then. With pid 0 it is in a network namespace of its own, which
 * whoever keeps it has, too.
 * @returns who keeps it
 * @throws RtError: it does not start, in its own words
 */
export async function startStack(
  { kind, program, arguments: words, requests, directory }: StackRequest,
  init: { pid: number; startTime: bigint },
  abort?: AbortSignal,
): Promise<{ pid: number; startTime: bigint }> {
  const [ours, theirs] = socketPair();
  const front = [String(init.pid), String(init.startTime), directory, kind, program];
  // An empty word ends the arguments, as none of them is.
  const all = [...front, ...words, "", ...requests];
  const memory = sealedFile("network", Buffer.from(all.map((word) => `${word}\0`).join("")));
  let keeper: number;
  try {
    keeper = spawnHelper("rt-monitor", "stack", [memory, theirs]);
  } catch (error) {
    closeDescriptor(ours);
    throw error;
  } finally {
    closeDescriptor(memory);
    closeDescriptor(theirs);
  }
  using connection = new Connection(ours);
  const frame = await connection.receive(abort);
  if (frame?.type === abi.Frame.failed) throw withCause(kind, failureIn(frame.payload));
  if (frame?.type !== abi.Frame.started) throw new RtError("internal", `what starts ${kind} ended early`);
  return { pid: keeper, startTime: BigInt(native().rt_start_time(keeper)) };
}
