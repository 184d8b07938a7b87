/** Run by database.test.ts in many processes: opens the store, writes `count` rows, and prints how long opening took. */
import { Database } from "../../../src/store/database.ts";

const [root = "", count = "1"] = process.argv.slice(2);
process.umask(0o022);
const start = performance.now();
using database = Database.open(root);
const opened = performance.now() - start;
for (let n = 0; n < Number(count); n++) {
  database.transaction(() => {
    const row = database.get<{ size: number }>("SELECT size FROM blobs WHERE digest = 'counter'");
    database.run(
      "INSERT INTO blobs (digest, size, media_type) VALUES ('counter', ?, '') ON CONFLICT (digest) DO UPDATE SET size = excluded.size",
      (row?.size ?? 0) + 1,
    );
  });
}
console.log(opened.toFixed(2));
