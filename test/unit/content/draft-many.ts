/** Run by content-store.test.ts: makes drafts, one after the other. Arguments: root, how many. */
import { ContentStore } from "../../../src/content/content-store.ts";

const [root = "", count] = process.argv.slice(2);
const content = new ContentStore(root);
for (let left = Number(count); left > 0; left--) {
  using draft = content.draft();
  await draft.write(new Uint8Array(1), 0);
}
