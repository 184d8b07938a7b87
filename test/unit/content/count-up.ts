/** Run by file-lock.test.ts in many processes: adds 1 to the number in the file `counter`, `times` times, under a lock. */
import { readFileSync, writeFileSync } from "node:fs";
import { FileLock } from "../../../src/content/file-lock.ts";

const [path = "", counter = "", times = "1"] = process.argv.slice(2);
for (let n = 0; n < Number(times); n++) {
  using lock = await FileLock.acquire(path);
  const value = Number(readFileSync(counter, "utf8"));
  writeFileSync(`${counter}.${process.pid}`, "");
  writeFileSync(counter, String(value + 1));
  // Every other holder takes the file away, as a commit does.
  if (n % 2 === 0) lock.unlink();
}
