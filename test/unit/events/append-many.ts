/** `bun append-many.ts STATE WHO COUNT BYTES`: events "WHO-0", "WHO-1", … */
import { appendEvent } from "../../../src/events/append.ts";

const [state, who, count, bytes] = process.argv.slice(2) as [string, string, string, string];
for (let index = 0; index < Number(count); index++) {
  const attributes = { name: `${who}-${index}`, filler: "x".repeat(Number(bytes)) };
  appendEvent(state, { type: "container", action: "start", id: who, attributes });
}
