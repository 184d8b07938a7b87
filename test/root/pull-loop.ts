/** Run and killed by crash-store.test.ts: pulls an image and removes it, for ever. Arguments: root, state, source. */
import { Host } from "../../src/engine/host.ts";
import { pull } from "../../src/engine/image/pull.ts";
import { removeImage } from "../../src/engine/image/remove.ts";
import { testSession } from "../support/session.ts";

const [root, state, source = ""] = process.argv.slice(2);
const host = new Host(testSession(), { root, state });
for (;;) {
  const { image } = await pull(host, source);
  // Another process may have been faster; what it printed then is not ours to judge.
  await removeImage(host, image.id, { force: true }).catch((error) => {
    if (!String(error).includes("No such image")) throw error;
  });
}
