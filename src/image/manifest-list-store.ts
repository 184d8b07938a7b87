import { RtError } from "../base/errors.ts";
import type { ListEntry } from "../oci/manifest-list.ts";
import type { Database } from "../store/database.ts";

/** An image of a list, and where it has come from. */
export interface StoredEntry extends ListEntry {
  /** Canonical, as it was asked for: its name in the list. */
  reference: string;
}

interface EntryRow {
  reference: string;
  entry: string;
}

/**
 * Lists of images that are being made (`manifest create`), by the names that they will have. Their images' manifests are in the
 * content store; what of the images is here too stays here as long as the list needs it (`manifest_list_items`).
 */
export class ManifestListStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  has(list: string): boolean {
    return this.#database.get("SELECT 1 FROM manifest_lists WHERE name = ?", list) !== undefined;
  }

  /** In the order in which they came. @throws RtError not-found, in docker's words */
  get(list: string): StoredEntry[] {
    if (!this.has(list)) throw new RtError("not-found", `No such manifest: ${list}`);
    const sql = "SELECT reference, entry FROM manifest_list_entries WHERE list = ? ORDER BY position";
    const rows = this.#database.all<EntryRow>(sql, list);
    return rows.map(({ reference, entry }) => ({ ...(JSON.parse(entry) as StoredEntry), reference }));
  }

  /**
   * New entries at the end; one that is there already changes in its place.
   * @param items by reference: digests and chainIDs that must stay in the store for it
   * @throws RtError conflict: there is such a list, and it is not to be amended
   */
  add(
    list: string,
    entries: readonly StoredEntry[],
    items: ReadonlyMap<string, readonly string[]>,
    amend: boolean,
  ): void {
    this.#database.transaction(() => {
      if (!amend && this.has(list))
        throw new RtError("conflict", "refusing to amend an existing manifest list with no --amend flag");
      this.#database.run("INSERT OR IGNORE INTO manifest_lists (name) VALUES (?)", list);
      for (const entry of entries) {
        this.#put(list, entry);
        const { reference } = entry;
        this.#database.run(
          "DELETE FROM manifest_list_items WHERE list = ? AND reference = ?",
          list,
          reference,
        );
        for (const item of new Set(items.get(reference)))
          this.#database.run("INSERT INTO manifest_list_items VALUES (?, ?, ?)", list, reference, item);
      }
    });
  }

  /** What is said of an entry that is there. */
  change(list: string, reference: string, change: (entry: StoredEntry | undefined) => StoredEntry): void {
    this.#database.transaction(() => {
      this.#put(list, change(this.get(list).find((entry) => entry.reference === reference)));
    });
  }

  /** @returns what has to stay for it no longer @throws RtError not-found */
  remove(list: string): string[] {
    return this.#database.transaction(() => {
      const sql = "SELECT DISTINCT item FROM manifest_list_items WHERE list = ?";
      const rows = this.#database.all<{ item: string }>(sql, list);
      if (this.#database.run("DELETE FROM manifest_lists WHERE name = ?", list) === 0)
        throw new RtError("not-found", `No such manifest: ${list}`);
      return rows.map(({ item }) => item);
    });
  }

  #put(list: string, { reference, ...entry }: StoredEntry): void {
    this.#database.run(
      `INSERT INTO manifest_list_entries (list, reference, position, entry)
       SELECT ?, ?, coalesce(max(position) + 1, 0), ? FROM manifest_list_entries WHERE list = ?
       ON CONFLICT (list, reference) DO UPDATE SET entry = excluded.entry`,
      ...[list, reference, JSON.stringify(entry), list],
    );
  }
}
