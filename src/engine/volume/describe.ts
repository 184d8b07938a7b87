import { type VolumeDocument, volumeDocument } from "../../docker/volume.ts";
import { volumeDirectory } from "../../volume/directory.ts";
import type { Volume } from "../../volume/volume-store.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";

/** Docker's document of a volume; whoever asks is told of a damaged one. */
export function describeVolume(host: Host, volume: Volume): VolumeDocument {
  const { name, created } = volume;
  return volumeDocument(
    { name, created, mountpoint: volumeDirectory(host.paths.root, name) },
    readable(host, volume),
  );
}
