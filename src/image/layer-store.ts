import type { Digest } from "../oci/digest.ts";
import type { Database } from "../store/database.ts";

/** Which layers are unpacked, by which driver, and who needs them: what collection asks. */
export class LayerStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Digests of blobs, and chainIDs, that an image needs. */
  needed(): string[] {
    const sql = "SELECT chain AS item FROM image_layers UNION SELECT blob FROM image_blobs";
    return this.#database.all<{ item: string }>(sql).map(({ item }) => item);
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

  remove(chain: Digest, driver: string): void {
    this.#database.run("DELETE FROM layers WHERE chain = ? AND driver = ?", chain, driver);
  }

  /** Where blobs came from is of no interest once no image needs them. */
  forgetUnneededBlobs(): void {
    this.#database.run("DELETE FROM blobs WHERE digest NOT IN (SELECT blob FROM image_blobs)");
  }
}
