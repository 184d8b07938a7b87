import type { Mount } from "../settings/container-settings.ts";

/** A mount in the documents of a container. */
export interface MountPoint {
  Type: Mount["type"];
  Name?: string;
  Source: string;
  Destination: string;
  Driver?: string;
  Mode: string;
  RW: boolean;
  Propagation: string;
}

export function mountPointOf(mount: Mount): MountPoint {
  return {
    Type: mount.type,
    ...(mount.name !== undefined ? { Name: mount.name } : {}),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.type === "volume" ? { Driver: "local" } : {}),
    Mode: mount.type === "tmpfs" ? "" : mount.readonly ? "ro" : "",
    RW: !mount.readonly,
    Propagation: mount.options.find((option) => /^r?(private|shared|slave)$/.test(option)) ?? "",
  };
}

/** @returns what the document says of the mount; of its options only the propagation */
export function mountOf(point: MountPoint): Mount {
  return {
    type: point.Type,
    ...(point.Name !== undefined ? { name: point.Name } : {}),
    source: point.Source,
    destination: point.Destination,
    readonly: !point.RW,
    options: point.Propagation === "" ? [] : [point.Propagation],
  };
}
