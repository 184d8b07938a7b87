import { RtError } from "../../base/errors.ts";
import type { Image } from "../../image/image-store.ts";
import type { Digest } from "../../oci/digest.ts";
import { canonical, familiarName, type Reference } from "../../reference/reference.ts";
import type { Host } from "../host.ts";

/** A line of `rt images`. Docker's "<none>" where there is no such thing. */
export interface ImageListItem {
  repository: string;
  tag: string;
  /** The repo digest, or "<none>". */
  digest: string;
  id: Digest;
  /** RFC 3339, or "" if the image does not say. */
  created: string;
  size: number;
  labels: Record<string, string>;
  /** Its record cannot be read: all but names and id is unknown. */
  damaged: boolean;
}

export interface ImagesOptions {
  /** Also lines for repo digests of an image that has tags (`--digests` shows them in a column instead). */
  all?: boolean;
  /** "alpine" or "alpine:3.*": repository and tag with wildcards. */
  pattern?: string;
  /** `--filter key=value`, each: dangling, label, reference, before, since. */
  filters?: readonly string[];
}

const none = "<none>";

/** Newest first. @throws RtError invalid-argument: a filter that is none; not-found: an image that one refers to */
export function listImages(host: Host, options: ImagesOptions = {}): ImageListItem[] {
  let images = host.images.list().map((image) => ({ image, items: itemsOf(host, image) }));
  for (const filter of options.filters ?? []) {
    const test = predicate(host, filter);
    images = images.map(({ image, items }) => ({ image, items: items.filter((item) => test(item, image)) }));
  }
  const matches = options.pattern === undefined ? () => true : wildcard(options.pattern);
  const lines = images.flatMap(({ items }) => items).filter((item) => matches(item));
  return lines.sort((a, b) => timeOf(b.created) - timeOf(a.created) || compare(a, b));
}

/** One line for each tag; an image without any is one line for its repository, or "<none>" and "<none>". */
function itemsOf(host: Host, image: Image): ImageListItem[] {
  const { id, tags, digests, targets } = image;
  const rest = { id, ...factsOf(host, image) };
  const digestOf = (name: Reference) => {
    const known = digests.filter((other) => sameRepository(other, name)).map(({ digest }) => digest);
    return known.find((digest) => digest === targets.get(canonical(name))) ?? known[0] ?? none;
  };
  if (tags.length > 0) {
    return tags.map((name) => {
      return { repository: familiarName(name), tag: name.tag ?? none, digest: digestOf(name), ...rest };
    });
  }
  if (digests.length === 0) return [{ repository: none, tag: none, digest: none, ...rest }];
  return digests.map((name) => {
    return { repository: familiarName(name), tag: none, digest: name.digest ?? none, ...rest };
  });
}

function factsOf(host: Host, image: Image): Pick<ImageListItem, "created" | "size" | "labels" | "damaged"> {
  try {
    const { created, size, config } = image.record;
    return { created, size, labels: config.Labels ?? {}, damaged: false };
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    host.warn(error.message);
    return { created: "", size: 0, labels: {}, damaged: true };
  }
}

function sameRepository(a: Reference, b: Reference): boolean {
  return a.domain === b.domain && a.path === b.path;
}

type Predicate = (item: ImageListItem, image: Image) => boolean;

function predicate(host: Host, filter: string): Predicate {
  const equals = filter.indexOf("=");
  const key = equals < 0 ? filter : filter.slice(0, equals);
  const value = filter.slice(equals + 1);
  if (equals < 0) throw invalid(`invalid filter ${JSON.stringify(filter)}: want KEY=VALUE`);
  switch (key) {
    case "dangling": {
      const wanted = truth(value);
      return (item) => (item.tag === none) === wanted;
    }
    case "label": {
      const [name = "", ...text] = value.split("=");
      return (item) =>
        Object.hasOwn(item.labels, name) && (text.length === 0 || item.labels[name] === text.join("="));
    }
    case "reference":
      return wildcard(value);
    case "before": {
      const limit = timeOf(host.images.get(value).record.created);
      return (item) => timeOf(item.created) < limit;
    }
    case "since": {
      const limit = timeOf(host.images.get(value).record.created);
      return (item) => timeOf(item.created) > limit;
    }
    default:
      throw invalid(`invalid filter '${key}': there are before, dangling, label, reference, since`);
  }
}

function truth(value: string): boolean {
  if (["true", "1"].includes(value)) return true;
  if (["false", "0"].includes(value)) return false;
  throw invalid(`invalid filter 'dangling=${value}': want true or false`);
}

/** Docker's `path.Match` on "repository" or "repository:tag", as people are shown them; "*" does not cross a "/". */
function wildcard(pattern: string): (item: ImageListItem) => boolean {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, "\\$&")
    .replace(/\*/g, "[^/]*")
    .replace(/\?/g, "[^/]");
  let expression: RegExp;
  try {
    expression = new RegExp(`^${source}$`);
  } catch (error) {
    throw new RtError("invalid-argument", `invalid pattern ${JSON.stringify(pattern)}`, { cause: error });
  }
  return ({ repository, tag, digest }) =>
    [repository, `${repository}:${tag}`, `${repository}@${digest}`].some((name) => expression.test(name));
}

function timeOf(created: string): number {
  const time = Date.parse(created);
  return Number.isNaN(time) ? 0 : time;
}

function compare(a: ImageListItem, b: ImageListItem): number {
  const [left, right] = [`${a.repository}:${a.tag}`, `${b.repository}:${b.tag}`];
  return left < right ? -1 : left > right ? 1 : 0;
}

function invalid(text: string): RtError {
  return new RtError("invalid-argument", text);
}
