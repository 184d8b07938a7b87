import { rootlessCaller } from "../../base/rootless.ts";
import { callersGroups } from "../../settings/group.ts";

/** No group's number: an ordinary user's groups have none in his namespace, and stay as they are (zig-native/stage/user.zig). */
const asTheyAre = 2 ** 32 - 1;

/**
 * Who else a container's user is, besides what its passwd and group say: groups by the names that the container has for them, and
 * ours by their numbers where it keeps those (podman's `--group-add keep-groups`).
 */
export function groupsOf({ groupAdd }: { groupAdd: string[] }): { named: string[]; ours: number[] } {
  if (!groupAdd.includes(callersGroups)) return { named: groupAdd, ours: [] };
  return { named: [], ours: rootlessCaller() ? [asTheyAre] : (process.getgroups?.() ?? []) };
}
