import { RtError } from "../../base/errors.ts";
import { changesDocument } from "../../docker/container-changes.ts";
import { withAllAliases } from "../../docker/container-inspect-versions.ts";
import { containerListElement } from "../../docker/container-summary.ts";
import { parseContainerUpdate } from "../../docker/container-update.ts";
import type { ApiCall } from "../call.ts";

/** GET /containers/json */
export async function getContainers(call: ApiCall): Promise<void> {
  const { query } = call;
  const filters = query.filters();
  const last = Math.max(0, query.integer("limit") ?? 0);
  const found = await call.engine.container.list({
    // Whoever asks for so many of them, or for those in a state, means all.
    all: query.flag("all") || last > 0 || filters.status !== undefined,
    ...(last > 0 && { last }),
    details: true,
    places: true,
    size: query.flag("size"),
    filters,
  });
  call.answer(200, found.map(containerListElement));
}

/** GET /containers/{name}/json */
export async function getContainer(call: ApiCall): Promise<void> {
  const size = call.query.flag("size");
  const document = await call.engine.container.inspect(call.param("name"), { size });
  call.answer(200, call.since("1.45") ? document : withAllAliases(document));
}

/** GET /containers/{name}/top */
export async function getContainerTop(call: ApiCall): Promise<void> {
  const words = call.query.text("ps_args").split(/\s+/).filter(Boolean);
  call.answer(200, await call.engine.container.top(call.param("name"), words));
}

/** GET /containers/{name}/changes */
export async function getContainerChanges(call: ApiCall): Promise<void> {
  const changes = await call.engine.container.diff(call.param("name"));
  call.answer(200, changesDocument(changes));
}

/** POST /containers/{name}/update */
export async function postContainerUpdate(call: ApiCall): Promise<void> {
  const change = parseContainerUpdate((await call.json()) ?? {});
  await call.engine.container.update(call.param("name"), change);
  call.answer(200, { Warnings: call.warnings.length > 0 ? call.warnings : null });
}

/** POST /containers/{name}/rename */
export async function postContainerRename(call: ApiCall): Promise<void> {
  await call.engine.container.rename(call.param("name"), call.query.text("name"));
  call.answer(204);
}

/** DELETE /containers/{name} */
export async function deleteContainer(call: ApiCall): Promise<void> {
  const { query } = call;
  if (query.flag("link"))
    throw new RtError("conflict", "Conflict, cannot remove the default link name of the container");
  const options = { force: query.flag("force"), volumes: query.flag("v") };
  await call.engine.container.remove(call.param("name"), options);
  call.answer(204);
}

/** POST /containers/prune */
export async function postContainersPrune(call: ApiCall): Promise<void> {
  const { ContainersDeleted, SpaceReclaimed } = await call.engine.container.prune({
    filters: call.query.filters(),
  });
  call.answer(200, {
    ContainersDeleted: ContainersDeleted.length > 0 ? ContainersDeleted : null,
    SpaceReclaimed,
  });
}
