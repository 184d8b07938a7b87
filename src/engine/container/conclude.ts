import { existsSync } from "node:fs";
import { isContainerId } from "../../container/stored-container.ts";
import { putRight } from "../care/put-right.ts";
import type { Host } from "../host.ts";

/**
 * What a monitor becomes does this, when its program has ended and no client sees to that. Whoever was there before has taken
 * the state directory away: then there is nothing to do, and nothing is opened for it.
 */
export async function concludeAlone(host: Host, id: string): Promise<void> {
  if (!isContainerId(id) || !existsSync(host.stateOf(id))) return;
  const container = host.containers.find(id);
  if (container) await (await putRight(host, container))?.remove?.();
}
