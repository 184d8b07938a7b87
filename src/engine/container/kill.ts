import { RtError } from "../../base/errors.ts";
import { parseSignal } from "../../base/signals.ts";
import { signalProcess } from "../../runtime/leaf.ts";
import type { Host } from "../host.ts";
import { killContainer } from "./end.ts";
import { findContainer } from "./find.ts";
import { elsewhere, isElsewhere, look } from "./look.ts";

const SIGKILL = 9;

/** Send `signal` to a running container's program. */
export async function kill(host: Host, name: string, signal: string): Promise<void> {
  const container = await findContainer(host, name);
  const { state } = look(host, container);
  const { number } = parseSignal(signal);
  const send = () =>
    number === SIGKILL
      ? killContainer(container.id, state)
      : signalProcess(state.pid, state.startTime, number);
  if (state.pid > 0 && send()) return;
  const running = state.pid > 0 ? elsewhere : unfindable;
  const isRunning = state.pid > 0 ? await isElsewhere(host, container) : state.status === "running";
  const why = isRunning ? running : "is not running";
  throw new RtError("conflict", `cannot kill container: ${name}: container ${container.id} ${why}`, {
    exitCode: 1,
  });
}

/** Its monitor lives, its pid file is damaged, and no cgroup shows it. */
export const unfindable = "runs, but its state directory is damaged, and its processes cannot be found";
