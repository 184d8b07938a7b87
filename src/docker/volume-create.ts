import { RtError } from "../base/errors.ts";
import { mapOf, object, optional, text } from "../base/shape.ts";
import { given, read } from "./zero.ts";

const words = given(mapOf(text), {});
const request = object({
  Name: given(text, ""),
  Driver: given(text, ""),
  DriverOpts: words,
  Labels: words,
  ClusterVolumeSpec: optional((value: unknown) => value),
});

/** What is asked of a new volume; without a name it gets one. */
export interface VolumeWanted {
  name: string;
  driver: string;
  labels: Record<string, string>;
  options: Record<string, string>;
}

/** POST /volumes/create. @throws RtError invalid-argument; unavailable: a swarm's */
export function parseVolumeCreate(document: unknown): VolumeWanted {
  const asked = read(request, document ?? {}, "volume");
  if (asked.ClusterVolumeSpec !== undefined && asked.ClusterVolumeSpec !== null)
    throw new RtError("unavailable", "This node is not a swarm manager: it has no cluster volumes");
  return { name: asked.Name, driver: asked.Driver, labels: asked.Labels, options: asked.DriverOpts };
}

export function volumeCreateDocument({
  name,
  driver,
  labels,
  options,
}: VolumeWanted): Record<string, unknown> {
  return { Name: name, Driver: driver, DriverOpts: options, Labels: labels };
}
