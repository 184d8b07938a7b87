import { join } from "node:path";
import { type ContainerInspect, containerInspect } from "../../docker/container-inspect.ts";
import { joinedContainer } from "../../settings/namespace-mode.ts";
import { reconcileOne } from "../care/reconcile.ts";
import { runningExecs } from "../exec/inspect.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { healthOf } from "./health-state.ts";
import { look, withPause, withShortage } from "./look.ts";

/** `docker container inspect`'s object. @throws not-found */
export async function inspectContainer(host: Host, name: string): Promise<ContainerInspect> {
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
  return containerInspect(facts, { settings: record, driver, platform, filesDirectory, logPath, rootfs });
}
