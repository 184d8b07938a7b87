import { invalid } from "../../base/invalid.ts";
import { parseCommitConfig } from "../../docker/commit-config.ts";
import { imageInspectAnswer } from "../../docker/image-inspect.ts";
import { imageListElement } from "../../docker/image-summary.ts";
import { parsePlatformQuery } from "../../docker/platform-query.ts";
import { parseRegistryAuth } from "../../docker/registry-auth.ts";
import type { ApiCall } from "../call.ts";

/** GET /images/json */
export async function getImages(call: ApiCall): Promise<void> {
  const { query } = call;
  const found = await call.engine.image.list({
    filters: query.filters(),
    sharedSize: query.flag("shared-size"),
    manifests: query.flag("manifests"),
  });
  const elements = found.map(imageListElement);
  // Until 1.43 there was a second size, which was the same.
  call.answer(
    200,
    call.since("1.44") ? elements : elements.map((each) => ({ ...each, VirtualSize: each.Size })),
  );
}

/** GET /images/{name}/json */
export async function getImage(call: ApiCall): Promise<void> {
  const platform = call.since("1.49") ? parsePlatformQuery(call.query.text("platform")) : undefined;
  const found = await call.engine.image.inspect(call.param("name"), { platform });
  const isComposeV1 = /^docker-compose\/1\./.test(call.exchange.fields.get("user-agent") ?? "");
  call.answer(
    200,
    imageInspectAnswer(found, (version) => call.since(version), isComposeV1),
  );
}

/** GET /images/{name}/history */
export async function getImageHistory(call: ApiCall): Promise<void> {
  const platform = call.since("1.48") ? parsePlatformQuery(call.query.text("platform")) : undefined;
  call.answer(200, await call.engine.image.history(call.param("name"), { platform }));
}

/** POST /images/{name}/tag */
export async function postImageTag(call: ApiCall): Promise<void> {
  const { query } = call;
  const target = imageNameOf(query.text("repo"), query.text("tag"));
  if (target === undefined) throw invalid("invalid reference format: repo is empty");
  await call.engine.image.tag(call.param("name"), [target]);
  call.answer(201);
}

/** As two parameters have it; undefined where there is none. */
export function imageNameOf(repository: string, tag: string): string | undefined {
  if (repository === "") return undefined;
  if (tag === "") return repository;
  return `${repository}${tag.startsWith("sha256:") ? "@" : ":"}${tag}`;
}

/** DELETE /images/{name} */
export async function deleteImage(call: ApiCall): Promise<void> {
  const { query } = call;
  const options = { force: query.flag("force"), prune: !query.flag("noprune") };
  call.answer(200, await call.engine.image.remove(call.param("name"), options));
}

/** GET /images/search */
export async function getImagesSearch(call: ApiCall): Promise<void> {
  const { query } = call;
  const found = await call.engine.registry.search(query.text("term"), {
    limit: query.integer("limit") || 25,
    filters: query.filters(),
    credentials: credentialsOf(call),
  });
  call.answer(200, found);
}

/** Who the client is to a registry. */
export function credentialsOf(call: ApiCall): ReturnType<typeof parseRegistryAuth> {
  return parseRegistryAuth(call.exchange.fields.get("x-registry-auth"));
}

/** POST /images/prune */
export async function postImagesPrune(call: ApiCall): Promise<void> {
  const { ImagesDeleted, SpaceReclaimed } = await call.engine.image.prune({ filters: call.query.filters() });
  // Docker's list of nothing.
  call.answer(200, { ImagesDeleted: ImagesDeleted.length > 0 ? ImagesDeleted : null, SpaceReclaimed });
}

/** POST /commit */
export async function postCommit(call: ApiCall): Promise<void> {
  const { query } = call;
  const config = parseCommitConfig(await call.json());
  const container = query.text("container");
  if (container === "") throw invalid(`invalid name or ID supplied: ""`);
  const Id = await call.engine.container.commit(container, {
    reference: imageNameOf(query.text("repo"), query.text("tag")),
    author: query.text("author"),
    comment: query.text("comment"),
    changes: query.texts("changes"),
    pause: query.flag("pause", true),
    config,
  });
  call.answer(201, { Id });
}

/** GET /distribution/{name}/json */
export async function getDistribution(call: ApiCall): Promise<void> {
  const credentials = credentialsOf(call);
  call.answer(200, await call.engine.image.distribution(call.param("name"), { credentials }));
}
