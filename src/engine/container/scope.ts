import type { ContainerRecord } from "../../container/record.ts";
import type { RuntimeSpec } from "../../oci/runtime-spec.ts";
import type { Launched } from "../../runtime/runtime.ts";
import { startScope, tellLimits } from "../../runtime/systemd/scope.ts";
import type { Host } from "../host.ts";
import { patience_s } from "./stop.ts";

/**
 * The container's cgroup as a unit of systemd's, before it is launched.
 * @returns what is launched, with its limits told to systemd once it is there
 */
export async function inScope(
  host: Host,
  { name, stopTimeout = patience_s }: ContainerRecord,
  group: string,
  { linux: { resources } }: RuntimeSpec,
  undo: AsyncDisposableStack,
): Promise<(launched: Launched) => Launched> {
  const scope = await startScope(group, `container ${name}`, resources, stopTimeout);
  undo.defer(() => scope.release());
  return (launched) => ({
    ...launched,
    async ready(abort, paused) {
      const program = await launched.ready(abort, paused);
      scope.release();
      await tellOrWarn(host, group, { ...resources, devices: [] }); // those it knows from its start
      return program;
    },
  });
}

/** They hold already, until systemd is told to look at all that it knows once more. */
export async function tellOrWarn(
  host: Host,
  group: string,
  resources: Parameters<typeof tellLimits>[1],
): Promise<void> {
  try {
    await tellLimits(group, resources);
  } catch (error) {
    host.warn(`warning: ${(error as Error).message}: what it sets them to when it is reloaded is its own`);
  }
}
