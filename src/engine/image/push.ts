import { RtError } from "../../base/errors.ts";
import type { Destination, SentImage } from "../../destination/destination.ts";
import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import { digestName } from "../../image/image-store.ts";
import { type SendProgress, sendImage } from "../../image/send.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { isNear, isSsh, kindOf } from "../../reference/kind.ts";
import {
  canonical,
  familiar,
  familiarName,
  parse,
  type Reference,
  repositoryOf,
} from "../../reference/reference.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";
import { givenBy } from "../registry/given.ts";
import { isOutside, ownImage } from "./outside.ts";
import { type CompressionOptions, type CompressProgress, inForm, recompression } from "./recompress.ts";
import { storedImage } from "./stored.ts";
import { UploadNotes } from "./upload-notes.ts";

export type { SentImage } from "../../destination/destination.ts";

/** Of a layer that is made for where it goes, then of what is sent. */
export type PushProgress = CompressProgress | SendProgress;

export interface PushOptions extends CompressionOptions {
  /** As pull's sources: a registry's reference, "oci:DIR", …; where the image's own name leads unless it is given. */
  destination?: string | undefined;
  /** Only the image for it. */
  platform?: string | undefined;
  /** Who the caller is to the registry; undefined: whom this host's files know. */
  credentials?: RegistryCredentials | undefined;
  /** False: this registry may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
  onProgress?: ((progress: PushProgress) => void) | undefined;
}

export interface PushAllOptions extends Omit<PushOptions, "destination"> {
  /** An image is there, under this tag. */
  onSent?: ((tag: string, sent: SentImage) => void) | undefined;
}

/**
 * An image of the store to a destination, byte for byte as it is here unless its layers are to be compressed otherwise, and of
 * that only what is missing there.
 * @throws RtError of any class; one line
 */
export async function push(host: Host, text: string, options: PushOptions = {}): Promise<SentImage> {
  if (isSsh(text)) throw new RtError("invalid-argument", "push wants an image that is here, then ssh://HOST");
  if (options.destination === undefined) checkOwnName(host, text);
  const where = options.destination ?? canonical(parse(kindOf(text).rest));
  recompression(where, options); // before anything is made there
  return open(host, where, options, async (destination) => {
    const sent = await pushTo(host, text, where, destination, options);
    await destination.commit();
    return sent;
  });
}

/** Every tag that `repository` has here, to where it leads. @throws as `push` */
export async function pushAll(host: Host, repository: string, options: PushAllOptions = {}): Promise<void> {
  const named = parse(repository);
  const tags = host.images.tagsOf(repositoryOf(named));
  if (tags.length === 0) throw noSuchImage(named);
  recompression(canonical(named), options);
  await open(host, canonical(named), options, async (destination) => {
    for (const name of tags) {
      const sent = await pushTo(host, canonical(name), canonical(name), destination, options);
      options.onSent?.(name.tag ?? "", sent);
    }
    await destination.commit();
  });
}

async function open<T>(
  host: Host,
  where: string,
  { credentials, tlsVerify }: PushOptions,
  use: (destination: Destination) => Promise<T>,
): Promise<T> {
  const { openDestination } = await import("../../destination/open.ts");
  const { abort } = host.session;
  const cutUploads = new UploadNotes(host.paths.root);
  cutUploads.removeOld();
  try {
    await using destination = await openDestination(where, {
      config: await host.config(),
      env: host.env,
      caller: host.caller,
      warn: (line) => host.warn(line),
      cutUploads,
      ...givenBy(credentials),
      signal: abort,
      ...(tlsVerify !== undefined && { tlsVerify }),
    });
    return await use(destination);
  } catch (error) {
    throw abort.aborted ? pushInterrupted(error, abort.reason) : error;
  }
}

async function pushTo(
  host: Host,
  text: string,
  where: string,
  destination: Destination,
  options: PushOptions,
): Promise<SentImage> {
  const { platform, onProgress = () => {} } = options;
  const isFromOutside = isSsh(where) && isOutside();
  const form = recompression(where, options);
  if (isFromOutside && form)
    throw new RtError(
      "unsupported",
      "an ordinary user's image goes over ssh as it is: leave --compression away",
    );
  const {
    source: stored,
    needed,
    repositories,
  } = await (isFromOutside ? ownImage(host, text) : storedImage(host, text));
  await using closing = new AsyncDisposableStack();
  const name = destinationName(where, stored.reference);
  if (needed.length > 0) closing.use(await protect(host, needed, host.session.abort));
  const source = await inForm(host, stored, form, onProgress);
  closing.defer(() => source.close());
  const sent = await sendImage({
    source,
    destination,
    platform: platform ? parsePlatform(platform, hostPlatform()) : undefined,
    names: name ? [name] : [],
    elsewhere: repositories,
    onProgress,
    signal: host.session.abort,
  });
  if (name && !isNear(where)) rememberDigest(host, text, name, sent);
  if (name) imageEvent(host, "push", familiar(name), familiarName(name));
  return sent;
}

/** What the image is to be called where it goes. */
export function destinationName(where: string, own: string): Reference | undefined {
  const text = isNear(where) ? own : kindOf(where).rest;
  return text === "" ? undefined : parse(text);
}

/**
 * As docker's RepoDigests have it: what has been sent unchanged is known by its digest there too, and is mounted from there
 * into other repositories. Only where the repository has a tag here, with which `rmi` takes it away again.
 */
function rememberDigest(host: Host, text: string, name: Reference, { digest }: SentImage): void {
  const { id, record, tags, targets } = host.images.get(text);
  const isUnchanged = digest === record.manifest.digest || [...targets.values()].includes(digest);
  if (!isUnchanged || !tags.some((tag) => repositoryOf(tag) === repositoryOf(name))) return;
  host.images.putName(id, { name: digestName(name, digest), target: digest });
}

/** Docker's words for a name that is not here, which is then a repository's or a tag's. */
function checkOwnName(host: Host, text: string): void {
  const named = parse(kindOf(text).rest);
  if (named.digest) throw new RtError("invalid-argument", "cannot push a digest reference", { exitCode: 1 });
  if (host.images.nameFor(canonical(named))) return;
  if (host.images.tagsOf(repositoryOf(named)).length === 0) throw noSuchImage(named);
  throw new RtError("not-found", `tag does not exist: ${familiar(named)}`, { exitCode: 1 });
}

function noSuchImage(named: Reference): RtError {
  const text = `An image does not exist locally with the tag: ${familiarName(named)}`;
  return new RtError("not-found", text, { exitCode: 1 });
}

/** What has arrived there is kept; the status is that which the caller gave its reason. */
function pushInterrupted(cause: unknown, reason: unknown): RtError {
  const text = "push interrupted; the next one goes on from here";
  return new RtError("cancelled", text, { cause, ...(reason instanceof RtError && reason) });
}
