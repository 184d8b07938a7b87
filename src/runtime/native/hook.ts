import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import * as abi from "../../native/abi.ts";
import { hasEnded, spawnHelper } from "../../native/helper.ts";
import { closeDescriptor, sealedFile, socketPair } from "../../native/system.ts";
import { Connection } from "./connection.ts";
import { failureIn } from "./failure.ts";
import type { HookRequest } from "./request.ts";

/**
 * Execute an OCI hook in our own namespaces and wait for its end (zig-native/monitor/hook.zig): a process of ours does it, which
 * has nothing of this one's.
 * @param state what it reads, as JSON
 * @throws RtError: it failed, or took too long; the reason of `abort`, and it is no more
 */
export async function runHook(
  stage: string,
  hook: HookRequest,
  state: string,
  abort?: AbortSignal,
): Promise<void> {
  const [ours, theirs] = socketPair();
  const memory = sealedFile("hook", Buffer.from(JSON.stringify({ stage, state, hook })));
  let helper: number;
  try {
    helper = spawnHelper("rt-monitor", "hook", [memory, theirs]);
  } catch (error) {
    closeDescriptor(ours);
    throw error;
  } finally {
    closeDescriptor(memory);
    closeDescriptor(theirs);
  }
  try {
    using connection = new Connection(ours);
    const frame = await connection.receive(abort);
    if (frame?.type === abi.Frame.failed) throw failureIn(frame.payload);
    if (frame?.type !== abi.Frame.exit)
      throw new RtError("internal", `what ran the ${stage} hook ${hook.path} ended early`);
  } finally {
    await holdsWithin(Number.POSITIVE_INFINITY, () => hasEnded(helper));
  }
}
