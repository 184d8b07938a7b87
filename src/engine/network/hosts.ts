import { containerId } from "../../base/id-map.ts";
import { hostsAfter } from "../../container/files.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Target } from "../../network/netlink.ts";
import type { Networks } from "../../network/networks.ts";
import { rewriteInside } from "../../runtime/inside-file.ts";
import type { Host } from "../host.ts";
import { type NetworkPlace, namesAt } from "./place.ts";

const path = "/etc/hosts";

/**
 * /etc/hosts of a container that runs says where it is now. The user may have mounted one of his own there.
 * @param before the record of before a change
 */
export function rewriteHosts(
  host: Host,
  networks: Networks,
  record: ContainerRecord,
  target: Target,
  places: readonly NetworkPlace[],
  before = record,
): void {
  if (record.mounts.some(({ destination }) => destination === path)) return;
  const names = namesAt(host, networks, places);
  // What its root could not write, we do not write for it.
  const isOurs = (uid: number) =>
    !record.idMappings || containerId(record.idMappings.uids, uid) !== undefined;
  rewriteInside(target, path, isOurs, (text) => hostsAfter(text, record, names, before));
}
