import { withCause } from "../../base/errors.ts";
import { parseSignal } from "../../base/signals.ts";
import { markStopped } from "../../container/stopped.ts";
import { cgroupPath, thawCgroup } from "../../runtime/cgroup.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { killContainer } from "./end.ts";
import { find, notRunning } from "./find.ts";
import { stopSignalOf } from "./stop.ts";

const SIGKILL = 9;

/** Send `signal`, a name or a number as text, to a running container's program. */
export async function kill(host: Host, name: string, signal: string): Promise<void> {
  const seen = await find(host, name);
  const { id } = seen.container;
  const { pid, startTime } = seen.state;
  const { number } = parseSignal(signal);
  const send = () =>
    number === SIGKILL ? killContainer(id, seen.state) : signalProcess(pid, startTime, number);
  if (pid > 0 && signalProcess(pid, startTime, 0)) {
    // Docker's rule: who sends what ends it wants it to stay down; and a paused one hears of it.
    const ends = number === SIGKILL || number === stopSignalOf(seen.container);
    if (ends) markStopped(host.stateOf(id));
    // Before it is sent: whoever sees the end may tell of that at once.
    containerEvent(host, seen.container, "kill", { signal: String(number) });
    if (send()) {
      if (ends && seen.state.status === "paused") thawCgroup(cgroupPath(id));
      return;
    }
  }
  throw withCause(`cannot kill container: ${name}`, await notRunning(host, seen));
}
