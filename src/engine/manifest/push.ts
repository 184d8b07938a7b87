import { RtError } from "../../base/errors.ts";
import { openDestination } from "../../destination/open.ts";
import { ListSource } from "../../image/list-source.ts";
import { ManifestListStore, type StoredEntry } from "../../image/manifest-list-store.ts";
import { sendImage } from "../../image/send.ts";
import type { Digest } from "../../oci/digest.ts";
import { isNear } from "../../reference/kind.ts";
import { canonical, parse, repositoryOf } from "../../reference/reference.ts";
import { protect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { listName, openAsked } from "./found.ts";
import { removeList } from "./remove.ts";

export interface PushListOptions {
  /** As an image's; where the list's own name leads unless it is given. */
  destination?: string | undefined;
  /** The list is not kept here afterwards. */
  purge: boolean;
  /** False: these registries may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
}

export interface PushedList {
  digest: Digest;
  /** What of it was not in the list's repository by name: "host/path@sha256:…", and its digest. */
  references: { reference: string; digest: Digest }[];
}

/**
 * A list to a registry: its images first, into its own repository, their blobs mounted from where they are or copied; then the
 * list, by its tag.
 */
export async function pushList(host: Host, list: string, options: PushListOptions): Promise<PushedList> {
  const pushed = await push(host, listName(list), options);
  if (options.purge) await removeList(host, list);
  return pushed;
}

async function push(host: Host, name: string, options: PushListOptions): Promise<PushedList> {
  const { tlsVerify } = options;
  const lists = new ManifestListStore(host.database);
  const entries = lists.get(name);
  checkPlatforms(entries);
  using _ = await protect(
    host,
    entries.map(({ digest }) => digest),
    host.session.abort,
  );
  const content = await host.content();
  const source = new ListSource(name, entries, content, (from) => openAsked(host, from, tlsVerify));
  try {
    const where = options.destination ?? name;
    await using destination = await openDestination(where, {
      config: await host.config(),
      env: host.env,
      caller: host.caller,
      warn: (line) => host.warn(line),
      signal: host.session.abort,
      ...(tlsVerify !== undefined && { tlsVerify }),
    });
    const target = parse(isNear(where) ? name : where);
    const sent = await sendImage({
      source,
      destination,
      platform: undefined,
      names: [target],
      elsewhere: (blob) => [...source.repositoriesOf(blob), ...host.images.repositoriesOf(blob)],
      onProgress: () => {},
      signal: host.session.abort,
    });
    await destination.commit();
    return { digest: sent.digest, references: isNear(where) ? [] : newIn(repositoryOf(target), entries) };
  } finally {
    await source.close();
  }
}

function newIn(repository: string, entries: readonly StoredEntry[]): PushedList["references"] {
  return entries
    .filter(({ reference }) => repositoryOf(parse(reference)) !== repository)
    .map(({ digest }) => ({ reference: `${repository}@${digest}`, digest }));
}

function checkPlatforms(entries: readonly StoredEntry[]): void {
  const bad = entries.find(({ platform }) => !platform?.os || !platform.architecture);
  if (!bad) return;
  const why = `manifest ${canonical(parse(bad.reference))} must have an OS and Architecture to be pushed to a registry`;
  throw new RtError("invalid-argument", why);
}
