import { RtError } from "../../base/errors.ts";
import { LinearPattern } from "../../base/linear-pattern.ts";
import { checkFilters, type Filters, hasLabel, imageFilters, isTrue, matcher } from "../../docker/filters.ts";
import { type ImageLine, type ImageSummary, imageLines, none, timeOf } from "../../docker/image-summary.ts";
import { parseMoment } from "../../docker/timestamp.ts";
import type { Image } from "../../image/image-store.ts";
import type { Digest } from "../../oci/digest.ts";
import {
  canonical,
  familiar,
  familiarName,
  type Reference,
  repositoryOf,
} from "../../reference/reference.ts";
import type { Host } from "../host.ts";

export interface ImagesOptions {
  /** "alpine" or "alpine:3.*": repository and tag with wildcards. */
  pattern?: string;
  filters?: Filters;
  /** With what of their bytes other images have too. */
  sharedSize?: boolean;
  /** With the images of all platforms that their names stand for. */
  manifests?: boolean;
}

/**
 * Images, newest first. A filter that asks for names leaves of an image those that it asks for.
 *
 * @throws RtError invalid-argument | unsupported: a filter that is none; not-found: an image that one refers to
 */
export async function listImages(
  host: Host,
  { filters = {}, pattern, manifests = false, sharedSize = false }: ImagesOptions = {},
): Promise<ImageSummary[]> {
  checkFilters(filters, imageFilters);
  const holds = matcher(filters, (key, value) => predicate(host, key, value));
  const isNamed = pattern === undefined ? () => true : wildcard(pattern);
  const users = host.images.users();
  const images = host.images.list();
  const summaries = images.flatMap((image) => {
    const summary = { ...summaryOf(host, image), containers: users.get(image.id) ?? 0 };
    const lines = imageLines(summary).map((line) => ({ line, summary }));
    const kept = lines.map((each) => holds(each) && isNamed(each));
    return kept.includes(true) ? [only(summary, kept)] : [];
  });
  summaries.sort((a, b) => timeOf(b.created) - timeOf(a.created));
  if (sharedSize) {
    const shared = sharedSizes(host, images);
    for (const summary of summaries) summary.sharedSize = shared.get(summary.id) ?? 0;
  }
  return manifests ? (await import("./manifests.ts")).withManifests(host, images, summaries) : summaries;
}

/** With those of its names that are kept: a list of lines is one of its tags, or else of its digests. */
function only(summary: ImageSummary, kept: readonly boolean[]): ImageSummary {
  const isKept = (_: unknown, index: number) => kept[index]!;
  if (summary.tags.length > 0) return { ...summary, tags: summary.tags.filter(isKept) };
  return { ...summary, digests: summary.digests.filter(isKept) };
}

/** Bytes of the unpacked layers, as `size` counts them, that another image is made of too. */
function sharedSizes(host: Host, images: readonly Image[]): Map<string, number> {
  const layers = images.map(({ id }) => ({ id, sizes: host.images.layerSizes(id) }));
  const users = new Map<Digest, number>();
  for (const chain of layers.flatMap(({ sizes }) => [...sizes.keys()]))
    users.set(chain, (users.get(chain) ?? 0) + 1);
  return new Map(
    layers.map(({ id, sizes }) => {
      const shared = [...sizes].filter(([chain]) => users.get(chain)! > 1);
      return [id, shared.reduce((sum, [, size]) => sum + size, 0)];
    }),
  );
}

function summaryOf(host: Host, image: Image): Omit<ImageSummary, "containers"> {
  const { id, tags, digests, targets } = image;
  const digestOf = (name: Reference) => {
    const known = digests.filter((other) => repositoryOf(other) === repositoryOf(name));
    const target = targets.get(canonical(name));
    return (known.find(({ digest }) => digest === target) ?? known[0])?.digest ?? "";
  };
  return {
    id,
    tags: tags.map((name) => ({ name: `${familiarName(name)}:${name.tag}`, digest: digestOf(name) })),
    digests: digests.map(familiar),
    ...factsOf(host, image),
  };
}

function factsOf(host: Host, image: Image): Pick<ImageSummary, "created" | "size" | "labels" | "damaged"> {
  try {
    const { created, size, config } = image.record;
    return { created, size, labels: config.Labels ?? {}, damaged: false };
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    host.warn(error.message);
    return { created: "", size: 0, labels: {}, damaged: true };
  }
}

interface Line {
  line: ImageLine;
  summary: ImageSummary;
}

function predicate(host: Host, key: string, value: string): (each: Line) => boolean {
  switch (key) {
    case "dangling":
      return ({ line }) => (line.tag === none) === isTrue(value);
    case "label":
      return ({ summary }) => hasLabel(summary.labels, value);
    case "label!":
      return ({ summary }) => !hasLabel(summary.labels, value);
    case "reference":
      return wildcard(value);
    case "before": {
      const limit = timeOf(host.images.get(value).record.created);
      return ({ summary }) => timeOf(summary.created) < limit;
    }
    case "until": {
      const limit_ms = Number(parseMoment("until", value, Date.now()) / 1_000_000n);
      return ({ summary }) => timeOf(summary.created) < limit_ms;
    }
    case "since": {
      const limit = timeOf(host.images.get(value).record.created);
      return ({ summary }) => timeOf(summary.created) > limit;
    }
    default:
      throw new RtError("internal", `the filter ${key} has no meaning`);
  }
}

/** Docker's `path.Match` on "repository" or "repository:tag", as people are shown them; "*" does not cross a "/". */
function wildcard(pattern: string): (each: Line) => boolean {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, "\\$&")
    .replace(/\*/g, "[^/]*")
    .replace(/\?/g, "[^/]");
  let expression: LinearPattern;
  try {
    expression = new LinearPattern(`^${source}$`);
  } catch (error) {
    throw new RtError("invalid-argument", `invalid pattern ${JSON.stringify(pattern)}`, { cause: error });
  }
  return ({ line: { repository, tag, digest } }) =>
    [repository, `${repository}:${tag}`, `${repository}@${digest}`].some((name) => expression.test(name));
}
