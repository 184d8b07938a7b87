import type { Digest } from "../oci/digest.ts";
import type { Database } from "../store/database.ts";

export interface LayerOwners {
  uid: number;
  uidPath: string;
  gid: number;
  gidPath: string;
}

interface OwnersRow {
  uid: number;
  uid_path: string;
  gid: number;
  gid_path: string;
}

/** Which layers are unpacked, by which driver, and who needs them: what collection asks. */
export class LayerStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Digests of blobs, and chainIDs, that an image, a list that is being made or a repository needs, or that were pushed since `since`. */
  needed(since: number): string[] {
    const sql = `SELECT chain AS item FROM image_layers UNION SELECT blob FROM image_blobs
                 UNION SELECT item FROM manifest_list_items
                 UNION SELECT digest FROM repository_manifests UNION SELECT target FROM repository_references
                 UNION SELECT digest FROM repository_blobs WHERE used > ?`;
    return this.#database.all<{ item: string }>(sql, since).map(({ item }) => item);
  }

  /** Does an image need this blob? */
  isNeeded(blob: string): boolean {
    return this.#database.get("SELECT 1 FROM image_blobs WHERE blob = ? LIMIT 1", blob) !== undefined;
  }

  /** Names of the drivers that have unpacked something. */
  drivers(): string[] {
    const rows = this.#database.all<{ driver: string }>("SELECT DISTINCT driver FROM layers");
    return rows.map(({ driver }) => driver);
  }

  /** What `driver` has unpacked, and when: milliseconds since 1970. */
  madeBy(driver: string): Map<string, number> {
    const sql = "SELECT chain, made FROM layers WHERE driver = ?";
    const rows = this.#database.all<{ chain: string; made: number }>(sql, driver);
    return new Map(rows.map((row) => [row.chain, row.made]));
  }

  /** The highest owners in what `driver` has of the layer, and where, once somebody has looked. */
  owners(chain: Digest, driver: string): LayerOwners | undefined {
    const sql = "SELECT uid, uid_path, gid, gid_path FROM layer_owners WHERE chain = ? AND driver = ?";
    const row = this.#database.get<OwnersRow>(sql, chain, driver);
    return row && { uid: row.uid, uidPath: row.uid_path, gid: row.gid, gidPath: row.gid_path };
  }

  /** They are those of that layer for ever. One that is not on record any more is not remembered. */
  noteOwners(chain: Digest, driver: string, { uid, uidPath, gid, gidPath }: LayerOwners): void {
    this.#database.run(
      `INSERT OR REPLACE INTO layer_owners (chain, driver, uid, uid_path, gid, gid_path)
       SELECT chain, driver, ?, ?, ?, ? FROM layers WHERE chain = ? AND driver = ?`,
      ...[uid, uidPath, gid, gidPath, chain, driver],
    );
  }

  remove(chain: Digest, driver: string): void {
    this.#database.run("DELETE FROM layers WHERE chain = ? AND driver = ?", chain, driver);
  }

  /** Where blobs came from, and what was made of them, is of no interest once no image needs them. */
  forgetUnneededBlobs(): void {
    this.#database.run("DELETE FROM blobs WHERE digest NOT IN (SELECT blob FROM image_blobs)");
    this.#database.run("DELETE FROM recompressed_layers WHERE layer NOT IN (SELECT blob FROM image_blobs)");
  }
}
