/**
 * Run by content-store.test.ts in many processes: brings one blob (`size` bytes of "x") into the store, and appends
 * the number of bytes that it wrote itself to the file `log`. Slow enough that others have to wait.
 */
import { appendFileSync } from "node:fs";
import { ContentStore } from "../../../src/content/content-store.ts";
import { digestOf } from "../../../src/oci/digest.ts";

const [root = "", log = "", size = "0"] = process.argv.slice(2);
const bytes = new Uint8Array(Number(size)).fill(0x78);
using ingest = await new ContentStore(root).ingest({ digest: digestOf(bytes), size: bytes.length });
if (!ingest.present) {
  console.log("writing");
  const start = ingest.size;
  for (let offset = start; offset < bytes.length; offset += 4096) {
    ingest.write(bytes.subarray(offset, offset + 4096));
    await Bun.sleep(0);
  }
  appendFileSync(log, `${bytes.length - start}\n`);
  await ingest.commit();
}
