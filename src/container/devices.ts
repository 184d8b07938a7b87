import { lstatSync, readdirSync, type Stats, statSync } from "node:fs";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import type { SpecDevice } from "../oci/runtime-spec.ts";
import type { Device, DeviceRequest } from "../settings/container-settings.ts";

/** `--device SOURCE[:DESTINATION[:rwm]]`: a node, or every node of a directory. @throws not-found | invalid-argument */
export function findDevices(request: DeviceRequest): Device[] {
  const stat = statOf(request.source);
  if (!stat.isDirectory()) return [describe(request, stat)];
  return readdirSync(request.source)
    .map((name) => ({
      source: `${request.source}/${name}`,
      destination: `${request.destination}/${name}`,
      permissions: request.permissions,
    }))
    .map((entry) => ({ entry, stat: statOf(entry.source) }))
    .filter((found) => isNode(found.stat))
    .map((found) => describe(found.entry, found.stat));
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
  return { ...request, type, ...numbersOf(stat), mode: stat.mode & 0o7777, uid, gid };
}

/** The kernel's packing of dev_t as stat(2) gives it (glibc's gnu_dev_major, gnu_dev_minor). */
function numbersOf(stat: Stats): { major: number; minor: number } {
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

/** Every device node of the host's /dev, for a privileged container. */
export function hostDevices(): SpecDevice[] {
  const found: SpecDevice[] = [];
  const visit = (directory: string) => {
    for (const entry of readdirSync(directory)) {
      const path = `${directory}/${entry}`;
      if (directory === "/dev" && skipped.has(entry)) continue;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) visit(path);
      else if (stat && (stat.isCharacterDevice() || stat.isBlockDevice())) found.push(specOf(path, stat));
    }
  };
  visit("/dev");
  return found;
}

function specOf(path: string, stat: Stats): SpecDevice {
  const device = describe({ source: path, destination: path, permissions: "rwm" }, stat);
  const { type, major, minor, mode, uid, gid } = device;
  return { path, type, major, minor, fileMode: mode, uid, gid };
}
