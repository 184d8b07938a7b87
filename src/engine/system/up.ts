import { RtError } from "../../base/errors.ts";
import { type Container, recordOf } from "../../container/stored-container.ts";
import { reconcile } from "../care/reconcile.ts";
import { look } from "../container/look.ts";
import { start } from "../container/start.ts";
import type { Host } from "../host.ts";
import { inOrder } from "./dependencies.ts";
import type { EachContainer } from "./each-container.ts";

/**
 * `rt system up`: what ran when the machine went down, or `rt system down` stopped it, is started again where its restart policy
 * says so, in the order in which the containers were made, and after those that it needs.
 *
 *   always          unless it was never started
 *   unless-stopped  the same, and not what somebody has stopped
 *   on-failure      what ended with another status than 0, as often as the policy has it; a machine that went down is a failure
 */
export async function up(host: Host, { onDone }: EachContainer): Promise<void> {
  await reconcile(host);
  const due = host.containers.list().filter((container) => isDue(host, container));
  for (const { id, name } of inOrder(due.sort(byCreation))) {
    try {
      await start(host, id, { attach: false, stdin: false, sigProxy: false });
      onDone(name, undefined);
    } catch (error) {
      if (!(error instanceof RtError) || error.code === "cancelled") throw error;
      onDone(name, error);
    }
  }
}

function byCreation(a: Container, b: Container): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

/** Docker's rule at the start of its daemon. */
function isDue(host: Host, container: Container): boolean {
  if (container.autoRemove) return false;
  const { state, restarts = 0 } = look(host, container);
  if (state.status !== "exited") return false;
  const policy = recordOf(container)?.restart;
  switch (policy?.name) {
    case "always":
      return true;
    case "unless-stopped":
      return !container.isStopped;
    case "on-failure":
      return state.exitCode !== 0 && (policy.retries === 0 || restarts < policy.retries);
    default:
      return false;
  }
}
