import { RtError } from "../../base/errors.ts";
import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import { digestName, type TagRecord } from "../../image/image-store.ts";
import type { ImageRecord } from "../../image/record.ts";
import type { Digest } from "../../oci/digest.ts";
import { isNear, isSsh } from "../../reference/kind.ts";
import { canonical, familiar, familiarName, parse } from "../../reference/reference.ts";
import type { Source } from "../../source/source.ts";
import { collectRarely } from "../care/collect.ts";
import { keepWithinLimit } from "../care/limit.ts";
import type { Host } from "../host.ts";
import { imageEvent } from "../record-event.ts";
import { givenBy } from "../registry/given.ts";
import { type BringOptions, type Brought, bringImage } from "./bring.ts";

export type { LayerProgress } from "../../image/transfer.ts";

/** When `signal` aborts, everything stops; what has arrived of layers is kept. */
export interface PullOptions extends BringOptions {
  /** Who the caller is to the registry; undefined: whom this host's files know. */
  credentials?: RegistryCredentials | undefined;
  /** False: this registry may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
}

/** As its caller is told of it, wherever the engine is. */
export interface PulledImage {
  image: Pick<ImageRecord, "id">;
  /** Canonical: "docker.io/library/alpine:3.20"; "embed:hello" as it is. */
  name: string;
  /** As people are shown it: "alpine:3.20". */
  familiar: string;
  /** What the name led to at the source: an index, or a manifest. */
  target: Digest;
  status: "downloaded" | "up-to-date";
}

export interface PullResult extends PulledImage {
  image: ImageRecord;
}

/**
 * Bring an image here: `text` is a reference, or a file ("oci:DIR", "docker-archive:FILE", …; see reference/kind.ts).
 * Either the whole image is there afterwards, or nothing of it can be seen.
 * @throws RtError of any class; one line
 */
export async function pull(host: Host, text: string, options: PullOptions = {}): Promise<PullResult> {
  const { openSource } = await import("../../source/open.ts");
  const { abort } = host.session;
  const source = await openSource(text, {
    signal: abort,
    config: await host.config(),
    env: host.env,
    caller: host.caller,
    warn: (line) => host.warn(line),
    ...givenBy(options.credentials),
    ...(options.tlsVerify !== undefined && { tlsVerify: options.tlsVerify }),
    ...(host.embedded && { embedded: host.embedded }),
  });
  try {
    if (isSsh(text)) {
      const { isOutside, pullFromOutside } = await import("./outside.ts");
      if (isOutside()) return resultOf(source, await pullFromOutside(host, source, options));
    }
    const result = await pullFrom(host, source, { signal: abort, ...options });
    await keepWithinLimit(host, [result.image.id]);
    await collectRarely(host);
    return result;
  } catch (error) {
    throw abort.aborted ? pullInterrupted(error, abort.reason) : error;
  } finally {
    await source.close();
  }
}

/** `pull` from a source that is open already. */
export async function pullFrom(host: Host, source: Source, options: PullOptions = {}): Promise<PullResult> {
  const brought = await bringImage(host, source, (target) => tagsOf(source, target), options);
  const name = parse(source.reference);
  imageEvent(host, "pull", familiar(name), familiarName(name));
  return resultOf(source, brought);
}

function resultOf({ reference }: Source, { image, target, changed }: Brought): PullResult {
  const status = changed ? "downloaded" : "up-to-date";
  return { image, name: reference, familiar: familiar(parse(reference)), target, status };
}

/** A tag, and for what came from a registry also the digest that the name led to. */
function tagsOf(source: Source, target: Digest): TagRecord[] {
  const name = parse(source.reference);
  const tags: TagRecord[] = name.tag && !name.digest ? [{ name: canonical(name), target }] : [];
  if (!isNear(source.name)) tags.push({ name: digestName(name, name.digest ?? target), target });
  return tags;
}

/** What has arrived is kept; the status is that which the caller gave its reason. */
function pullInterrupted(cause: unknown, reason: unknown): RtError {
  const text = "pull interrupted; the next one goes on from here";
  return new RtError("cancelled", text, { cause, ...(reason instanceof RtError && reason) });
}
