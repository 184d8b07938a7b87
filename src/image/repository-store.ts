import type { Digest } from "../oci/digest.ts";
import type { Database } from "../store/database.ts";

/** A manifest or an index of a repository, as its bytes say it. */
export interface RepositoryManifest {
  digest: Digest;
  mediaType: string;
  size: number;
  /** What it is about, where it says so: a signature of that, a bill of materials. */
  subject?: Digest | undefined;
  artifactType?: string | undefined;
  annotations?: Readonly<Record<string, string>> | undefined;
}

export interface NewRepositoryManifest extends RepositoryManifest {
  /** Blobs and manifests that it names. */
  references: readonly { digest: Digest; size: number }[];
  /** The ID of the image here that it is. */
  image?: Digest | undefined;
  mirrored?: boolean;
}

interface ManifestRow {
  digest: Digest;
  media_type: string;
  size: number;
  subject: Digest | null;
  artifact_type: string | null;
}

/** A name of an image here, in a repository. */
export interface LocalName {
  name: string;
  image: Digest;
  target: Digest;
}

/** Of a manifest `m`: neither a tag nor an index leads to it. */
const isAlone = `NOT EXISTS (SELECT 1 FROM repository_tags t WHERE t.repository = m.repository AND t.digest = m.digest)
  AND NOT EXISTS (SELECT 1 FROM repository_references r WHERE r.repository = m.repository AND r.target = m.digest)`;

/** Characters. A list of referrers has at most 3 MiB. */
const annotationsMax = 3 << 20;

/**
 * What is in the repositories of the registry that is served here, besides the images of the store: a repository
 * "docker.io/library/alpine" also has all that images here are called in it. A tag is either a name of an image or a row of
 * `repository_tags`; where there are both, the image's counts.
 */
