import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { type ContainerInspect, containerInspect } from "../../docker/container-inspect.ts";
import type { PortFacts } from "../../docker/container-ports.ts";
import type { EndpointFacts } from "../../docker/endpoint-settings.ts";
import { joinedContainer } from "../../settings/namespace-mode.ts";
import { wishesOf } from "../../settings/network.ts";
import type { SpecLabels } from "../../spec/labels.ts";
import { reconcileOne } from "../care/reconcile.ts";
import { runningExecs } from "../exec/inspect.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { healthOf } from "./health-state.ts";
import { moduleLabels } from "./labels.ts";
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
  const state = withShortage(host, id, withPause(host, id, seen));
  const health = healthOf(host, id, state);
  const execIds = state.pid > 0 ? runningExecs(host, id) : [];
  const facts = { id, name: container.name, created, imageId, reference, restarts, state, health, execIds };
  const record = readable(host, container);
  if (!record) return containerInspect(facts, undefined);
  const { driver, platform, chain, idMappings: owners } = record;
  const rootfs = (await host.snapshotsOf(driver)).rootfs(id, chain, { owners });
  const filesDirectory = host.stateOf(joinedContainer(record.networkMode) ?? id);
  // Docker's is empty where it is nobody's to read but the engine's.
  const logPath = record.logDriver === "json-file" ? join(host.filesOf(id), `${id}-json.log`) : "";
  const endpoints = await endpointsOf(host, record, state.pid > 0);
  const size = options.size ? await (await import("./sizes.ts")).sizesOf(host, container) : undefined;
  const mayHavePorts = state.status !== "exited" && host.containers.hasPorts(id);
  const ports = mayHavePorts ? await portsOf(host, id) : [];
  const places = { filesDirectory, logPath, rootfs, endpoints, ports, labels: labelsNow(record) };
  const settings = await shown(host, record);
  return containerInspect(facts, { settings, driver, platform, size, ...places });
}

/** As the next program of it would have them; a profile that is not there any more is none. */
function labelsNow(record: ContainerRecord): SpecLabels {
  try {
    return moduleLabels(record.id, record);
  } catch (error) {
    if (error instanceof RtError) return {};
    throw error;
  }
}

async function shown(host: Host, record: ContainerRecord): Promise<ContainerRecord> {
  if (!record.networks?.some(({ links }) => links.length > 0)) return record;
  return (await import("../network/describe.ts")).withLinkNames(host, record);
}

async function portsOf(host: Host, id: string): Promise<PortFacts[]> {
  return (await import("./port-facts.ts")).portsOfContainer(host, id);
}

async function endpointsOf(host: Host, record: ContainerRecord, isUp: boolean): Promise<EndpointFacts[]> {
  if (wishesOf(record).length === 0) return [];
  const { describeEndpoints } = await import("../network/describe.ts");
  return describeEndpoints(host, record, isUp);
}
