import { listOf, mapOf, natural, object, type Shape, text } from "../base/shape.ts";
import { formatFilters } from "../docker/filters.ts";
import type { VolumeDocument } from "../docker/volume.ts";
import { volumeCreateDocument } from "../docker/volume-create.ts";
import { given } from "../docker/zero.ts";
import type { VolumeVerbs } from "../engine/engine.ts";
import { pathOf } from "./api.ts";
import { documentOf, type RemoteCaller, tell } from "./caller.ts";

const words = (value: unknown, path: string) =>
  value === null || value === undefined ? null : mapOf(text)(value, path);
/** What docker has besides passes. */
export const volumeDocumentShape = object({
  ...{ CreatedAt: given(text, ""), Driver: text, Labels: words, Mountpoint: given(text, "") },
  ...{ Name: text, Options: words, Scope: given(text, "local") },
}) as Shape<unknown> as Shape<VolumeDocument>;
const pruned = object({ VolumesDeleted: given(listOf(text), []), SpaceReclaimed: given(natural, 0) });
const listed = object({ Volumes: given(listOf(volumeDocumentShape), []) });

export function volumeVerbs(caller: RemoteCaller): VolumeVerbs {
  return {
    create: (options) =>
      documentOf(
        caller,
        volumeDocumentShape,
        { method: "POST", path: "/volumes/create", document: volumeCreateDocument(options) },
        "volume",
      ),
    async list({ filters }) {
      const query = { filters: formatFilters(filters) };
      const { Volumes } = await documentOf(
        caller,
        listed,
        { method: "GET", path: "/volumes", query },
        "volumes",
      );
      return Volumes.toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
    },
    inspect: (name) =>
      documentOf(caller, volumeDocumentShape, { method: "GET", path: pathOf`/volumes/${name}` }, "volume"),
    remove: async (name, { force }) =>
      void (await tell(caller, { method: "DELETE", path: pathOf`/volumes/${name}`, query: { force } })),
    prune({ filters }) {
      const query = { filters: formatFilters(filters) };
      return documentOf(caller, pruned, { method: "POST", path: "/volumes/prune", query }, "pruned");
    },
  };
}
