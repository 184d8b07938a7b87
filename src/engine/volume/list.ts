import { RtError } from "../../base/errors.ts";
import {
  checkFilters,
  type Filters,
  hasLabel,
  isTrue,
  matcher,
  namePattern,
  volumeFilters,
} from "../../docker/filters.ts";
import type { VolumeDocument } from "../../docker/volume.ts";
import type { Host } from "../host.ts";
import { describeVolume } from "./describe.ts";

/** By name. @throws RtError invalid-argument: a filter that is none */
export async function listVolumes(host: Host, { filters }: { filters: Filters }): Promise<VolumeDocument[]> {
  checkFilters(filters, volumeFilters);
  const volumes = await host.volumes();
  const used = (filters.dangling ?? []).length > 0 ? volumes.inUse() : new Set<string>();
  const holds = matcher(filters, (key, value) => predicate(used, key, value));
  const documents = volumes.list().map((volume) => describeVolume(host, volume));
  return documents.filter(holds).sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

/** @param used undefined: any may be in use */
function predicate(
  used: ReadonlySet<string> | undefined,
  key: string,
  value: string,
): (volume: VolumeDocument) => boolean {
  switch (key) {
    case "name": {
      const pattern = namePattern(value);
      return ({ Name }) => pattern.test(Name);
    }
    case "dangling":
      return ({ Name }) => (used === undefined || used.has(Name)) !== isTrue(value);
    case "driver":
      return ({ Driver }) => Driver === value;
    case "label":
      return ({ Labels }) => hasLabel(Labels ?? {}, value);
    case "label!":
      return ({ Labels }) => !hasLabel(Labels ?? {}, value);
    default:
      throw new RtError("internal", `the filter ${key} has no meaning`);
  }
}
