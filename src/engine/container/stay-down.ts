import { holdsWithin } from "../../base/wait.ts";
import { markStopped } from "../../container/stopped.ts";
import type { Container } from "../../container/stored-container.ts";
import { signalProcess } from "../../runtime/process.ts";
import { reconcileOne } from "../care/reconcile.ts";
import { ifRoom } from "../care/room.ts";
import type { Host } from "../host.ts";
import { look } from "./look.ts";

const SIGTERM = 15;
const within_ms = 10_000;

/** Beyond this machine's uptime: `rt system up` leaves it down, unless its policy is always. */
export async function rememberStop(host: Host, { id, name, isStopped }: Container): Promise<void> {
  if (isStopped) return;
  const remember = () => host.containers.setStopped(id, true);
  await ifRoom(host, `that container ${name} was stopped is not in the database`, remember);
}

/**
 * A container between two starts of its restart policy is to stay as it is: its monitor, or rt, which that has become, hears of
 * it. Afterwards it is over, or runs, when that was quicker.
 */
export async function stayDown(host: Host, container: Pick<Container, "id" | "exit">): Promise<void> {
  const { monitor, state } = look(host, container);
  if (state.status !== "restarting") return;
  markStopped(host.stateOf(container.id));
  if (monitor.pid > 0) signalProcess(monitor.pid, monitor.startTime, SIGTERM);
  await holdsWithin(within_ms, () => look(host, container).state.status !== "restarting");
  // Where it was rt that the signal has ended, nobody has concluded it.
  if (host.containers.find(container.id)) await reconcileOne(host, container.id);
}
