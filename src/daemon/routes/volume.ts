import { RtError } from "../../base/errors.ts";
import { parseVolumeCreate } from "../../docker/volume-create.ts";
import type { ApiCall } from "../call.ts";

/** GET /volumes */
export async function getVolumes(call: ApiCall): Promise<void> {
  const Volumes = await call.engine.volume.list({ filters: call.query.filters() });
  call.answer(200, { Volumes, Warnings: call.warnings.length > 0 ? call.warnings : null });
}

/** GET /volumes/{name} */
export async function getVolume(call: ApiCall): Promise<void> {
  call.answer(200, await call.engine.volume.inspect(call.param("name")));
}

/** POST /volumes/create */
export async function postVolumeCreate(call: ApiCall): Promise<void> {
  call.answer(201, await call.engine.volume.create(parseVolumeCreate(await call.json())));
}

/** PUT /volumes/{name} */
export function putVolume(): never {
  throw new RtError("unavailable", "volume update only valid for cluster volumes, but swarm is unavailable");
}

/** DELETE /volumes/{name} */
export async function deleteVolume(call: ApiCall): Promise<void> {
  await call.engine.volume.remove(call.param("name"), { force: call.query.flag("force") });
  call.answer(204);
}

/** POST /volumes/prune */
export async function postVolumesPrune(call: ApiCall): Promise<void> {
  const asked = call.query.filters();
  // Before 1.42 there was no such filter, and all were meant.
  const filters = call.since("1.42") || asked.all ? asked : { ...asked, all: ["true"] };
  call.answer(200, await call.engine.volume.prune({ filters }));
}
