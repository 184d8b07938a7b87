import type { ContainerRecord } from "../../container/record.ts";
import { LayerStore } from "../../image/layer-store.ts";
import { highestOwners } from "../../layer/tree.ts";
import type { IdKind } from "../../settings/id-mapping.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import type { Host } from "../host.ts";
import type { Need } from "./automatic-ids.ts";

/** What the container's maps have to have: the owners of the image's files, but for nobody, and the user that its program is. */
export async function ownersNeeded(
  host: Host,
  snapshots: SnapshotDriver,
  { chain, user }: Pick<ContainerRecord, "chain" | "user">,
): Promise<Record<IdKind, Need>> {
  const [uid = "", gid = ""] = user.split(":");
  const needs = { uids: askedNeed(uid), gids: askedNeed(gid) };
  const layers = new LayerStore(host.database);
  // The topmost has all of them in it, where a driver shares nothing.
  for (const layer of chain.slice(chain.length - snapshots.layers(chain).length)) {
    let found = layers.owners(layer, snapshots.name);
    if (!found) {
      found = await highestOwners(snapshots.treeOf(layer));
      layers.noteOwners(layer, snapshots.name, found);
    }
    if (found.uid > needs.uids.highest) needs.uids = { highest: found.uid, path: found.uidPath };
    if (found.gid > needs.gids.highest) needs.gids = { highest: found.gid, path: found.gidPath };
  }
  return needs;
}

function askedNeed(id: string): Need {
  return { highest: /^\d{1,10}$/.test(id) ? Number(id) : 0 };
}
