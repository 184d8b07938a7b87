import { readHealth, readHealthStatus } from "../../container/health.ts";
import type { ContainerState } from "../../container/record.ts";
import { isContainerId } from "../../container/stored-container.ts";
import type { Health } from "../../docker/health.ts";
import { type HealthStatus, healthStatuses } from "../../docker/health-status.ts";
import type { Host } from "../host.ts";
import { isRunning } from "./look.ts";

/** What the checks of a container have found; undefined where nothing is checked, or it has not run yet. */
export function healthOf(host: Host, id: string, state: ContainerState): Health | undefined {
  if (!isContainerId(id)) return undefined; // no directory has such a name
  if (isRunning(state)) return parse(readHealth(host.stateOf(id)));
  const last = parse(readHealth(host.stateOf(id)) ?? readHealth(host.filesOf(id)));
  // Docker's word for one that nobody asks any more.
  return last && { ...last, Status: "unhealthy" };
}

/** The same, and no more, for lists. */
export function healthStatusOf(host: Host, id: string, state: ContainerState): HealthStatus | undefined {
  if (!isRunning(state) || !isContainerId(id)) return healthOf(host, id, state)?.Status;
  const status = readHealthStatus(host.stateOf(id));
  return healthStatuses.find((known): known is HealthStatus => known === status && known !== "none");
}

function parse(text: string | undefined): Health | undefined {
  if (text === undefined) return undefined;
  // A listing needs no more of it than the status.
  const { parseHealth } = require("../../docker/health.ts") as typeof import("../../docker/health.ts");
  return parseHealth(text);
}
