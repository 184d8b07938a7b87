import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Database } from "../store/database.ts";

/**
 * What a layer is called in another form. The same is made of it every time, so to know its digest is enough: a registry that
 * has it already needs nothing, and another one gets it made again.
 */
export class RecompressedStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @param how content/compress.ts, `formKey` */
  find(layer: Digest, how: string): Pick<Descriptor, "digest" | "size"> | undefined {
    const sql = "SELECT digest, size FROM recompressed_layers WHERE layer = ? AND how = ?";
    return this.#database.get(sql, layer, how);
  }

  note(layer: Digest, how: string, { digest, size }: Pick<Descriptor, "digest" | "size">): void {
    this.#database.run(
      "INSERT OR REPLACE INTO recompressed_layers (layer, how, digest, size) VALUES (?, ?, ?, ?)",
      ...[layer, how, digest, size],
    );
  }
}
