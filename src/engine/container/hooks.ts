import { existsSync } from "node:fs";
import type { ContainerRecord } from "../../container/record.ts";
import type { SpecHooks } from "../../oci/runtime-spec.ts";
import type { Host } from "../host.ts";

/** podman's, the stronger one last. */
const usualDirectories = ["/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d"];

/**
 * The OCI hooks that a container has at this start: those of its devices (`more`), then those that the directories define, then
 * the configuration's own. Most hosts define none, and nothing is loaded then.
 * @throws RtError that names the file with a mistake
 */
export async function hooksOf(
  host: Host,
  record: ContainerRecord,
  more?: SpecHooks,
): Promise<SpecHooks | undefined> {
  const { hookDirectories, hooks = [] } = await host.config();
  const directories = hookDirectories ?? usualDirectories.filter((directory) => existsSync(directory));
  if (directories.length + hooks.length === 0) return more;
  const [{ hookDefinition, hooksFor, mergeHooks }, { readHookFiles }] = await Promise.all([
    import("../../settings/hook.ts"),
    import("../../container/hook-files.ts"),
  ]);
  const definitions = [
    ...readHookFiles(directories),
    ...hooks.map(({ table, where }) => hookDefinition(table, where)),
  ];
  const { annotations, args, mounts } = record;
  const hasBindMounts = mounts.some(
    ({ type, implied }) => type === "bind" || (type === "volume" && !implied),
  );
  return mergeHooks(more, hooksFor(definitions, { annotations, command: args[0] ?? "", hasBindMounts }));
}
