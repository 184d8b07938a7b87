import { RtError } from "../base/errors.ts";
import type { Digest } from "../oci/digest.ts";
import {
  canonical,
  checkNewName,
  familiar,
  parse,
  type Reference,
  repositoryOf,
} from "../reference/reference.ts";
import { decodeRecord, encodeRecord } from "../store/codec.ts";
import type { Database } from "../store/database.ts";
import { noteImageUse } from "../store/image-use.ts";
import { type BlobRecord, type ImageRecord, imageType } from "./record.ts";
import { planRemoval } from "./removal.ts";

/** An image and what people call it: its names are there whatever has happened to the record. */
export interface Image {
  readonly id: Digest;
  /** @throws RtError data-loss | unsupported */
  readonly record: ImageRecord;
  /** With a tag each; sorted. */
  readonly tags: Reference[];
  /** With a digest each: Docker's RepoDigests. */
  readonly digests: Reference[];
  /** By canonical name: what the name led to when it was pulled. */
  readonly targets: ReadonlyMap<string, Digest>;
}

/** A name for an image: canonical text, and the digest that the name led to at its source. */
export interface TagRecord {
  name: string;
  target: Digest;
}

export interface UnpackedLayer {
  chain: Digest;
  driver: string;
  diff: Digest;
  parent: Digest | null;
  /** The compressed blob that it was made from. */
  blob: Digest;
  /** Bytes of its files. */
  size: number;
}

export interface NewImage {
  record: ImageRecord;
  tags: readonly TagRecord[];
  /** What the image needs in the content store. */
  blobs: readonly BlobRecord[];
}

export interface RemoveOptions {
  force: boolean;
  /** Asked of containers whose end is not on record. */
  isRunning: (containerId: string) => boolean;
}

export interface Removal {
  /** Whose names they were. */
  image: Digest;
  /** Familiar names that are gone, in the order in which to tell. */
  untagged: string[];
  /** Unless other names or a running container keep it. */
  deleted?: Digest;
  /** Blobs and chainIDs that the deleted image needed, and perhaps nothing else does: top layer first. */
  released: string[];
}

interface Row {
  id: Digest;
  record: Uint8Array;
}

interface NameRow {
  name: string;
  image: string;
  target: Digest;
}

