import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import type { Container } from "../../container/container-store.ts";
import { cgroupPath, freezeCgroup, isFrozen, thawCgroup } from "../../runtime/cgroup.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find, requireRunning } from "./find.ts";

/** What is in the middle of a system call stands still at its end. */
const frozenWithin_ms = 10_000;

/** All processes of a running container stand still. @throws RtError conflict: it does not run, or is paused already */
export async function pause(host: Host, name: string): Promise<void> {
  const seen = await find(host, name);
  const { container, state } = seen;
  await requireRunning(host, seen);
  if (state.status === "paused") throw conflict(container, "is already paused");
  const group = cgroupPath(container.id);
  freezeCgroup(group);
  if (await holdsWithin(frozenWithin_ms, () => isFrozen(group)))
    return containerEvent(host, container, "pause");
  thawCgroup(group);
  throw new RtError("unavailable", `container ${container.name} does not stand still: it goes on, try again`);
}

/** They go on where they were. @throws RtError conflict: it is not paused */
export async function unpause(host: Host, name: string): Promise<void> {
  const { container, state } = await find(host, name);
  if (state.status !== "paused") throw conflict(container, "is not paused");
  thawCgroup(cgroupPath(container.id));
  containerEvent(host, container, "unpause");
}

function conflict({ id }: Container, what: string): RtError {
  return new RtError("conflict", `Container ${id} ${what}`, { exitCode: 1 });
}
