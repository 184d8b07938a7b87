import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Container } from "../../container/stored-container.ts";
import type { ContentStore } from "../../content/content-store.ts";
import type { Image } from "../../image/image-store.ts";
import type { BlobRecord, ImageRecord } from "../../image/record.ts";
import type { Digest } from "../../oci/digest.ts";
import { familiar } from "../../reference/reference.ts";
import { scratchDriver } from "../../snapshot/scratch.ts";
import type { Change, SnapshotDriver } from "../../snapshot/snapshot.ts";
import { protect } from "../care/collect.ts";
import { hasFiles } from "../container/root.ts";
import type { Host } from "../host.ts";

/** Something that is not as it was written. */
export interface Finding {
  kind: "database" | "image" | "container" | "volume" | "blob" | "snapshot";
  /** Its name or digest. */
  what: string;
  problem: string;
  /** What to do. */
  remedy: string;
}

/** More of one snapshot says nothing new. */
const namedMax = 3;

/**
 * All that is in the store against what it should be: the database, records, blobs against their digests, snapshots against
 * the layers that they were made of, containers' files, volumes. Nothing is changed.
 */
export async function checkStore(host: Host): Promise<AsyncIterable<Finding>> {
  return findings(host);
}

async function* findings(host: Host): AsyncGenerator<Finding> {
  for (const text of host.database.problems())
    yield finding("database", "db.sqlite", text, "restore it, or begin anew with another --root");
  const images = host.images.list();
  const records: [Image, ImageRecord][] = [];
  for (const image of images) {
    const record = decoded(() => image.record);
    if ("why" in record)
      yield finding("image", named(image), record.why, "remove it with rt rmi -f and pull it again");
    else records.push([image, record.value]);
  }
  const digests = records.flatMap(([, { manifest, configuration, layers, chain }]) => [
    ...[manifest, configuration, ...layers].map(({ digest }) => digest),
    ...chain,
  ]);
  using _ = await protect(host, digests, host.session.abort);
  const content = await host.content();
  const sound = new Set<Digest>();
  yield* blobs(host, content, records, sound);
  yield* snapshots(host, content, records, sound);
  yield* containers(host);
  yield* volumes(host);
}

function finding(kind: Finding["kind"], what: string, problem: string, remedy: string): Finding {
  return { kind, what, problem, remedy };
}

function decoded<T>(read: () => T): { value: T } | { why: string } {
  try {
    return { value: read() };
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return { why: error.message };
  }
}

function named({ id, tags }: Image): string {
  return tags[0] ? familiar(tags[0]) : id;
}

const pullAgain = (names: readonly string[]) =>
  `remove ${names.join(", ")} with rt rmi -f, and pull or make it again`;

async function* blobs(
  host: Host,
  content: ContentStore,
  records: readonly [Image, ImageRecord][],
  sound: Set<Digest>,
): AsyncGenerator<Finding> {
  const needed = new Map<Digest, { blob: BlobRecord; names: string[] }>();
  const { name } = await host.snapshots();
  for (const [image, record] of records) {
    const layers = record.layers.map((layer, index) => {
      // One that was here before, in another compression, is kept in its place.
      const other = host.images.layer(record.chain[index]!, name)?.blob;
      const isOther = !content.has(layer.digest) && other !== undefined && content.has(other);
      return isOther ? { ...layer, digest: other, size: content.size(other)! } : layer;
    });
    for (const blob of [record.manifest, record.configuration, ...layers]) {
      const entry = needed.get(blob.digest) ?? { blob, names: [] };
      entry.names.push(named(image));
      needed.set(blob.digest, entry);
    }
  }
  for (const digest of new Set([...needed.keys(), ...content.list()])) {
    host.session.abort.throwIfAborted();
    const entry = needed.get(digest);
    const problem = await blobProblem(content, digest, entry?.blob.size);
    if (problem === undefined) sound.add(digest);
    else {
      const remedy = entry
        ? pullAgain(entry.names)
        : "no image needs it: rt image prune removes it within a day";
      yield finding("blob", digest, problem, remedy);
    }
  }
}

async function blobProblem(
  content: ContentStore,
  digest: Digest,
  wanted: number | undefined,
): Promise<string | undefined> {
  const size = content.size(digest);
  if (size === undefined) return "it is missing";
  if (wanted !== undefined && size !== wanted) return `it has ${size} bytes instead of ${wanted}`;
  return (await content.intact(digest)) ? undefined : "its bytes have another digest";
}