/** Images and their names. Everything is one short transaction on the database; blobs and snapshots are others' work. */
export class ImageStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Write an image and point names at it, taking them from whatever had them. Answers false if nothing changed. */
  put(image: NewImage): boolean {
    const { record, tags, blobs } = image;
    const db = this.#database;
    return db.transaction(() => {
      const before = db.get<Row>("SELECT id, record FROM images WHERE id = ?", record.id);
      const bytes = encodeRecord(imageType, record);
      db.run(
        "INSERT INTO images (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
        record.id,
        bytes,
      );
      noteImageUse(db, record.id);
      for (const blob of blobs) this.#putBlob(record.id, blob);
      record.chain.forEach((chain, position) => {
        const sql = "INSERT OR IGNORE INTO image_layers (image, position, chain) VALUES (?, ?, ?)";
        db.run(sql, record.id, position, chain);
      });
      const moved = tags.map((tag) => this.#putTag(record.id, tag)).includes(true);
      return moved || !before;
    });
  }

  #putBlob(image: Digest, blob: BlobRecord): void {
    this.#database.run(
      "INSERT OR IGNORE INTO blobs (digest, size, media_type) VALUES (?, ?, ?)",
      blob.digest,
      blob.size,
      blob.mediaType,
    );
    this.#database.run("INSERT OR IGNORE INTO image_blobs (image, blob) VALUES (?, ?)", image, blob.digest);
  }

  #putTag(image: Digest, { name, target }: TagRecord): boolean {
    const changes = this.#database.run(
      `INSERT INTO tags (name, image, target) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE
       SET image = excluded.image, target = excluded.target WHERE image <> excluded.image OR target <> excluded.target`,
      name,
      image,
      target,
    );
    if (changes > 0) this.#database.run("UPDATE images SET tagged = ? WHERE id = ?", Date.now(), image);
    return changes > 0;
  }

  /** When it was last given a name here: milliseconds since 1970. */
  taggedAt(id: Digest): number | undefined {
    const sql = "SELECT tagged FROM images WHERE id = ?";
    return this.#database.get<{ tagged: number | null }>(sql, id)?.tagged ?? undefined;
  }

  /** A layer has been unpacked. On record from then on, image or not, so that its size is known to whoever uses it. */
  putLayer({ chain, driver, diff, parent, blob, size }: UnpackedLayer): void {
    this.#database.run(
      "INSERT OR REPLACE INTO layers (chain, driver, diff, parent, blob, size, made) VALUES (?, ?, ?, ?, ?, ?, ?)",
      chain,
      driver,
      diff,
      parent,
      blob,
      size,
      Date.now(),
    );
  }

  /** The layer as this driver has unpacked it, or undefined. */
  layer(chain: Digest, driver: string): { size: number; blob: Digest } | undefined {
    return this.#database.get("SELECT size, blob FROM layers WHERE chain = ? AND driver = ?", chain, driver);
  }

  /**
   * By name ("alpine", "alpine:3.20", "ghcr.io/a/b@sha256:…"), else by ID, whole or its beginning. A name costs one read.
   * @throws RtError invalid-argument when a beginning fits several IDs
   */
  find(text: string): ImageRecord | undefined {
    const found = this.#row(text);
    return found && decode(found.row);
  }

  /** @throws RtError not-found, in Docker's words */
  get(text: string): Image {
    const { row } = this.#lookUp(text);
    return imageOf(row, this.#namesOf(row.id));
  }

  /** As `find`, of a damaged one too. */
  idOf(text: string): Digest | undefined {
    return this.#row(text)?.row.id;
  }

  /** The name that `text` is, where an image here has it; undefined of an ID. */
  nameFor(text: string): Reference | undefined {
    return this.#row(text)?.named;
  }

  /** Bytes of its unpacked layers; 0 where that is unknown. */
  sizeOf(id: Digest): number {
    const sql = `SELECT sum(size) AS bytes FROM (SELECT max(l.size) AS size FROM image_layers i JOIN layers l
                 ON l.chain = i.chain WHERE i.image = ? GROUP BY l.chain)`;
    return this.#database.get<{ bytes: number | null }>(sql, id)?.bytes ?? 0;
  }

  /** Bytes of each of its unpacked layers, by chainID; those that are unknown are left out. */
  layerSizes(id: Digest): Map<Digest, number> {
    const sql = `SELECT l.chain, max(l.size) AS size FROM image_layers i JOIN layers l ON l.chain = i.chain
                 WHERE i.image = ? GROUP BY l.chain`;
    const rows = this.#database.all<{ chain: Digest; size: number }>(sql, id);
    return new Map(rows.map(({ chain, size }) => [chain, size]));
  }

  /** Bytes of the blobs that each image needs, whoever else needs them. */
  contentSizes(): Map<Digest, number> {
    const sql = `SELECT i.image, sum(b.size) AS bytes FROM image_blobs i JOIN blobs b ON b.digest = i.blob
                 GROUP BY i.image`;
    const rows = this.#database.all<{ image: Digest; bytes: number }>(sql);
    return new Map(rows.map(({ image, bytes }) => [image, bytes]));
  }

  /** What images need, a row for each: digests of blobs, and chainIDs. */
  needs(): { image: Digest; item: Digest }[] {
    const sql = `SELECT image, chain AS item FROM image_layers
                 UNION SELECT image, blob AS item FROM image_blobs`;
    return this.#database.all(sql);
  }

  /** Bytes of all blobs and unpacked layers that are on record, as their files are long. */
  storedBytes(): number {
    const sql = `SELECT (SELECT coalesce(sum(size), 0) FROM blobs)
                 + (SELECT coalesce(sum(size), 0) FROM layers) AS bytes`;
    return this.#database.get<{ bytes: number }>(sql)?.bytes ?? 0;
  }

  /** Those that no container has, the one that was used longest ago first. */
  leastRecentlyUsed(): Image[] {
    const sql = `SELECT id, record FROM images LEFT JOIN image_uses ON image = id
                 WHERE id NOT IN (SELECT image FROM containers) ORDER BY coalesce(used, 0), id`;
    return this.#database.all<Row>(sql).map((row) => imageOf(row, this.#namesOf(row.id)));
  }

  /** A blob that some image needs. */
  blob(digest: Digest): BlobRecord | undefined {
    const sql = "SELECT digest, size, media_type AS mediaType FROM blobs WHERE digest = ?";
    return this.#database.get<BlobRecord>(sql, digest);
  }

  /** Images that containers have: how many have each. */
  users(): Map<Digest, number> {
    const sql = "SELECT image, count(*) AS n FROM containers GROUP BY image";
    const rows = this.#database.all<{ image: Digest; n: number }>(sql);
    return new Map(rows.map(({ image, n }) => [image, n]));
  }

  /** Which containers have an image. */
  containers(): Map<Digest, string[]> {
    const rows = this.#database.all<{ image: Digest; id: string }>("SELECT image, id FROM containers");
    const found = new Map<Digest, string[]>();
    for (const { image, id } of rows) found.set(image, [...(found.get(image) ?? []), id]);
    return found;
  }

  count(): number {
    return this.#database.get<{ n: number }>("SELECT count(*) AS n FROM images")?.n ?? 0;
  }

  /** @throws RtError not-found, in Docker's words */
  #lookUp(text: string): { row: Row; named?: Reference } {
    const found = this.#row(text);
    if (!found) throw new RtError("not-found", `No such image: ${text}`, { exitCode: 1 });
    return found;
  }

  /** `named` is set when a name led here, not an ID. Nothing is decoded, so that a damaged one can be named and removed. */
  #row(text: string): { row: Row; named?: Reference } | undefined {
    const named = nameIn(text);
    const byName = named && this.#byName(named);
    if (byName && named) return { row: byName, named };
    const byId = this.#byId(text);
    return byId && { row: byId };
  }

  #byName(name: Reference): Row | undefined {
    return this.#database.get<Row>(
      "SELECT i.id, i.record FROM tags t JOIN images i ON i.id = t.image WHERE t.name = ?",
      canonical(name),
    );
  }

  #byId(text: string): Row | undefined {
    const hex = text.replace(/^sha256:/, "");
    if (!/^[0-9a-f]{1,64}$/.test(hex)) return undefined;
    const rows = this.#database.all<Row>(
      "SELECT id, record FROM images WHERE id >= ? AND id < ? ORDER BY id LIMIT 6",
      `sha256:${hex}`,
      `sha256:${hex}g`,
    );
    if (rows.length <= 1) return rows[0];
    const candidates = rows.map((row) => row.id.slice("sha256:".length, "sha256:".length + 12));
    const list = candidates.slice(0, 5).join(", ") + (candidates.length > 5 ? ", …" : "");
    throw new RtError("invalid-argument", `${text} is the beginning of several image IDs: ${list}`);
  }

  list(): Image[] {
    const sql = "SELECT name, image, target FROM tags ORDER BY name";
    const names = Map.groupBy(this.#database.all<NameRow>(sql), ({ image }) => image);
    const rows = this.#database.all<Row>("SELECT id, record FROM images ORDER BY id");
    return rows.map((row) => imageOf(row, names.get(row.id) ?? []));
  }

  #namesOf(id: Digest): NameRow[] {
    const sql = "SELECT name, image, target FROM tags WHERE image = ? ORDER BY name";
    return this.#database.all<NameRow>(sql, id);
  }

  /** What a repository has here, by its tags; sorted. @param repository "docker.io/library/alpine" */
  tagsOf(repository: string): Reference[] {
    const sql = "SELECT name, image, target FROM tags WHERE name > ? AND name < ? ORDER BY name";
    return referencesIn(this.#database.all<NameRow>(sql, `${repository}:`, `${repository};`));
  }

  /** Repositories ("docker.io/library/alpine") that have, or had, an image with this blob: by the digests that are known of it. */
  repositoriesOf(blob: Digest): string[] {
    const sql = `SELECT DISTINCT t.name, t.image, t.target FROM image_blobs b JOIN tags t ON t.image = b.image
                 WHERE b.blob = ? AND instr(t.name, '@') > 0 ORDER BY t.name`;
    return [...new Set(referencesIn(this.#database.all<NameRow>(sql, blob)).map(repositoryOf))];
  }

  /** An image that is here is called so too. */
  putName(image: Digest, name: TagRecord): void {
    this.#putTag(image, name);
  }

  /**
   * More names for an image that is here. They lead to what the name does that it was found by: an index, where that is one.
   * @returns the image's id
   * @throws RtError not-found | invalid-argument: a name that none can be given; then nothing was done
   */
  tag(source: string, targets: readonly Reference[]): Digest {
    for (const name of targets) checkNewName(name);
    return this.#database.transaction(() => {
      const { row, named } = this.#lookUp(source);
      const known = named && this.#namesOf(row.id).find(({ name }) => name === canonical(named));
      const target = known?.target ?? decode(row).manifest.digest;
      for (const name of targets) this.#putTag(row.id, { name: canonical(name), target });
      noteImageUse(this.#database, row.id);
      return row.id;
    });
  }

  /**
   * Some of its names less, or all. The image stays, without a name at last. A repository's last tag takes its digests along.
   * @returns the image's id, and the tags that are gone
   * @throws RtError not-found: the image, or a name that is none of its; invalid-argument: one with a digest. Then nothing
   *   was done
   */
  untag(text: string, wanted: readonly Reference[]): { image: Digest; untagged: string[] } {
    if (wanted.some(({ digest }) => digest))
      throw new RtError("invalid-argument", "untag by digest not supported");
    const db = this.#database;
    return db.transaction(() => {
      const { id: image } = this.#lookUp(text).row;
      const names = referencesIn(this.#namesOf(image));
      const tags = names.filter(({ tag }) => tag !== undefined);
      const unknown = wanted.find((name) => !tags.some((tag) => canonical(tag) === canonical(name)));
      if (unknown) throw new RtError("not-found", `${familiar(unknown)}: tag not known`);
      const asked = new Set(wanted.map(canonical));
      const gone = tags.filter((name) => asked.size === 0 || asked.has(canonical(name)));
      const kept = new Set(tags.filter((name) => !gone.includes(name)).map(repositoryOf));
      const isGone = (name: Reference) => gone.includes(name) || !kept.has(repositoryOf(name));
      for (const name of names.filter(isGone)) db.run("DELETE FROM tags WHERE name = ?", canonical(name));
      return { image, untagged: gone.map(familiar) };
    });
  }

  /**
   * Docker's `rmi`: names first, and the image when no name is left. The bytes of what nothing needs any more are left to
   * collection. @throws RtError not-found | conflict; nothing is removed then
   */
  remove(text: string, { force, isRunning }: RemoveOptions): Removal {
    const db = this.#database;
    return db.transaction(() => {
      const {
        row: { id: image },
        named,
      } = this.#lookUp(text);
      const sql = "SELECT id, exit_code IS NULL AS unsettled FROM containers WHERE image = ? ORDER BY id";
      const users = db.all<{ id: string; unsettled: number }>(sql, image);
      const plan = planRemoval({
        text,
        ...(named && { named }),
        id: image,
        names: referencesIn(this.#namesOf(image)),
        users: users.map(({ id, unsettled }) => ({ id, running: unsettled === 1 && isRunning(id) })),
        force,
      });
      for (const name of plan.untag) db.run("DELETE FROM tags WHERE name = ?", canonical(name));
      const untagged = plan.untag.map(familiar);
      if (!plan.deleteImage) return { image, untagged, released: [] };
      const released = this.needsOf(image);
      db.run("DELETE FROM images WHERE id = ?", image);
      return { image, untagged, deleted: image, released };
    });
  }

  /** ChainIDs, top layer first, and digests of blobs. */
  needsOf(id: Digest): string[] {
    const chain = "SELECT chain AS item FROM image_layers WHERE image = ? ORDER BY position DESC";
    const blobs = "SELECT blob AS item FROM image_blobs WHERE image = ?";
    const rows = [chain, blobs].flatMap((sql) => this.#database.all<{ item: string }>(sql, id));
    return rows.map((row) => row.item);
  }
}

/** A name that could be in the store, or undefined for what can only be an ID. With a digest, the tag does not count. */
function nameIn(text: string): Reference | undefined {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) return undefined;
  const reference = referenceIn(text);
  if (!reference) return undefined;
  const { domain, path, digest } = reference;
  return digest ? { domain, path, digest } : reference;
}

function imageOf(row: Row, names: readonly NameRow[]): Image {
  const references = referencesIn(names);
  let record: ImageRecord | undefined;
  return {
    id: row.id,
    get record() {
      record ??= decode(row);
      return record;
    },
    targets: new Map(names.map(({ name, target }) => [name, target])),
    tags: references.filter((name) => name.tag !== undefined),
    digests: references.filter((name) => name.digest !== undefined),
  };
}

/** A damaged name is none. */
function referencesIn(names: readonly NameRow[]): Reference[] {
  return names.flatMap(({ name }) => referenceIn(name) ?? []);
}

function referenceIn(text: string): Reference | undefined {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof RtError && error.code === "invalid-argument") return undefined;
    throw error;
  }
}

function decode(row: Row): ImageRecord {
  return decodeRecord(imageType, row.record, row.id);
}

/** "docker.io/library/alpine@sha256:…" */
export function digestName(reference: Reference, target: Digest): string {
  return `${repositoryOf(reference)}@${target}`;
}
