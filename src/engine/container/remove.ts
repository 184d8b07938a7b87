import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import { markStopped } from "../../container/stopped.ts";
import { type Container, recordOf } from "../../container/stored-container.ts";
import { isLocked } from "../../runtime/lock.ts";
import { membersOf } from "../../runtime/members.ts";
import { withReserve } from "../../store/reserve.ts";
import { reconcileOne } from "../care/reconcile.ts";
import { endLeftovers, hasEndedOrderly, remove } from "../care/remove.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { killContainer } from "./end.ts";
import { cgroupOf } from "./group.ts";
import { elsewhere, isElsewhere, look, withPause } from "./look.ts";
import { stayDown } from "./stay-down.ts";
import { killedWithin_ms, notEnding } from "./stop.ts";

/** Remove a container; a running one only with `force`, by SIGKILL. Nothing of it has to be readable for that. */
export async function removeContainer(
  host: Host,
  text: string,
  options: { force: boolean; volumes: boolean },
): Promise<void> {
  await removeSettled(host, await reconcileOne(host, text), options);
}

/** The same once what others left was put right. */
export async function removeSettled(
  host: Host,
  container: Container,
  options: { force: boolean; volumes: boolean },
): Promise<void> {
  const { id, name } = container;
  const seen = () => look(host, container);
  const isBeingMade = () => seen().state.status === "created" && isLocked(join(host.stateOf(id), "lock"));
  const isOver = () => !["running", "restarting"].includes(seen().state.status) && !isBeingMade();
  if (!isOver()) {
    const isPaused = withPause(host, id, seen().state).status === "paused";
    if (!options.force)
      throw conflict(
        `cannot remove container "${name}": ${whyNot(isBeingMade(), isPaused, seen().state.status === "restarting")}`,
      );
    if (await isElsewhere(host, container))
      throw conflict(`cannot remove container "${name}": it ${elsewhere}`);
    markStopped(host.stateOf(id));
    await stayDown(host, container);
    containerEvent(host, container, "kill", { signal: "9" });
    kill(cgroupOf(host, id), seen().state);
    // Its end is what counts: the monitor may still be giving a slow client the last of the output.
    if (!(await holdsWithin(killedWithin_ms, isOver))) throw notEnding(name);
  }
  const last = seen();
  if (last.needsCleanup) endLeftovers(host, id, last);
  const ended = hasEndedOrderly(last);
  const volumes = options.volumes || container.autoRemove;
  const record = recordOf(container);
  const drivers = await host.driversFor(record?.driver);
  await withReserve(host.paths.root, async () => {
    using lease = host.containers.condemn(id, { volumes }, isOver);
    if (lease) await remove(host, { id, record }, drivers, { volumes, ended, state: last.state });
    else if (host.containers.find(id))
      throw conflict(`cannot remove container "${name}": it was started again`);
  });
}

/** With its init all of a container goes; where that is unknown, what its cgroup holds. */
function kill(group: string, init: { pid: number; startTime: string }): void {
  const processes = init.pid > 0 ? [init] : membersOf(group);
  for (const process of processes) killContainer(group, process);
}

function whyNot(isBeingMade: boolean, isPaused: boolean, isRestarting: boolean): string {
  if (isRestarting) return "container is restarting: stop the container before removing or force remove";
  if (isPaused) return "container is paused and must be unpaused first";
  if (isBeingMade) return "it is just being started: try again";
  return "container is running: stop the container before removing or force remove";
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}
