import { ManifestListStore } from "../../image/manifest-list-store.ts";
import { collect } from "../care/collect.ts";
import type { Host } from "../host.ts";
import { listName } from "./found.ts";

/** A list that was made here, and what nothing else needs of it. @throws RtError not-found */
export async function removeList(host: Host, list: string): Promise<void> {
  const released = new ManifestListStore(host.database).remove(listName(list));
  await collect(host, { released });
}
