import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import type { Container } from "../../container/stored-container.ts";
import { freezeCgroup, hasCgroup, isFrozen, noGroup, thawCgroup } from "../../runtime/cgroup.ts";
import { holdMoment, takeAbandoned } from "../../runtime/moment.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find, type Look, requireRunning } from "./find.ts";
import { cgroupOf } from "./group.ts";

/** What is in the middle of a system call stands still at its end. */
const frozenWithin_ms = 10_000;

/** All processes of a running container stand still. @throws RtError conflict: it does not run, or is paused already */
export async function pause(host: Host, name: string): Promise<void> {
  const seen = await find(host, name);
  const { container, state } = seen;
  await requireRunning(host, seen);
  if (state.status === "paused") throw conflict(container, "is already paused");
  // Of one who was killed before he froze it: this pause is not his.
  takeAbandoned(host.stateOf(container.id));
  await freeze(host, container);
  containerEvent(host, container, "pause");
}

async function freeze(host: Host, container: Container): Promise<void> {
  const group = cgroupOf(host, container.id);
  if (!hasCgroup(group)) throw noCgroup(host, container);
  freezeCgroup(group);
  if (await holdsWithin(frozenWithin_ms, () => isFrozen(group))) return;
  thawCgroup(group);
  throw new RtError("unavailable", `container ${container.name} does not stand still: it goes on, try again`);
}

/** Where rt is in a container itself, which may not make groups, or an ordinary user has none. */
function noCgroup(host: Host, { id, name }: Container): RtError {
  const isUsers = cgroupOf(host, id) === noGroup;
  const why = isUsers
    ? "none was delegated to you: docs/delegation.md says how to get one"
    : "those of this host can only be read here";
  return new RtError(
    "unsupported",
    `container ${name} cannot stand still: it has no cgroup of its own, as ${why}`,
  );
}

/**
 * `action` while all processes of a running container stand still; one that is paused already, or does not run, as it is. So is one
 * that nobody can pause, as no cgroup was delegated to its user: he is told.
 */
export async function standingStill<T>(host: Host, seen: Look, action: () => Promise<T>): Promise<T> {
  const { container, state } = seen;
  if (state.status !== "running") return action();
  await requireRunning(host, seen);
  if (cgroupOf(host, container.id) === noGroup) {
    host.warn(`warning: ${noCgroup(host, container).message}: it goes on meanwhile`);
    return action();
  }
  using _ = holdMoment(host.stateOf(container.id));
  await freeze(host, container);
  containerEvent(host, container, "pause");
  try {
    return await action();
  } finally {
    thawCgroup(cgroupOf(host, container.id));
    containerEvent(host, container, "unpause");
  }
}

/** They go on where they were. @throws RtError conflict: it is not paused */
export async function unpause(host: Host, name: string): Promise<void> {
  const { container, state } = await find(host, name);
  if (state.status !== "paused") throw conflict(container, "is not paused");
  thawCgroup(cgroupOf(host, container.id));
  containerEvent(host, container, "unpause");
}

function conflict({ id }: Container, what: string): RtError {
  return new RtError("conflict", `Container ${id} ${what}`, { exitCode: 1 });
}
