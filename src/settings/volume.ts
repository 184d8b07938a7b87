import { posix } from "node:path";
import type { IdRange } from "../base/id-map.ts";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import type { MountRequest } from "./container-settings.ts";
import { propagations } from "./propagation.ts";

/**
 * Where Docker takes at most one of each kind. The caches are Docker Desktop's: accepted. z and Z ask for SELinux labels, and do
 * nothing where there is no SELinux, as with Docker; rt has no labels, so nowhere. From U on they are podman's.
 */
const kindOf: Readonly<Record<string, string>> = {
  ro: "access",
  rw: "access",
  z: "label",
  Z: "label",
  nocopy: "copy",
  U: "owner",
  O: "overlay",
  idmap: "idmap",
  ...{ exec: "exec", noexec: "exec", suid: "suid", nosuid: "suid", dev: "dev", nodev: "dev" },
  ...{ bind: "depth", rbind: "depth" },
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
  const wishes = wishesOf(modes, parts[2] ?? "", what);
  const attributes = [modes.exec, modes.suid, modes.dev].filter((each) => each !== undefined);
  if (!isPath(source)) {
    if (source !== "" && !isVolumeName(source)) {
      throw invalid(
        `invalid ${what}: ${quote(source)} is not a volume's name ([a-zA-Z0-9][a-zA-Z0-9_.-]+); a host directory is written as an absolute path`,
      );
    }
    const ofHost = modes.propagation ?? modes.depth;
    if (ofHost) throw invalid(`invalid ${what}: ${ofHost} is for host directories only`);
    const options = [...(modes.copy ? ["nocopy"] : []), ...attributes];
    const volume = { type: "volume", source, destination, readonly, options, ...wishes } as const;
    return { ...volume, createSource: false, labels: {} };
  }
  if (modes.copy) throw invalid(`invalid ${what}: nocopy is for volumes only`);
  const path = absolute(source, what);
  checkChown({ type: "bind", source: path, ...(wishes.chown && { chown: true }) });
  return {
    type: "bind",
    source: path,
    destination,
    readonly,
    options: [modes.depth ?? "rbind", modes.propagation ?? "rprivate", ...attributes],
    createSource: true,
    labels: {},
    ...wishes,
  };
}

type Wishes = Pick<MountRequest, "mode" | "chown" | "overlay" | "idmap">;

function wishesOf(modes: Modes, mode: string, what: string): Wishes {
  if (modes.overlay && modes.access === "ro") throw invalid(`invalid ${what}: O is there to be written to`);
  return {
    ...(mode !== "" && { mode }),
    ...(modes.owner && { chown: true }),
    ...(modes.overlay && { overlay: true }),
    ...(modes.idmap !== undefined && { idmap: parseIdmap(modes.idmap.slice("idmap=".length), what) }),
  };
}

/**
 * podman's "uids=0-1000-10#…;gids=…": from the file system's number, to the host's, or with "@" in front to the container's; how
 * many. "" is none of these: as the container's user namespace has them, where it has one of its own.
 * @throws RtError invalid-argument
 */
export function parseIdmap(text: string, what: string): string {
  for (const part of text === "" ? [] : text.split(";")) {
    const [, ranges] = /^[ug]ids=(.*)$/.exec(part) ?? [];
    const isGood = ranges?.split("#").every((range) => /^@?\d{1,10}-\d{1,10}-[1-9]\d{0,9}$/.test(range));
    if (!isGood) throw invalid(`invalid ${what}: bad idmap ${quote(text)}: want uids=FROM-TO-COUNT#…;gids=…`);
  }
  return text;
}

/**
 * Each range of one kind: from the file system's number, to the host's, how many.
 * @param own the container's map, where it has a user namespace of its own
 * @throws RtError invalid-argument: a number that the container has not got
 */
export function idmapRanges(
  text: string,
  kind: "uids" | "gids",
  own: readonly IdRange[] | undefined,
): [from: number, to: number, count: number][] {
  const part = text.split(";").find((each) => each.startsWith(`${kind}=`));
  if (part === undefined) return [];
  const ranges = part.slice(kind.length + 1).split("#");
  return ranges.map((range) => {
    const [from, to, count] = range.replace("@", "").split("-").map(Number) as [number, number, number];
    if (!range.startsWith("@") || !own) return [from, to, count];
    const around = own.find(({ container, size }) => to >= container && to + count <= container + size);
    if (around) return [from, around.host + to - around.container, count];
    throw invalid(
      `invalid idmap ${quote(text)}: ${to}-${to + count - 1} of the container are not one of its ranges`,
    );
  });
}

/** What nobody's user is to own: podman's list, and the host is no longer usable without. */
const notToBeGiven = new Set(
  "/ /bin /boot /dev /etc /etc/passwd /etc/pki /home /lib /lib64 /media /opt /proc /root /run /sbin /srv /sys /tmp /usr /var /var/lib /var/log".split(
    " ",
  ),
);

/** @throws RtError invalid-argument: such a directory of the host's is not for a container's user */
export function checkChown({ type, source, chown }: Pick<MountRequest, "type" | "source" | "chown">): void {
  if (chown && type === "bind" && notToBeGiven.has(source))
    throw invalid(
      `chown of ${quote(source)} is not allowed: U gives all that is in it to the container's user`,
    );
}

/** Relative, and within whatever it is to be found in. @throws RtError invalid-argument */
export function checkSubpath(text: string, what: string): string {
  const clean = posix.normalize(text);
  if (text === "" || text.startsWith("/") || clean === ".." || clean.startsWith("../"))
    throw invalid(`invalid ${what}: subpath ${quote(text)} must be a relative path within the volume`);
  return clean.replace(/\/$/, "");
}

function isPath(source: string): boolean {
  return source.startsWith("/") || /^\.{1,2}(\/|$)/.test(source);
}

export function isVolumeName(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(text) && text.length <= 255;
}

type Modes = Partial<Record<string, string>>;

/** Each kind's choice, or undefined when the text is not a list of modes. */
function modesOf(text: string): Modes | undefined {
  const chosen: Modes = {};
  if (text === "") return chosen;
  for (const mode of text.split(",")) {
    const word = mode.startsWith("idmap=") ? "idmap" : mode;
    const kind = Object.hasOwn(kindOf, word) ? kindOf[word]! : undefined;
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
  const isGood = modes && Object.keys(modes).every((kind) => kind === "access" || kind === "label");
  if (!isGood) throw invalid(`invalid ${flag} ${quote(text)}: bad mode ${quote(mode)}`);
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
