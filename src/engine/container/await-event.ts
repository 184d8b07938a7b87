import { RtError } from "../../base/errors.ts";
import { parseEvent } from "../../docker/event.ts";
import { followEvents } from "../../events/follow.ts";
import { reconcileOne } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { find, lookById } from "./find.ts";
import { isUp } from "./look.ts";

/** Of an end that nobody was able to write down, nothing but looking tells. */
const look_ms = 1000;

/**
 * The exit status that a container ends with next, whatever it does now, or ended with where it does not run; or its last one, once it
 * is removed. What is left of it
 * may be gone before anybody can look: what happened to it is read as `rt events` shows it.
 * @throws RtError not-found: there is none
 */
export async function awaitEvent(
  host: Host,
  name: string,
  condition: "not-running" | "next-exit" | "removed",
  onWaiting: (() => void) | undefined,
): Promise<number> {
  const leave = new AbortController();
  const abort = AbortSignal.any([host.session.abort, leave.signal]);
  const lines = followEvents(host.paths.state, { past: false, until: undefined, abort });
  // It follows from here on, so that nothing falls between this and the first look.
  let next = lines.next();
  try {
    const first = await find(host, name);
    const { id } = first.container;
    let { exitCode } = first.state;
    let wasUp = isUp(first.state);
    onWaiting?.();
    if (condition === "not-running" && !wasUp) return exitCode;
    while (true) {
      const news = await Promise.race([next, Bun.sleep(look_ms)]);
      if (news) {
        for (const { action, code } of actionsOf(id, news.value ?? [])) {
          if (action === "die") exitCode = code;
          if (action === (condition === "removed" ? "destroy" : "die")) return exitCode;
        }
        next = lines.next();
        continue;
      }
      const { state } = lookById(host, id);
      if (state.status === "exited") exitCode = state.exitCode;
      if (!(await isStillThere(host, id))) return exitCode;
      if (condition !== "removed" && wasUp && !isUp(state)) return exitCode;
      wasUp = isUp(state);
    }
  } finally {
    leave.abort();
    next.catch(() => {}); // that we leave is its failure
  }
}

/** An end that its monitor did not live to write down is on record after this. */
async function isStillThere(host: Host, id: string): Promise<boolean> {
  try {
    await reconcileOne(host, id);
    return true;
  } catch (error) {
    if (error instanceof RtError && error.code === "not-found") return false;
    throw error;
  }
}

function actionsOf(id: string, lines: readonly string[]): { action: string; code: number }[] {
  return lines.flatMap((line) => {
    const event = line.includes(id) ? parseEvent(line) : undefined;
    if (event?.Type !== "container" || event.Actor.ID !== id) return [];
    return [{ action: event.Action, code: Number(event.Actor.Attributes.exitCode ?? 0) }];
  });
}
