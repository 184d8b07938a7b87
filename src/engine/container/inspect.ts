import { join } from "node:path";
import type { ContainerRecord } from "../../container/record.ts";
import { type ContainerInspect, containerInspect } from "../../docker/container-inspect.ts";
import type { EndpointFacts } from "../../docker/endpoint-settings.ts";
import { joinedContainer, networkOf } from "../../settings/namespace-mode.ts";
import { reconcileOne } from "../care/reconcile.ts";
import { runningExecs } from "../exec/inspect.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { healthOf } from "./health-state.ts";
import { look, withPause, withShortage } from "./look.ts";

/** `docker container inspect`'s object. @param options with `size` what its files take is added up @throws not-found */
export async function inspectContainer(
  host: Host,
  name: string,
  options: { size?: boolean } = {},
): Promise<ContainerInspect> {
  const container = await reconcileOne(host, name);
  const { id, created, imageId, reference } = container;
  const { state: seen, restarts = 0 } = look(host, container);
  const state = withShortage(id, withPause(host, id, seen));
  const health = healthOf(host, id, state);
  const execIds = runningExecs(host, id);
  const facts = { id, name: container.name, created, imageId, reference, restarts, state, health, execIds };
  const record = readable(host, container);
  if (!record) return containerInspect(facts, undefined);
  const { driver, platform, chain } = record;
  const rootfs = (await host.snapshotsOf(driver)).rootfs(id, chain, {});
  const filesDirectory = host.stateOf(joinedContainer(record.networkMode) ?? id);
  // Docker's is empty where it is nobody's to read but the engine's.
  const logPath = record.logDriver === "json-file" ? join(host.filesOf(id), `${id}-json.log`) : "";
  const endpoint = state.pid > 0 ? await endpointOf(host, record) : undefined;
  const size = options.size ? await (await import("./sizes.ts")).sizesOf(host, container) : undefined;
  const places = { filesDirectory, logPath, rootfs, endpoint };
  return containerInspect(facts, { settings: record, driver, platform, size, ...places });
}

async function endpointOf(host: Host, record: ContainerRecord): Promise<EndpointFacts | undefined> {
  if (networkOf(record.networkMode) === undefined) return undefined;
  const { describeEndpoint } = await import("../network/describe.ts");
  return describeEndpoint(host, record.id);
}
