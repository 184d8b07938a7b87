import type { VolumeDocument } from "../../docker/volume.ts";
import type { Host } from "../host.ts";
import { describeVolume } from "./describe.ts";

/** Docker's document. @throws RtError not-found */
export async function inspectVolume(host: Host, name: string): Promise<VolumeDocument> {
  return describeVolume(host, (await host.volumes()).get(name));
}