export class RepositoryStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  transaction<T>(fn: () => T): T {
    return this.#database.transaction(fn);
  }

  /** All of them, in no order. */
  repositories(): string[] {
    const pushed = this.#database.all<{ repository: string }>(
      "SELECT DISTINCT repository FROM repository_manifests",
    );
    const names = this.#database.all<{ name: string }>("SELECT name FROM tags");
    const local = names.map(({ name }) => /^(.+?)(?:@sha256:[0-9a-f]{64}|:[^:/]+)$/.exec(name)?.[1] ?? name);
    return [...new Set([...pushed.map(({ repository }) => repository), ...local])];
  }

  isKnown(repository: string): boolean {
    const sql = "SELECT 1 FROM repository_manifests WHERE repository = ? LIMIT 1";
    return this.#database.get(sql, repository) !== undefined || this.localNames(repository).length > 0;
  }

  /** Names of images here in this repository, with a tag or a digest. */
  localNames(repository: string): LocalName[] {
    // ";" follows ":", and "A" follows "@", which is before all that a name may go on with.
    const sql = `SELECT name, image, target FROM tags
                 WHERE (name >= ?1 || ':' AND name < ?1 || ';') OR (name >= ?1 || '@' AND name < ?1 || 'A')`;
    return this.#database.all<LocalName>(sql, repository);
  }

  /** Where names of images lead in this repository that were not pushed to it; each once, in no order. */
  pulledTargets(repository: string): Digest[] {
    const sql = `SELECT DISTINCT target FROM tags
                 WHERE ((name >= ?1 || ':' AND name < ?1 || ';') OR (name >= ?1 || '@' AND name < ?1 || 'A'))
                   AND target NOT IN (SELECT digest FROM repository_manifests WHERE repository = ?1)`;
    return this.#database.all<{ target: Digest }>(sql, repository).map(({ target }) => target);
  }

  localName(name: string): LocalName | undefined {
    return this.#database.get("SELECT name, image, target FROM tags WHERE name = ?", name);
  }

  /** Is it a blob that an image needs which has a name in this repository? @returns its media type */
  ofLocalImage(repository: string, digest: Digest): string | undefined {
    const sql = `SELECT b.media_type FROM image_blobs i JOIN blobs b ON b.digest = i.blob JOIN tags t ON t.image = i.image
                 WHERE i.blob = ?2 AND ((t.name >= ?1 || ':' AND t.name < ?1 || ';') OR (t.name >= ?1 || '@' AND t.name < ?1 || 'A'))
                 LIMIT 1`;
    return this.#database.get<{ media_type: string }>(sql, repository, digest)?.media_type;
  }

  /** The name leads nowhere any more; its image stays. @returns whether there was one */
  untag(name: string): boolean {
    return this.#database.run("DELETE FROM tags WHERE name = ?", name) > 0;
  }

  /** Tags that are no names of images, sorted. */
  tags(repository: string): string[] {
    const sql = "SELECT tag FROM repository_tags WHERE repository = ? ORDER BY tag";
    return this.#database.all<{ tag: string }>(sql, repository).map(({ tag }) => tag);
  }

  tag(repository: string, tag: string): { digest: Digest; checked: number | null } | undefined {
    const sql = "SELECT digest, checked FROM repository_tags WHERE repository = ? AND tag = ?";
    return this.#database.get(sql, repository, tag);
  }

  putTag(repository: string, tag: string, digest: Digest, checked: number | null = null): void {
    const sql = `INSERT INTO repository_tags (repository, tag, digest, checked) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET digest = excluded.digest, checked = excluded.checked`;
    this.#database.run(sql, repository, tag, digest, checked);
  }

  /** Upstream's tag leads there still. @returns false: it does not here any more, or that is gone */
  checkTag(repository: string, tag: string, digest: Digest, checked: number): boolean {
    const sql = "UPDATE repository_tags SET checked = ? WHERE repository = ? AND tag = ? AND digest = ?";
    return this.#database.run(sql, checked, repository, tag, digest) > 0;
  }

  removeTag(repository: string, tag: string): boolean {
    const sql = "DELETE FROM repository_tags WHERE repository = ? AND tag = ?";
    return this.#database.run(sql, repository, tag) > 0;
  }

  manifest(repository: string, digest: Digest): RepositoryManifest | undefined {
    const sql = `SELECT digest, media_type, size, subject, artifact_type FROM repository_manifests
                 WHERE repository = ? AND digest = ?`;
    const row = this.#database.get<ManifestRow>(sql, repository, digest);
    return row && manifestOf(row);
  }

  #annotations(repository: string, digest: Digest): string | undefined {
    const sql = "SELECT annotations FROM repository_annotations WHERE repository = ? AND digest = ?";
    return this.#database.get<{ annotations: string }>(sql, repository, digest)?.annotations;
  }

  /** Within a transaction of the caller's. */
  putManifest(repository: string, manifest: NewRepositoryManifest): void {
    const { digest, mediaType, size, subject, artifactType, annotations, image, mirrored = false } = manifest;
    this.#database.run(
      `INSERT INTO repository_manifests
         (repository, digest, media_type, size, subject, artifact_type, image, mirrored, used)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
       SET media_type = excluded.media_type, used = excluded.used, mirrored = min(mirrored, excluded.mirrored), part = 0,
           image = CASE WHEN excluded.image IS NULL THEN NULL WHEN image IS NULL THEN NULL ELSE excluded.image END`,
      ...[repository, digest, mediaType, size, subject ?? null, artifactType ?? null],
      ...[image ?? null, mirrored ? 1 : 0, Date.now()],
    );
    if (annotations) {
      const sql = `INSERT OR IGNORE INTO repository_annotations (repository, digest, annotations) VALUES (?, ?, ?)`;
      this.#database.run(sql, repository, digest, JSON.stringify(annotations));
    }
    for (const { digest: target, size } of manifest.references) {
      const sql =
        "INSERT OR IGNORE INTO repository_references (repository, manifest, target, size) VALUES (?, ?, ?, ?)";
      this.#database.run(sql, repository, digest, target, size);
      // From now on it stays for what names it, and no longer.
      this.removeBlob(repository, target);
    }
  }

  /**
   * Manifests that an index names go with its image, unless something else leads to them. With a tag they stay until somebody
   * deletes them; those of several indexes until all of these are gone (`forgetParts`).
   */
  belong(repository: string, manifests: readonly Digest[], index: Digest, image: Digest): void {
    for (const digest of manifests) {
      const sql = `UPDATE repository_manifests SET
          part = NOT EXISTS (SELECT 1 FROM repository_tags WHERE repository = ?1 AND digest = ?2),
          image = CASE
            WHEN EXISTS (SELECT 1 FROM repository_references WHERE repository = ?1 AND target = ?2 AND manifest <> ?3)
              OR EXISTS (SELECT 1 FROM repository_tags WHERE repository = ?1 AND digest = ?2) THEN NULL
            ELSE ?4 END WHERE repository = ?1 AND digest = ?2`;
      this.#database.run(sql, repository, digest, index, image);
    }
  }

  /** What names it, in this repository. */
  namedBy(repository: string, digest: Digest): Digest | undefined {
    const sql = "SELECT manifest FROM repository_references WHERE repository = ? AND target = ? LIMIT 1";
    return this.#database.get<{ manifest: Digest }>(sql, repository, digest)?.manifest;
  }

  /** Of a blob that a manifest names: its size as that says it. */
  sizeOf(repository: string, digest: Digest): number | undefined {
    const sql = "SELECT size FROM repository_references WHERE repository = ? AND target = ? LIMIT 1";
    return this.#database.get<{ size: number }>(sql, repository, digest)?.size;
  }

  /** @returns it and what it names, which perhaps nothing else does; undefined where there is none */
  removeManifest(repository: string, digest: Digest): Digest[] | undefined {
    return this.#database.within(() => {
      const sql = "SELECT target FROM repository_references WHERE repository = ? AND manifest = ?";
      const named = this.#database.all<{ target: Digest }>(sql, repository, digest);
      const gone = this.#database.run(
        "DELETE FROM repository_manifests WHERE repository = ? AND digest = ?",
        repository,
        digest,
      );
      return gone > 0 ? [digest, ...named.map(({ target }) => target)] : undefined;
    });
  }

  /**
   * Manifests whose subject it is, in the order of their digests, after `last`: at most `limit`, and two at least where there are,
   * but none behind the one with which their annotations come to be larger than all that one answer may say.
   */
  referrers(
    repository: string,
    subject: Digest,
    filter: { artifactType?: string | undefined; last: string; limit: number },
  ): RepositoryManifest[] {
    const sql = `SELECT digest FROM repository_manifests WHERE repository = ?1 AND subject = ?2 AND digest > ?3
                 AND (?4 IS NULL OR artifact_type = ?4) ORDER BY digest LIMIT ?5`;
    const { artifactType, last, limit } = filter;
    const values = [repository, subject, last, artifactType ?? null, limit] as const;
    const found: RepositoryManifest[] = [];
    let length = 0;
    for (const { digest } of this.#database.all<{ digest: Digest }>(sql, ...values)) {
      if (length > annotationsMax && found.length > 1) break;
      const text = this.#annotations(repository, digest) ?? "{}";
      const annotations = JSON.parse(text) as Record<string, string>;
      found.push({ ...this.manifest(repository, digest)!, annotations });
      length += text.length;
    }
    return found;
  }

  /** It may be had from there, and is kept for a day though nothing names it, or until a manifest of that repository does. */
  putBlob(repository: string, digest: Digest): void {
    const sql = `INSERT INTO repository_blobs (repository, digest, used) VALUES (?, ?, ?)
                 ON CONFLICT DO UPDATE SET used = excluded.used`;
    this.#database.run(sql, repository, digest, Date.now());
  }

  /** When it was put there; undefined of what was not. */
  blobUsed(repository: string, digest: Digest): number | undefined {
    const sql = "SELECT used FROM repository_blobs WHERE repository = ? AND digest = ?";
    return this.#database.get<{ used: number }>(sql, repository, digest)?.used;
  }

  removeBlob(repository: string, digest: Digest): boolean {
    const sql = "DELETE FROM repository_blobs WHERE repository = ? AND digest = ?";
    return this.#database.run(sql, repository, digest) > 0;
  }

  /** @param since milliseconds since 1970: what was not touched from then on does not count */
  uploadsOf(client: string, since: number): number {
    const sql = "SELECT count(*) AS n FROM repository_uploads WHERE client = ? AND used > ?";
    return this.#database.get<{ n: number }>(sql, client, since)?.n ?? 0;
  }

  /** What unfinished uploads may have come to, in bytes: a client's, and all of them. */
  uploadBytes(client: string): { own: number; all: number } {
    const sql = `SELECT coalesce(sum(bytes) FILTER (WHERE client = ?), 0) AS own, coalesce(sum(bytes), 0) AS "all"
                 FROM repository_uploads`;
    return this.#database.get(sql, client)!;
  }

  uploads(): { id: string; bytes: number; used: number }[] {
    return this.#database.all("SELECT id, bytes, used FROM repository_uploads");
  }

  setUploadBytes(id: string, bytes: number): void {
    const sql = "UPDATE repository_uploads SET bytes = ?1 WHERE id = ?2 AND bytes <> ?1";
    this.#database.run(sql, bytes, id);
  }

  putUpload(id: string, repository: string, client: string): void {
    const sql = "INSERT INTO repository_uploads (id, repository, client, used) VALUES (?, ?, ?, ?)";
    this.#database.run(sql, id, repository, client, Date.now());
  }

  /** Whose upload it is; undefined where it is none of this repository's. */
  uploader(id: string, repository: string): string | undefined {
    const sql = "SELECT client FROM repository_uploads WHERE id = ? AND repository = ?";
    return this.#database.get<{ client: string }>(sql, id, repository)?.client;
  }

  useUpload(id: string): void {
    this.#database.run("UPDATE repository_uploads SET used = ? WHERE id = ?", Date.now(), id);
  }

  removeUpload(id: string): void {
    this.#database.run("DELETE FROM repository_uploads WHERE id = ?", id);
  }

  /** Blobs that nobody has put here again since: what no manifest names can be had no more. */
  forgetBlobs(since: number): void {
    this.#database.run("DELETE FROM repository_blobs WHERE used <= ?", since);
  }

  /**
   * Manifests that were parts of indexes which are all gone, and below them those that are so then.
   * @returns digests that perhaps nothing needs now
   */
  forgetParts(): Digest[] {
    return this.#forgetAll(`SELECT repository, digest FROM repository_manifests AS m
      WHERE part = 1 AND image IS NULL AND mirrored = 0 AND ${isAlone}`);
  }

  /**
   * Manifests that nothing leads to but their digest, and that nobody has pushed or asked for since: no image, without a tag, in
   * no index, and about nothing that is here.
   * @returns their digests, and those that perhaps nothing needs now, these among them
   */
  forgetUntagged(since: number): { manifests: Digest[]; released: Digest[] } {
    const manifests: Digest[] = [];
    const released = this.#forgetAll(
      `SELECT repository, digest FROM repository_manifests AS m
       WHERE image IS NULL AND mirrored = 0 AND used <= ? AND ${isAlone} AND NOT (subject IS NOT NULL AND (
         EXISTS (SELECT 1 FROM repository_manifests s WHERE s.repository = m.repository AND s.digest = m.subject)
         OR EXISTS (SELECT 1 FROM image_blobs WHERE blob = m.subject)
         OR EXISTS (SELECT 1 FROM tags WHERE target = m.subject)))`,
      [since],
      (digest) => manifests.push(digest),
    );
    return { manifests, released };
  }

  #forgetAll(sql: string, values: number[] = [], tell: (digest: Digest) => void = () => {}): Digest[] {
    return this.#database.within(() => {
      const released: Digest[] = [];
      for (;;) {
        const found = this.#database.all<{ repository: string; digest: Digest }>(sql, ...values);
        if (found.length === 0) return released;
        for (const { repository, digest } of found) {
          released.push(...(this.removeManifest(repository, digest) ?? []));
          tell(digest);
        }
      }
    });
  }

  /** Of what came from upstream: what was asked for longest ago first. */
  mirrored(): { repository: string; digest: Digest; used: number }[] {
    const sql =
      "SELECT repository, digest, used FROM repository_manifests WHERE mirrored = 1 ORDER BY used, digest";
    return this.#database.all(sql);
  }

  /** Digests of what repositories have, or name, that no image here needs. */
  itemsOfNoImage(): Digest[] {
    const sql = `SELECT digest FROM repository_manifests UNION SELECT target FROM repository_references
                 UNION SELECT digest FROM repository_blobs EXCEPT SELECT digest FROM blobs`;
    return this.#database.all<{ digest: Digest }>(sql).map(({ digest }) => digest);
  }

  /** Of what came from upstream, that which nobody has asked for since. @returns digests that perhaps nothing needs now */
  forgetMirrored(since: number): Digest[] {
    const sql = "SELECT repository, digest FROM repository_manifests WHERE mirrored = 1 AND used <= ?";
    const old = this.#database.all<{ repository: string; digest: Digest }>(sql, since);
    return old.flatMap(({ repository, digest }) => this.removeManifest(repository, digest) ?? []);
  }

  /** Somebody has asked for it; to the minute. */
  useManifest(repository: string, digest: Digest): void {
    const sql = "UPDATE repository_manifests SET used = ? WHERE repository = ? AND digest = ? AND used < ?";
    const now = Date.now();
    this.#database.run(sql, now, repository, digest, now - 60_000);
  }
}

function manifestOf(row: ManifestRow): RepositoryManifest {
  const { digest, media_type: mediaType, size, subject, artifact_type: artifactType } = row;
  return {
    digest,
    mediaType,
    size,
    ...(subject !== null && { subject }),
    ...(artifactType !== null && { artifactType }),
  };
}
