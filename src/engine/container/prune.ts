import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import { type Container, isContainerId, recordOf } from "../../container/stored-container.ts";
import type { PrunedContainers } from "../../docker/container-prune.ts";
import {
  checkFilters,
  containerPruneFilters,
  type Filters,
  hasLabel,
  matcher,
} from "../../docker/filters.ts";
import { parseMoment } from "../../docker/timestamp.ts";
import { isLocked } from "../../runtime/lock.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { look } from "./look.ts";
import { removeSettled } from "./remove.ts";

/**
 * Remove the containers that do not run, those that never ran among them. One that cannot be removed is told of, and does not
 * stop the others.
 * @throws RtError invalid-argument | unsupported: a filter that is none
 */
export async function pruneContainers(
  host: Host,
  { filters }: { filters: Filters },
): Promise<PrunedContainers> {
  checkFilters(filters, containerPruneFilters);
  const isWanted = matcher(filters, predicate);
  await reconcile(host);
  const pruned: PrunedContainers = { ContainersDeleted: [], SpaceReclaimed: 0 };
  for (const container of host.containers.list()) {
    if (!isOver(host, container) || !isWanted(container)) continue;
    try {
      const bytes = await sizeOf(host, container);
      await removeSettled(host, container, { force: false, volumes: false });
      pruned.ContainersDeleted.push(container.id);
      pruned.SpaceReclaimed += bytes;
    } catch (error) {
      if (!(error instanceof RtError)) throw error;
      host.warn(error.message);
    }
  }
  return pruned;
}

/** Not one that is just being started. */
function isOver(host: Host, container: Container): boolean {
  const { status } = look(host, container).state;
  return status === "exited" || (status === "created" && !isLocked(join(host.stateOf(container.id), "lock")));
}

/** Where the labels decide, a container whose labels nobody can read stays. */
function predicate(key: string, value: string): (container: Container) => boolean {
  const labels = (container: Container) => recordOf(container)?.labels;
  switch (key) {
    case "label":
      return (container) => hasLabel(labels(container) ?? {}, value);
    case "label!":
      return (container) => {
        const own = labels(container);
        return own !== undefined && !hasLabel(own, value);
      };
    case "until": {
      const limit_ms = Number(parseMoment("until", value, Date.now()) / 1_000_000n);
      return ({ created }) => Date.parse(created) < limit_ms;
    }
    default:
      throw new RtError("internal", `the filter ${key} has no meaning`);
  }
}

/** Of its writable top, whichever driver made that. */
async function sizeOf(host: Host, container: Container): Promise<number> {
  if (!isContainerId(container.id)) return 0;
  let bytes = 0;
  for (const driver of await host.driversFor(recordOf(container)?.driver)) {
    if (driver.list().active.includes(container.id)) bytes += (await driver.usage(container.id)).bytes;
  }
  return bytes;
}
