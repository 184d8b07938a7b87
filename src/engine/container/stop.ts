import { RtError } from "../../base/errors.ts";
import { parseSignal } from "../../base/signals.ts";
import { holdsWithin } from "../../base/wait.ts";
import { recordOf } from "../../container/container-store.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { Host } from "../host.ts";
import { killContainer } from "./end.ts";
import { find } from "./find.ts";
import { look } from "./look.ts";

const SIGCONT = 18;
/** How long a killed container may take to end: its processes may be writing their last pages. */
export const killedWithin_ms = 10_000;

/**
 * End a container: its stop signal, `patience_ms`, then SIGKILL. One that does not run is as it should be.
 * @param onLate called when the patience is over and it still runs
 * @throws unavailable: not even SIGKILL ended it within `limit_ms`
 */
export async function stop(
  host: Host,
  name: string,
  patience_ms: number,
  limit_ms = killedWithin_ms,
  onLate?: () => void,
): Promise<void> {
  const { container } = await find(host, name);
  const over = () => look(host, container).state.status !== "running";
  const send = (signal: number) => {
    const { pid, startTime } = look(host, container).state;
    return pid > 0 && signalProcess(pid, startTime, signal);
  };
  const stopSignal = recordOf(container)?.stopSignal || "TERM";
  if (!send(parseSignal(stopSignal).number) || (await holdsWithin(patience_ms, over))) return;
  onLate?.();
  const { state, monitor } = look(host, container);
  if (!killContainer(container.id, state)) return;
  // A monitor that somebody has stopped would not tell of the end.
  if (monitor.pid > 0) signalProcess(monitor.pid, monitor.startTime, SIGCONT);
  if (await holdsWithin(limit_ms, over)) return;
  throw notEnding(container.name);
}

export function notEnding(name: string): RtError {
  return new RtError("unavailable", `container ${name} does not end after SIGKILL: try again`);
}
