import { integer, listOf, mapOf, natural, object, optional, text } from "../base/shape.ts";
import type { DistributionInspect } from "../docker/distribution.ts";
import { formatFilters } from "../docker/filters.ts";
import type { ImageDeleteItem } from "../docker/image-delete.ts";
import type { ImageInspect } from "../docker/image-inspect.ts";
import { type ImageListElement, type ImageSummary, imageSummary } from "../docker/image-summary.ts";
import { platformQuery } from "../docker/platform-query.ts";
import { given } from "../docker/zero.ts";
import type { ImageVerbs } from "../engine/engine.ts";
import type { ImagesOptions } from "../engine/image/list.ts";
import { familiar, familiarName, parse } from "../reference/reference.ts";
import { pathOf } from "./api.ts";
import { documentOf, type RemoteCaller, tell } from "./caller.ts";
import { remoteImport, remoteLoad, remoteSave } from "./image-files.ts";
import { authOf, remotePull } from "./pull.ts";
import { remotePush, remotePushAll } from "./push.ts";
import { onHostAlone } from "./stdio.ts";

const texts = given(listOf(text), []);

/** An element of GET /images/json; what docker has besides passes. */
export const imageElement = object({
  Id: text,
  ParentId: given(text, ""),
  RepoTags: texts,
  RepoDigests: texts,
  Created: given(integer, 0),
  Size: given(natural, 0),
  SharedSize: given(integer, -1),
  Containers: given(integer, -1),
  Labels: given(mapOf(text), {}),
});

const inspected = object({ Id: text, RepoTags: texts, RepoDigests: texts });
const step = object({
  ...{ Id: given(text, ""), Created: given(integer, 0), CreatedBy: given(text, "") },
  ...{ Tags: (value: unknown) => (value ? listOf(text)(value, "Tags") : null) },
  ...{ Size: given(natural, 0), Comment: given(text, "") },
});
const distributed = object({
  Descriptor: object({ mediaType: text, digest: text, size: natural }),
  Platforms: given(listOf(object({ architecture: given(text, ""), os: given(text, "") })), []),
});
const deleted = given(listOf(object({ Untagged: optional(text), Deleted: optional(text) })), []);
const pruned = object({ ImagesDeleted: deleted, SpaceReclaimed: given(natural, 0) });

export function imageVerbs(caller: RemoteCaller): ImageVerbs {
  return {
    pull: (reference, options) => remotePull(caller, reference, options),
    push: (name, options) => remotePush(caller, name, options),
    pushAll: (repository, options) => remotePushAll(caller, repository, options),
    save: (names, options) => remoteSave(caller, names, options),
    load: (options) => remoteLoad(caller, options),
    import: (options) => remoteImport(caller, options),
    copy: async () => {
      throw onHostAlone("image cp");
    },
    list: (options) => listImages(caller, options),
    async inspect(name, { platform } = {}) {
      const query = { platform: platform && platformQuery(platform) };
      const request = { method: "GET", path: pathOf`/images/${name}/json`, query } as const;
      return (await documentOf(caller, inspected, request, "image")) as unknown as ImageInspect;
    },
    history(name, { platform } = {}) {
      const query = { platform: platform && platformQuery(platform) };
      return documentOf(
        caller,
        listOf(step),
        { method: "GET", path: pathOf`/images/${name}/history`, query },
        "history",
      );
    },
    async tag(source, targets) {
      // All of them are looked at before the first is given.
      const names = targets.map((target) => parse(target));
      for (const name of names) {
        const query = { repo: familiarName(name), tag: name.tag };
        await tell(caller, { method: "POST", path: pathOf`/images/${source}/tag`, query });
      }
    },
    untag: async () => {
      throw onHostAlone("untag");
    },
    async remove(name, { force, prune = true }) {
      const query = { force, noprune: !prune };
      const gone = await documentOf(
        caller,
        (value, path) => deleted(value, path),
        { method: "DELETE", path: pathOf`/images/${name}`, query },
        "deleted",
      );
      return items(gone);
    },
    async prune({ filters }) {
      const query = { filters: formatFilters(filters) };
      const gone = await documentOf(
        caller,
        pruned,
        { method: "POST", path: "/images/prune", query },
        "pruned",
      );
      return { ImagesDeleted: items(gone.ImagesDeleted), SpaceReclaimed: gone.SpaceReclaimed };
    },
    async distribution(reference, { credentials }) {
      const name = parse(reference);
      const request = { method: "GET", path: pathOf`/distribution/${familiar(name)}/json` } as const;
      const fields = await authOf(caller, name, credentials);
      return (await documentOf(
        caller,
        distributed,
        { ...request, fields },
        "distribution",
      )) as DistributionInspect;
    },
    pack: async () => {
      throw onHostAlone("pack");
    },
  };
}

async function listImages(
  caller: RemoteCaller,
  { pattern, filters = {}, manifests }: ImagesOptions,
): Promise<ImageSummary[]> {
  const wanted =
    pattern === undefined ? filters : { ...filters, reference: [...(filters.reference ?? []), pattern] };
  const query = { filters: formatFilters(wanted), manifests };
  const found = await documentOf(
    caller,
    listOf(imageElement),
    { method: "GET", path: "/images/json", query },
    "images",
  );
  return found.map((element) => imageSummary(element as ImageListElement));
}

function items(found: readonly { Untagged?: string; Deleted?: string }[]): ImageDeleteItem[] {
  return found.flatMap(({ Untagged, Deleted }) => {
    if (Untagged !== undefined) return { Untagged };
    return Deleted === undefined ? [] : { Deleted };
  });
}
