import { RtError } from "../../base/errors.ts";
import { cdiChanges } from "../../container/cdi-changes.ts";
import { cdiEntries, readCdiRegistry } from "../../container/cdi-registry.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { RuntimeSpec, SpecHooks } from "../../oci/runtime-spec.ts";
import { withCdi } from "../../spec/cdi.ts";
import type { Host } from "../host.ts";

/** What devices of CDI bring into a container. */
export interface DescribedDevices {
  hooks: SpecHooks | undefined;
  /** All but the hooks. */
  with(spec: RuntimeSpec): RuntimeSpec;
}

/**
 * A container's devices of CDI, as they are described by now.
 * @throws RtError in a line that names the device, and the file where that is wrong
 */
export async function describedDevices(host: Host, record: ContainerRecord): Promise<DescribedDevices> {
  const { cdiSpecDirs } = await host.config();
  const entries = cdiEntries(readCdiRegistry(cdiSpecDirs), record.cdiDevices);
  const { hooks, ...changes } = cdiChanges(entries, ownerOf(record.user));
  const isTaken = (path: string) => record.mounts.some(({ destination }) => destination === path);
  const taken = changes.mounts.find(({ destination }) => isTaken(destination));
  if (taken) {
    const names = record.cdiDevices.join(", ");
    const message = `--device ${names}: ${taken.source} is to be at ${taken.destination}, where the container has a mount`;
    throw new RtError("conflict", message);
  }
  const isEmpty = Object.keys(hooks).length === 0;
  return { hooks: isEmpty ? undefined : hooks, with: (spec) => withCdi(spec, changes) };
}

/** CDI's nodes are the user's, where he is known by his numbers. */
function ownerOf(user: string): { uid: number; gid: number } {
  const [, uid = "0", gid = "0"] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(user) ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}
