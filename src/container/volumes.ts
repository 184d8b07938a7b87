import { existsSync } from "node:fs";
import { posix } from "node:path";
import { RtError, withCause } from "../base/errors.ts";
import type { Mount, MountRequest } from "../settings/container-settings.ts";
import { publicDirectory } from "../store/directory.ts";
import { volumeDirectory } from "../volume/directory.ts";

/** More than any honest image has: each is a directory, a mount, and a start of the copier. */
const imageVolumesMax = 100;

/**
 * The mounts of a container: the user's, and an anonymous volume for each of the image's VOLUMEs that neither the user
 * covers nor we do (`ours`). Sources of binds are looked at, and made where `-v` promises that; volumes are named only.
 * @throws not-found: a bind's source is missing; invalid-argument: the image's VOLUME is not a place for one, or they are
 *   too many
 */
export function resolveMounts(
  root: string,
  asked: readonly MountRequest[],
  imageVolumes: readonly string[],
  ours: readonly string[],
  newId: () => string,
): Mount[] {
  const covered = new Set([...ours, ...asked.map((mount) => mount.destination)]);
  const implied = impliedVolumes(imageVolumes, covered).map(anonymous);
  return [
    ...asked.map((mount) => resolveMount(root, mount, newId)),
    ...implied.map((mount) => ({ ...resolveMount(root, mount, newId), implied: true })),
  ];
}

/** Clean destinations, each once. The empty one means nothing. */
function impliedVolumes(paths: readonly string[], covered: ReadonlySet<string>): string[] {
  const places = new Set(paths.filter((path) => path !== "").map(cleanDestination));
  const wanted = [...places].filter((place) => !covered.has(place));
  if (wanted.length > imageVolumesMax) {
    throw new RtError(
      "invalid-argument",
      `the image asks for ${wanted.length} volumes: more than ${imageVolumesMax} are refused`,
    );
  }
  const bad = wanted.find(isForbidden);
  if (bad !== undefined)
    throw new RtError("invalid-argument", `the image asks for a volume at ${JSON.stringify(bad)}: refused`);
  return wanted;
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

/** Beneath "/" whatever it says. */
function cleanDestination(path: string): string {
  return posix.normalize(`/${path}`).replace(/(?<=.)\/$/, "");
}

/** Never where the kernel's own file systems go. */
function isForbidden(destination: string): boolean {
  return destination.includes("\0") || destination === "/" || /^\/(proc|sys)(\/|$)/.test(destination);
}

function resolveMount(root: string, mount: MountRequest, newId: () => string): Mount {
  const { createSource: _, labels: __, volumeOptions: ___, ...kept } = mount;
  const { type } = mount;
  if (type === "tmpfs" || type === "image") return kept;
  if (type === "bind") {
    if (!existsSync(mount.source)) {
      if (!mount.createSource) {
        throw new RtError(
          "not-found",
          `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
        );
      }
      try {
        publicDirectory(mount.source);
      } catch (error) {
        throw withCause(`error while creating mount source path '${mount.source}'`, error);
      }
    }
    return kept;
  }
  const name = mount.source || newId();
  const source = volumeDirectory(root, name);
  return { ...kept, name, anonymous: mount.source === "", source };
}
