import { RtError } from "../base/errors.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import { quoted, shown } from "../oci/json.ts";

/**
 * A fully qualified image name, by the grammar of distribution/reference:
 *
 *   reference := name [":" tag] ["@" digest]      name := domain "/" path
 *   "alpine"               -> docker.io / library/alpine : latest
 *   "ghcr.io/a/b@sha256:…" -> ghcr.io   / a/b @ sha256:…        (no tag: the digest decides)
 */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const defaultDomain = "docker.io";
const officialPrefix = "library/";
const nameLengthMax = 255;
/** name + tag + digest + separators fits in 512; nothing longer is worth a regular expression. */
const textLengthMax = 1024;

const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domainPattern = new RegExp(
  `^(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`,
);
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const imageIdPattern = /^[a-f0-9]{64}$/;

/** @throws RtError invalid-argument, one line that begins with "invalid reference format" */
export function parse(text: string): Reference {
  if (text === "") throw invalid("it is empty");
  if (text.length > textLengthMax) throw invalid(`${text.length} characters are too many`);
  if (/^\.{0,2}\//.test(text))
    throw invalid("it is a path; images in files are oci:DIR, oci-archive:FILE and docker-archive:FILE");
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : digestIn(text.slice(at + 1));
  const beforeDigest = at < 0 ? text : text.slice(0, at);
  const colon = beforeDigest.indexOf(":", beforeDigest.lastIndexOf("/") + 1);
  const givenTag = colon < 0 ? undefined : beforeDigest.slice(colon + 1);
  const name = colon < 0 ? beforeDigest : beforeDigest.slice(0, colon);

  if (imageIdPattern.test(name)) throw invalid(`${name.slice(0, 12)}… is an image ID, not a name`);
  const { domain, path } = splitDomain(name);
  checkDomain(domain);
  checkPath(path);
  if (domain.length + 1 + path.length > nameLengthMax) {
    throw invalid(`repository name must not be more than ${nameLengthMax} characters`);
  }
  if (givenTag !== undefined && !tagPattern.test(givenTag)) {
    throw invalid(`tag ${quoted(givenTag)} must be 1 to 128 of letters, digits, "_", "." and "-"`);
  }
  const tag = givenTag ?? (digest === undefined ? "latest" : undefined);
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/**
 * May an image be called so from now on? Not by a digest, which is what it has; and not "sha256:…", which would read as its id.
 * @throws RtError invalid-argument
 */
export function checkNewName(reference: Reference): void {
  const refuse = (what: string) => {
    throw new RtError("invalid-argument", `refusing to create ${what}`);
  };
  if (reference.digest) refuse("a tag with a digest reference");
  if (familiarName(reference) === "sha256") refuse("an ambiguous tag using digest algorithm as name");
}

/** "docker.io/library/alpine": the repository, without tag and digest. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** "docker.io/library/alpine:3.20": the one spelling that the store uses. */
export function canonical(reference: Reference): string {
  return repositoryOf(reference) + suffix(reference);
}

/** "alpine:3.20": the shortest spelling that parses to the same reference; what people are shown. */
export function familiar(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/** "alpine": `familiar` without tag and digest. */
export function familiarName({ domain, path }: Reference): string {
  if (domain !== defaultDomain) return `${domain}/${path}`;
  const official = path.startsWith(officialPrefix) ? path.slice(officialPrefix.length) : path;
  const short = official.includes("/") ? path : official;
  // docker.io/localhost/x must not be shortened to localhost/x: that is path x of another registry.
  const again = imageIdPattern.test(short) ? undefined : splitDomain(short);
  return again?.path === path ? short : `${domain}/${path}`;
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}

/** The first of several components is a registry if it cannot be a path component of Docker Hub. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isDomain = /[.:A-Z[]/.test(first) || first === "localhost";
  if (isDomain && first !== defaultDomain && first !== "index.docker.io") {
    return { domain: first, path: name.slice(slash + 1) };
  }
  const path = isDomain ? name.slice(slash + 1) : name;
  return { domain: defaultDomain, path: path.includes("/") ? path : officialPrefix + path };
}

function checkDomain(domain: string): void {
  if (!domainPattern.test(domain)) throw invalid(`${quoted(domain)} is not a registry's host[:port]`);
  const port = /:([0-9]+)$/.exec(domain.replace(/^\[.*\]/, ""))?.[1];
  if (port !== undefined && (Number(port) === 0 || Number(port) > 65535)) {
    throw invalid(`port ${port} is not between 1 and 65535`);
  }
}

function checkPath(path: string): void {
  if (path === officialPrefix || path === "") throw invalid("the repository name is empty");
  if (path !== path.toLowerCase()) throw invalid(`repository name (${shown(path)}) must be lowercase`);
  for (const component of path.split("/")) {
    if (componentPattern.test(component)) continue;
    throw invalid(
      `${quoted(component)} must be letters and digits, joined by ".", "_", "__" or "-"${component === "" ? " (is there a stray slash?)" : ""}`,
    );
  }
}

function digestIn(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    throw error instanceof RtError ? invalid(error.message) : error;
  }
}

function invalid(why: string): RtError {
  return new RtError("invalid-argument", `invalid reference format: ${why}`);
}