/** Each that any driver here has unpacked, once. */
async function* snapshots(
  host: Host,
  content: ContentStore,
  records: readonly [Image, ImageRecord][],
  sound: ReadonlySet<Digest>,
): AsyncGenerator<Finding> {
  const namesOf = (chain: Digest) =>
    records.flatMap(([image, record]) => (record.chain.includes(chain) ? named(image) : []));
  for (const driver of await host.driversFor(undefined)) {
    const seen = new Set<Digest>();
    for (const [, record] of records) {
      const isNew = record.chain.some((chain) => !seen.has(chain));
      if (!isNew || !record.chain.some((chain) => host.images.layer(chain, driver.name))) continue;
      yield* imageSnapshots(host, driver, record, { content, sound, seen, namesOf });
    }
  }
}

interface SnapshotWork {
  content: ContentStore;
  sound: ReadonlySet<Digest>;
  seen: Set<Digest>;
  /** Images that have it. */
  namesOf: (chain: Digest) => string[];
}

/** Its layers are unpacked anew, from the bottom, as far as their blobs are sound. */
async function* imageSnapshots(
  host: Host,
  driver: SnapshotDriver,
  { chain, diffIDs, layers }: ImageRecord,
  { content, sound, seen, namesOf }: SnapshotWork,
): AsyncGenerator<Finding> {
  await using scratch = scratchDriver(host.paths.root, driver.name);
  let isSound = true;
  for (const [index, each] of chain.entries()) {
    const unpacked = host.images.layer(each, driver.name);
    const blob = content.has(layers[index]!.digest) ? layers[index]!.digest : unpacked?.blob;
    isSound &&= blob !== undefined && sound.has(blob);
    const parents = chain.slice(0, index);
    if (isSound && blob)
      await unpackAnew(host, scratch.driver, content, blob, each, parents, diffIDs[index]!);
    if (seen.has(each) || !unpacked) continue;
    seen.add(each);
    const problem = await snapshotProblem(host, driver, isSound ? scratch.driver : undefined, each);
    if (problem !== undefined)
      yield finding("snapshot", `${driver.name} ${each}`, problem, pullAgain(namesOf(each)));
  }
}

async function unpackAnew(
  host: Host,
  driver: SnapshotDriver,
  content: ContentStore,
  blob: Digest,
  chain: Digest,
  parents: readonly Digest[],
  diffID: Digest,
): Promise<void> {
  const more = async () => ({ size: content.size(blob) ?? 0, done: true });
  const source = { mediaType: "application/octet-stream", path: content.path(blob), more };
  const { abort: signal } = host.session;
  await driver.unpack({ chain, parents, diffID, signal, source, parentReady: Promise.resolve() });
}

async function snapshotProblem(
  host: Host,
  driver: SnapshotDriver,
  anew: SnapshotDriver | undefined,
  chain: Digest,
): Promise<string | undefined> {
  if (!driver.has(chain)) return "it is missing";
  if (!anew) return undefined; // its blob is told of
  const found = await driver.differences(chain, anew, host.session.abort);
  if (found.length === 0) return undefined;
  const shown = found.slice(0, namedMax).map(differenceText).join(", ");
  return found.length > namedMax ? `${shown} and ${found.length - namedMax} more` : shown;
}

function differenceText({ kind, path }: Change): string {
  const what = { A: "is missing", C: "is not as in its layer", D: "is in no layer" }[kind];
  return `${path} ${what}`;
}

async function* containers(host: Host): AsyncGenerator<Finding> {
  for (const container of host.containers.list()) {
    const record = decoded(() => container.record);
    const what = container.name;
    const remedy = "remove it with rt rm -f and create it again";
    if ("why" in record) yield finding("container", what, record.why, remedy);
    else
      for (const problem of await containerProblems(host, container, record.value))
        yield finding("container", what, problem, remedy);
  }
}

async function containerProblems(
  host: Host,
  container: Container,
  record: ContainerRecord,
): Promise<string[]> {
  const driver = await host.snapshotsOf(record.driver);
  const missing = record.chain.filter((chain) => !driver.has(chain));
  const problems = missing.map((chain) => `the snapshot ${chain}, which it is made on, is missing`);
  // One that was never started has none.
  if (container.exit && !hasFiles(driver, record)) problems.push("its files are missing");
  return problems;
}

async function* volumes(host: Host): AsyncGenerator<Finding> {
  const store = await host.volumes();
  const { rows, directories } = store.halves();
  for (const name of rows)
    yield finding(
      "volume",
      name,
      "its directory is missing",
      "remove it with rt volume rm, or make the directory",
    );
  for (const name of directories)
    yield finding("volume", name, "its record is missing", "rt volume inspect makes one for the directory");
  for (const volume of store.known()) {
    const record = decoded(() => volume.record);
    if ("why" in record)
      yield finding("volume", volume.name, record.why, "copy its files, and create it again");
  }
}
