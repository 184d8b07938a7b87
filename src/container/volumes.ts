import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join, posix } from "node:path";
import { RtError } from "../base/errors.ts";
import type { MountRecord } from "../spec/settings.ts";

/** `-v`, `--mount` or `--tmpfs`. Destinations are absolute, clean, never "/", and all different. */
export interface MountRequest {
  type: "bind" | "volume" | "tmpfs";
  /** bind: absolute path on the host; volume: its name, "" for a new anonymous one; tmpfs: "". */
  source: string;
  destination: string;
  readonly: boolean;
  /**
   * bind: "rbind" or "bind", then the propagation ("rprivate" unless asked otherwise); volume: "nocopy" or nothing;
   * tmpfs: "noexec", "nosuid", "nodev" unless asked otherwise, then "size=…", "mode=…" and so on.
   */
  options: string[];
  /** `-v` makes a missing source directory on the host, `--mount` is an error then. */
  createSource: boolean;
  /** Volume labels. */
  labels: Record<string, string>;
}

/** Where a volume's files are. `name` was checked, or made by us. */
export function volumeDirectory(root: string, name: string): string {
  return join(root, "volumes", name, "_data");
}

/**
 * The mounts of a container: the user's, and an anonymous volume for each of the image's VOLUMEs that the user does not
 * cover. Sources of binds are looked at, and made where `-v` promises that; volumes' directories are made.
 * @throws not-found: a bind's source is missing; invalid-argument: the image's VOLUME is not a place for one
 */
export function resolveMounts(
  root: string,
  asked: readonly MountRequest[],
  imageVolumes: readonly string[],
  newId: () => string,
): MountRecord[] {
  const covered = new Set(asked.map((mount) => mount.destination));
  const implied = imageVolumes.map(cleanVolume).filter((destination) => !covered.has(destination));
  return [...asked, ...implied.map(anonymous)].map((mount) => resolveMount(root, mount, newId));
}

function anonymous(destination: string): MountRequest {
  return {
    type: "volume",
    source: "",
    destination,
    readonly: false,
    options: [],
    createSource: true,
    labels: {},
  };
}

/** Beneath "/" whatever it says, and never where the kernel's own file systems go. */
function cleanVolume(path: string): string {
  const destination = posix.normalize(`/${path}`).replace(/(?<=.)\/$/, "");
  if (path.includes("\0") || destination === "/" || /^\/(proc|sys|dev)(\/|$)/.test(destination)) {
    throw new RtError("invalid-argument", `the image asks for a volume at ${JSON.stringify(path)}: refused`);
  }
  return destination;
}

function resolveMount(root: string, mount: MountRequest, newId: () => string): MountRecord {
  const { type, destination, readonly, options } = mount;
  if (type === "tmpfs") return { type, source: "", destination, readonly, options };
  if (type === "bind") {
    if (!existsSync(mount.source)) {
      if (!mount.createSource) {
        throw new RtError(
          "not-found",
          `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
        );
      }
      mkdirSync(mount.source, { recursive: true });
      chmodSync(mount.source, 0o755); // whatever our umask
    }
    return { type, source: mount.source, destination, readonly, options };
  }
  const name = mount.source || newId();
  const source = volumeDirectory(root, name);
  if (!existsSync(source)) {
    mkdirSync(source, { recursive: true, mode: 0o700 });
    chmodSync(source, 0o755); // whatever our umask: the container's users look into it
  }
  return { type, name, source, destination, readonly, options };
}
