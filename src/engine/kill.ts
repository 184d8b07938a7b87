import { RtError } from "../base/errors.ts";
import { parseSignal } from "../base/signals.ts";
import { observe } from "../container/state.ts";
import { signalProcess } from "../runtime/leaf.ts";
import { isLocked } from "../runtime/lock.ts";
import type { Host } from "./host.ts";

/** Send `signal` to a running container's program. */
export async function kill(host: Host, name: string, signal: string): Promise<void> {
  const { record, exit } = host.containers.get(name);
  const { state } = observe(host.stateOf(record.id), exit, isLocked);
  const sent =
    state.status === "running" && signalProcess(state.pid, state.startTime, parseSignal(signal).number);
  if (sent) return;
  throw new RtError("conflict", `cannot kill container: ${name}: container ${record.id} is not running`, {
    exitCode: 1,
  });
}
