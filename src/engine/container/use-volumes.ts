import type { ContainerRecord } from "../../container/record.ts";
import { closeLock } from "../../runtime/lock.ts";
import type { Host } from "../host.ts";
import { openState } from "./build.ts";

/**
 * For who looks into a container that does not run: its volumes that have a file system of their own are mounted until `undo`.
 * The state directory that says so is nobody's container: where we are killed it goes as one that was left by the dead.
 */
export async function useVolumes(
  host: Host,
  { mounts }: ContainerRecord,
  undo: AsyncDisposableStack,
): Promise<void> {
  const { hasOwn, mountVolumes } = await import("../volume/mount.ts");
  const own = mounts.filter(hasOwn);
  if (own.length === 0) return;
  const state = openState(host, `using-${crypto.randomUUID()}`, undo);
  undo.defer(() => closeLock(state.lock));
  const wanted = own.map(({ name = "" }) => ({ name, anonymous: false, labels: {}, options: {} }));
  undo.use((await host.volumes()).hold(wanted).lease);
  await mountVolumes(host, own, state.directory);
}
