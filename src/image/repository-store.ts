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
  annotations: string | null;
}

/** A name of an image here, in a repository. */
export interface LocalName {
  name: string;
  image: Digest;
  target: Digest;
}

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

  removeTag(repository: string, tag: string): boolean {
    const sql = "DELETE FROM repository_tags WHERE repository = ? AND tag = ?";
    return this.#database.run(sql, repository, tag) > 0;
  }

  manifest(repository: string, digest: Digest): RepositoryManifest | undefined {
    const sql = "SELECT * FROM repository_manifests WHERE repository = ? AND digest = ?";
    const row = this.#database.get<ManifestRow>(sql, repository, digest);
    return row && manifestOf(row);
  }

  /** Within a transaction of the caller's. */
  putManifest(repository: string, manifest: NewRepositoryManifest): void {
    const { digest, mediaType, size, subject, artifactType, annotations, image, mirrored = false } = manifest;
    this.#database.run(
      `INSERT INTO repository_manifests
         (repository, digest, media_type, size, subject, artifact_type, annotations, image, mirrored, used)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
       SET media_type = excluded.media_type, used = excluded.used, mirrored = min(mirrored, excluded.mirrored),
           image = CASE WHEN excluded.image IS NULL THEN NULL WHEN image IS NULL THEN NULL ELSE excluded.image END`,
      ...[repository, digest, mediaType, size, subject ?? null, artifactType ?? null],
      ...[annotations ? JSON.stringify(annotations) : null, image ?? null, mirrored ? 1 : 0, Date.now()],
    );
    for (const { digest: target, size } of manifest.references) {
      const sql =
        "INSERT OR IGNORE INTO repository_references (repository, manifest, target, size) VALUES (?, ?, ?, ?)";
      this.#database.run(sql, repository, digest, target, size);
    }
  }

  /**
   * Manifests that an index names go with its image, unless something else leads to them: a tag, or another index. Then they
   * stay until somebody deletes them.
   */
  belong(repository: string, manifests: readonly Digest[], index: Digest, image: Digest): void {
    for (const digest of manifests) {
      const sql = `UPDATE repository_manifests SET image = CASE
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
      const manifest = this.manifest(repository, digest)!;
      found.push(manifest);
      length += JSON.stringify(manifest.annotations ?? {}).length;
    }
    return found;
  }

  /** It may be had from there, and is kept for a day though nothing names it. */
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

  putUpload(id: string, repository: string, client: string): void {
    const sql = "INSERT INTO repository_uploads (id, repository, client, used) VALUES (?, ?, ?, ?)";
    this.#database.run(sql, id, repository, client, Date.now());
  }

  /** Is it one of this repository's? It counts as used then. */
  useUpload(id: string, repository: string): boolean {
    const sql = "UPDATE repository_uploads SET used = ? WHERE id = ? AND repository = ?";
    return this.#database.run(sql, Date.now(), id, repository) > 0;
  }

  removeUpload(id: string): void {
    this.#database.run("DELETE FROM repository_uploads WHERE id = ?", id);
  }

  /** Uploads and blobs that nobody has gone on with since, and that no manifest names. */
  forget(since: number): void {
    this.#database.run("DELETE FROM repository_uploads WHERE used <= ?", since);
    this.#database.run("DELETE FROM repository_blobs WHERE used <= ?", since);
  }

  /** Of what came from upstream, that which nobody has asked for since. @returns digests that perhaps nothing needs now */
  forgetMirrored(since: number): Digest[] {
    const sql = "SELECT repository, digest FROM repository_manifests WHERE mirrored = 1 AND used <= ?";
    const old = this.#database.all<{ repository: string; digest: Digest }>(sql, since);
    return old.flatMap(({ repository, digest }) => this.removeManifest(repository, digest) ?? []);
  }

  useManifest(repository: string, digest: Digest): void {
    const sql = "UPDATE repository_manifests SET used = ? WHERE repository = ? AND digest = ? AND used < ?";
    const now = Date.now();
    this.#database.run(sql, now, repository, digest, now - 3600_000);
  }
}

function manifestOf(row: ManifestRow): RepositoryManifest {
  const { digest, media_type: mediaType, size, subject, artifact_type: artifactType, annotations } = row;
  return {
    digest,
    mediaType,
    size,
    ...(subject !== null && { subject }),
    ...(artifactType !== null && { artifactType }),
    ...(annotations !== null && { annotations: JSON.parse(annotations) as Record<string, string> }),
  };
}
