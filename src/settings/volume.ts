import { posix } from "node:path";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import type { MountRequest } from "./container-settings.ts";

export const propagations: ReadonlySet<string> = new Set(
  "private rprivate shared rshared slave rslave".split(" "),
);
/** Where Docker takes at most one of each kind. z and Z relabel for SELinux, the caches are Docker Desktop's: accepted. */
const kindOf: Readonly<Record<string, string>> = {
  ro: "access",
  rw: "access",
  z: "label",
  Z: "label",
  nocopy: "copy",
  consistent: "cache",
  cached: "cache",
  delegated: "cache",
  ...Object.fromEntries([...propagations].map((name) => [name, "propagation"])),
};

/**
 * `-v [SOURCE:]DESTINATION[:MODE,…]`: a host path (absolute, or starting with `./` or `../`), a volume's name, or nothing
 * for an anonymous volume. Docker's grammar (moby volume/mounts/linux_parser.go).
 *
 * @param absolute what a host path means to whoever wrote it
 * @throws RtError invalid-argument
 */
export function parseVolume(
  text: string,
  flag: string,
  absolute: (path: string, what: string) => string,
): MountRequest {
  rejectControl(flag, text);
  const what = `${flag} ${quote(text)}`;
  const parts = text.split(":");
  if (parts.length > 3 || parts.includes(""))
    throw invalid(`invalid ${what}: want [SOURCE:]DESTINATION[:MODE]`);
  if (parts.length === 2 && modesOf(parts[1]!) !== undefined) {
    throw invalid(`invalid ${what}: has a mode but no source; want SOURCE:DESTINATION:MODE`);
  }
  const source = parts.length === 1 ? "" : parts[0]!;
  const destination = destinationOf(parts.length === 1 ? parts[0]! : parts[1]!, what);
  const modes = modesOf(parts[2] ?? "");
  if (modes === undefined) throw invalid(`invalid ${what}: bad mode ${quote(parts[2]!)}`);
  const readonly = modes.access === "ro";
  if (!isPath(source)) {
    if (source !== "" && !isVolumeName(source)) {
      throw invalid(
        `invalid ${what}: ${quote(source)} is not a volume's name ([a-zA-Z0-9][a-zA-Z0-9_.-]+); a host directory is written as an absolute path`,
      );
    }
    if (modes.propagation)
      throw invalid(`invalid ${what}: ${modes.propagation} is for host directories only`);
    const options = modes.copy ? ["nocopy"] : [];
    return { type: "volume", source, destination, readonly, options, createSource: false, labels: {} };
  }
  if (modes.copy) throw invalid(`invalid ${what}: nocopy is for volumes only`);
  return {
    type: "bind",
    source: absolute(source, what),
    destination,
    readonly,
    options: ["rbind", modes.propagation ?? "rprivate"],
    createSource: true,
    labels: {},
  };
}

function isPath(source: string): boolean {
  return source.startsWith("/") || /^\.{1,2}(\/|$)/.test(source);
}

export function isVolumeName(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(text) && text.length <= 255;
}

/** Each kind's choice, or undefined when the text is not a list of modes. */
function modesOf(text: string): Partial<Record<string, string>> | undefined {
  const chosen: Partial<Record<string, string>> = {};
  if (text === "") return chosen;
  for (const mode of text.split(",")) {
    const kind = Object.hasOwn(kindOf, mode) ? kindOf[mode]! : undefined;
    if (kind === undefined || chosen[kind] !== undefined) return undefined;
    chosen[kind] = mode;
  }
  return chosen;
}

/** `--volumes-from CONTAINER[:MODE,…]`, checked. @throws RtError invalid-argument */
export function parseVolumesFrom(text: string, flag: string): string {
  rejectControl(flag, text);
  const { container, mode } = cutVolumesFrom(text);
  if (container === "") throw invalid(`invalid ${flag} ${quote(text)}: want CONTAINER[:ro|rw]`);
  const modes = modesOf(mode);
  if (modes === undefined || modes.copy || modes.propagation)
    throw invalid(`invalid ${flag} ${quote(text)}: bad mode ${quote(mode)}`);
  return text;
}

export function isReadonlyFrom(mode: string): boolean {
  return modesOf(mode)?.access === "ro";
}

export function cutVolumesFrom(text: string): { container: string; mode: string } {
  const [container = "", ...mode] = text.split(":");
  return { container, mode: mode.join(":") };
}

/** The container's path, absolute, clean and not the root. @throws RtError invalid-argument */
export function destinationOf(path: string, what: string): string {
  if (!path.startsWith("/")) throw invalid(`invalid ${what}: ${quote(path)} must be an absolute path`);
  const clean = posix.normalize(path).replace(/(.)\/$/, "$1");
  if (clean === "/") throw invalid(`invalid ${what}: the destination cannot be "/"`);
  return clean;
}

/** @throws RtError invalid-argument: two of them at one place */
export function rejectTwice(mounts: readonly MountRequest[]): void {
  const taken = new Set<string>();
  for (const { destination } of mounts) {
    if (taken.has(destination)) throw invalid(`two mounts at ${JSON.stringify(destination)}: leave one out`);
    taken.add(destination);
  }
}
