import { lstatSync, readdirSync, type Stats, statSync } from "node:fs";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { idMax } from "../base/id-map.ts";
import type { SpecDevice } from "../oci/runtime-spec.ts";
import type { Device, DeviceRequest } from "../settings/container-settings.ts";

/** `--device SOURCE[:DESTINATION[:rwm]]`: a node, or all nodes in a directory and below. @throws not-found | invalid-argument */
export function findDevices(request: DeviceRequest): Device[] {
  if (!statOf(request.source).isDirectory()) return [findDevice(request)];
  const bare = (path: string) => path.replace(/(?<=.)\/$/, "");
  const [source, destination] = [bare(request.source), bare(request.destination)];
  const found = devicesBelow({ ...request, source, destination });
  if (found.length === 0)
    throw new RtError("not-found", `no device node is in ${request.source} on the host`);
  return found;
}

/** @throws not-found | invalid-argument, for a directory too */
export function findDevice(request: DeviceRequest): Device {
  return describe(request, statOf(request.source));
}

/** Devices come and go while somebody looks: what is no node, or leads nowhere, is passed over. */
function devicesBelow(request: DeviceRequest): Device[] {
  return orNothing(() => readdirSync(request.source), []).flatMap((name) => {
    const [source, destination] = [`${request.source}/${name}`, `${request.destination}/${name}`];
    if (request.source === "/dev" && skipped.has(name)) return [];
    const entry = { source, destination, permissions: request.permissions };
    if (orNothing(() => lstatSync(source), undefined)?.isDirectory()) return devicesBelow(entry);
    const stat = orNothing(() => statSync(source), undefined);
    return stat && isNode(stat) ? [describe(entry, stat)] : [];
  });
}

function orNothing<T, N>(look: () => T, nothing: N): T | N {
  try {
    return look();
  } catch {
    return nothing;
  }
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw new RtError("not-found", `no such device ${path} on the host`);
    throw withCause(`cannot look at device ${path}`, error);
  }
}

function isNode(stat: Stats): boolean {
  return stat.isCharacterDevice() || stat.isBlockDevice() || stat.isFIFO();
}

function describe(request: DeviceRequest, stat: Stats): Device {
  if (!isNode(stat)) throw new RtError("invalid-argument", `${request.source} is not a device node`);
  const type = stat.isCharacterDevice() ? "c" : stat.isBlockDevice() ? "b" : "p";
  const { uid, gid } = stat;
  return { ...request, type, ...deviceNumbers(stat), mode: stat.mode & 0o7777, uid, gid };
}

/** The kernel's packing of dev_t as stat(2) gives it (glibc's gnu_dev_major, gnu_dev_minor). */
export function deviceNumbers(stat: Pick<Stats, "rdev">): { major: number; minor: number } {
  const device = BigInt(stat.rdev);
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn);
  return { major: Number(major), minor: Number(minor) };
}

/** Of these every container gets its own. */
const skipped = new Set([
  "pts",
  "shm",
  "mqueue",
  "fd",
  "console",
  "ptmx",
  "core",
  "stdin",
  "stdout",
  "stderr",
]);

/**
 * Every device node of the host's /dev, for a privileged container.
 * @param owned false: by nobody whom it has, as it has a user namespace of its own. They are the host's root's then, and what they
 *   open to is what they open to everybody: its root is nobody, and a disk is all that there is
 */
export function hostDevices(owned: boolean): SpecDevice[] {
  const found: SpecDevice[] = [];
  const visit = (directory: string) => {
    for (const entry of readdirSync(directory)) {
      const path = `${directory}/${entry}`;
      if (directory === "/dev" && skipped.has(entry)) continue;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) visit(path);
      else if (stat && (stat.isCharacterDevice() || stat.isBlockDevice()))
        found.push({ ...specOf(path, stat), ...(!owned && nobodys) });
    }
  };
  visit("/dev");
  return found;
}

/** Numbers that no map has: zig-native/stage/outside.zig leaves such a node to the host's root. */
const nobodys = { uid: idMax, gid: idMax } as const;

function specOf(path: string, stat: Stats): SpecDevice {
  const device = describe({ source: path, destination: path, permissions: "rwm" }, stat);
  const { type, major, minor, mode, uid, gid } = device;
  return { path, type, major, minor, fileMode: mode, uid, gid };
}
