import { mediaTypes } from "../oci/media-types.ts";
import type { Exchange } from "./exchange.ts";
import { ProtocolError } from "./protocol-error.ts";
import { digestIn, type Page, pageIn } from "./route.ts";
import type { DistributionStore, ReferrerDescriptor, ServedRepository } from "./store.ts";

/** A list of referrers is a manifest, of which clients take at most 4 MiB. */
const referrersBytesMax = 3 << 20;

/** `/v2/_catalog` */
export function answerCatalog({ request, url }: Exchange, store: DistributionStore): Response {
  onlyGet(request);
  const page = pageIn(url.searchParams);
  const found = store.repositories(page);
  const repositories = found.slice(0, page.limit);
  return Response.json(
    { repositories },
    { headers: more(url, found.length > page.limit, repositories, page) },
  );
}

/** `/v2/<name>/tags/list` (spec.md#listing-tags) */
export function answerTags({ request, url, name }: Exchange, repository: ServedRepository): Response {
  onlyGet(request);
  const page = pageIn(url.searchParams);
  const rest = repository.tags().filter((tag) => tag > page.last);
  const tags = rest.slice(0, page.limit);
  return Response.json({ name, tags }, { headers: more(url, rest.length > tags.length, tags, page) });
}

/** `/v2/<name>/referrers/<digest>` (spec.md#listing-referrers): an index, empty where there are none. */
export function answerReferrers(
  { request, url }: Exchange,
  repository: ServedRepository,
  text: string,
): Response {
  onlyGet(request);
  const page = pageIn(url.searchParams);
  const artifactType = url.searchParams.get("artifactType") ?? undefined;
  const found = repository.referrers(digestIn(text), { ...page, limit: page.limit + 1, artifactType });
  const manifests = found.slice(0, fitting(found.slice(0, page.limit)));
  const digests = manifests.map(({ digest }) => digest);
  const headers = {
    ...more(url, found.length > manifests.length, digests, page),
    "Content-Type": mediaTypes.ociIndex,
    ...(artifactType !== undefined && { "OCI-Filters-Applied": "artifactType" }),
  };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  return new Response(JSON.stringify(index), { headers });
}

/** How many of them make no larger a document than clients take: one at least. */
function fitting(found: readonly ReferrerDescriptor[]): number {
  let bytes = 0;
  const over = found.findIndex((each, i) => {
    bytes += JSON.stringify(each).length;
    return bytes > referrersBytesMax && i > 0;
  });
  return over < 0 ? found.length : over;
}

function more(url: URL, isMore: boolean, items: readonly string[], { limit }: Page): Record<string, string> {
  const last = items.at(-1);
  if (!isMore || last === undefined) return {};
  const query = new URLSearchParams(url.searchParams);
  query.set("last", last);
  query.set("n", String(limit));
  return { Link: `<${url.pathname}?${query}>; rel="next"` };
}

function onlyGet({ method }: Request): void {
  if (method !== "GET" && method !== "HEAD") throw new ProtocolError("UNSUPPORTED", "a list knows GET alone");
}
