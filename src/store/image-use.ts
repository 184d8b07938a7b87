import type { Database } from "./database.ts";

/**
 * The image is of use just now: of all images it is the last that the disk budget (engine/care/limit.ts) sends away. For a
 * transaction of the caller's: two small pages are written with the rest of it.
 */
export function noteImageUse(database: Database, image: string): void {
  database.run(
    `INSERT INTO image_uses (image, used)
     SELECT id, max(?, (SELECT coalesce(max(used), 0) + 1 FROM image_uses)) FROM images WHERE id = ?
     ON CONFLICT (image) DO UPDATE SET used = excluded.used`,
    Date.now(),
    image,
  );
}
