import type { Mount } from "../settings/container-settings.ts";
import { propagations } from "../settings/propagation.ts";

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

/** Docker has no `--tmpfs` among them. */
export function mountPoints(mounts: readonly Mount[]): MountPoint[] {
  return mounts.filter(({ type, byMount }) => type !== "tmpfs" || byMount).map(mountPointOf);
}

function mountPointOf(mount: Mount): MountPoint {
  return {
    Type: mount.type,
    ...nameOf(mount),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.type === "volume" ? { Driver: "local" } : {}),
    Mode: modeOf(mount),
    RW: !mount.readonly,
    Propagation:
      mount.options.find((option) => propagations.has(option)) ?? (mount.type === "image" ? "rprivate" : ""),
  };
}

function nameOf({ type, name, source }: Mount): Pick<MountPoint, "Name"> {
  if (type === "image") return { Name: source };
  return name !== undefined ? { Name: name } : {};
}

/** A record of before modes were kept says only that it is read-only. */
function modeOf(mount: Mount): string {
  const { mode, readonly, implied, byMount } = mount;
  if (mode !== undefined) return mode;
  if (readonly && !byMount && !implied) return "ro";
  return isAskedVolume(mount) ? "z" : "";
}

/** Docker relabels volumes that somebody asked for, whatever he says of that. */
function isAskedVolume({ type, implied, anonymous, byMount }: Mount): boolean {
  return type === "volume" && !implied && (!anonymous || byMount === true);
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
