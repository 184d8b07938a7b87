import { withCause } from "../../base/errors.ts";
import { parseSignal } from "../../base/signals.ts";
import { markStopped } from "../../container/stopped.ts";
import { thawCgroup } from "../../runtime/cgroup.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { killContainer } from "./end.ts";
import { find, type Look, notRunning } from "./find.ts";
import { cgroupOf } from "./group.ts";
import { isRunning, look } from "./look.ts";
import { rememberStop, stayDown } from "./stay-down.ts";
import { stopSignalOf } from "./stop.ts";

const SIGKILL = 9;

/**
 * Send `signal`, a name or a number as text, to a running container's program. Between two starts of its restart policy there is
 * none that could hear it: one that would end it makes it stay down, and any other is as good as sent, as with docker.
 */
export async function kill(host: Host, name: string, signal: string): Promise<void> {
  const seen = await findToKill(host, name);
  const { id } = seen.container;
  const { pid, startTime } = seen.state;
  const { number } = parseSignal(signal);
  // Docker's rule: who sends what ends it wants it to stay down; and a paused one hears of it.
  const ends = number === SIGKILL || number === stopSignalOf(seen.container);
  if (seen.state.status === "restarting") {
    if (!ends) return;
    await rememberStop(host, seen.container);
    containerEvent(host, seen.container, "kill", { signal: String(number) });
    await stayDown(host, seen.container);
    // Its start may have been quicker.
    return isRunning(look(host, seen.container).state) ? kill(host, name, signal) : undefined;
  }
  const send = () =>
    number === SIGKILL
      ? killContainer(cgroupOf(host, id), seen.state)
      : signalProcess(pid, startTime, number);
  if (pid > 0 && signalProcess(pid, startTime, 0)) {
    if (ends) await rememberStop(host, seen.container);
    if (ends) markStopped(host.stateOf(id));
    // Before it is sent: whoever sees the end may tell of that at once.
    containerEvent(host, seen.container, "kill", { signal: String(number) });
    if (send()) {
      if (ends && seen.state.status === "paused") thawCgroup(cgroupOf(host, id));
      return;
    }
  }
  throw withCause(`cannot kill container: ${name}`, await notRunning(host, seen));
}

async function findToKill(host: Host, name: string): Promise<Look> {
  try {
    return await find(host, name);
  } catch (error) {
    throw withCause(`cannot kill container: ${name}`, error);
  }
}
