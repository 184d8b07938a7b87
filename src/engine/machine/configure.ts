import { accessSync, constants, mkdirSync, readFileSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { isErrno, withCause } from "../../base/errors.ts";
import { groupOfContainers } from "../../runtime/cgroup.ts";
import { loadModules } from "../../runtime/kernel-modules.ts";
import { type FileSystemMount, mountFileSystem } from "../../runtime/mount.ts";
import { activeSizeFile } from "../../snapshot/directory.ts";
import type { InitConfig } from "./config.ts";

/**
 * What the configuration says about the machine itself; rt-init has mounted the kernel's own file systems.
 * @returns what takes a name for the machine from elsewhere: the first one counts, where the machine has none yet
 */
export function configureMachine(
  config: InitConfig,
  isMachine: boolean,
  say: (line: string) => void,
): (hostname: string) => void {
  if (isMachine) loadModules(config.modules, say);
  if (isMachine) limitContainers(say);
  let isNamed = config.hostname !== undefined || !isMachine || hostnameNow() !== "(none)";
  const hostname = config.hostname ?? (isNamed ? undefined : "rt");
  if (hostname !== undefined) setHostname(hostname);
  for (const request of config.mounts) mountFileSystem(request);
  return (name) => {
    if (!isNamed) setHostname(name.slice(0, hostnameMax));
    isNamed = true;
  };
}

const hostnameFile = "/proc/sys/kernel/hostname";
const hostnameMax = 64;

function hostnameNow(): string {
  return readFileSync(hostnameFile, "utf8").trim();
}

function setHostname(name: string): void {
  try {
    writeFileSync(hostnameFile, name);
  } catch (error) {
    throw withCause(`cannot set the hostname ${name}`, error);
  }
}

const MiB = 1024 * 1024;

/**
 * How much memory containers may have together. The engine's part is what is in use by now (the initramfs with our own file
 * is among it) and a reserve for what it has yet to do: the console's client, unpacking, tables of the kernel.
 */
function memoryOfContainers(): number {
  const reserve = Math.min(Math.max(96 * MiB, available() / 8), 512 * MiB);
  return Math.max(available() - reserve, 16 * MiB);
}

function available(): number {
  const kilobytes = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** Of cgroup v2, as rt-init mounts it. */
const directoryOfContainers = `/sys/fs/cgroup/${groupOfContainers}`;
const short = 128 * MiB;

/** What they fill, be it with files, is theirs: the kernel ends one of them, and nothing of ours. */
function limitContainers(say: (line: string) => void): void {
  const bytes = memoryOfContainers();
  if (bytes < short) {
    const [some, wanted] = [bytes, short].map((size) => Math.floor(size / MiB));
    say(`memory is short: ${some} MB are left for images and containers, and ${wanted} MB should be`);
  }
  try {
    mkdirSync(directoryOfContainers, { recursive: true });
    writeFileSync(`${directoryOfContainers}/memory.max`, String(Math.floor(bytes)));
  } catch (error) {
    // A kernel without it, or with v1.
    if (!isErrno(error, "ENOENT") && !isErrno(error, "EACCES") && !isErrno(error, "EROFS")) throw error;
  }
}

const [ramfsMagic, tmpfsMagic] = [0x858458f6, 0x01021994];
/** Where the store goes on a machine whose root can neither hold it nor a mount point for it. */
const elsewhere = "/run/rt-store";

/**
 * A place where images and containers can be: `root`, or where that is read-only or still the initramfs a tmpfs mounted
 * there. (An initramfs has no extended attributes, or has half of the memory as its limit and is in it itself.)
 *
 * @returns the directory to use
 */
export function storeDirectory(root: string): string {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    if (isInitramfs(root) || !isWritable(root)) makeStore(root);
    return root;
  } catch (error) {
    if (!isErrno(error, "EROFS")) throw withCause(`cannot make ${root}`, error);
    makeStore(elsewhere);
    return elsewhere;
  }
}

function isInitramfs(directory: string): boolean {
  const { type } = statfsSync(directory);
  return (type === ramfsMagic || type === tmpfsMagic) && statSync(directory).dev === statSync("/").dev;
}

/** In memory. What one container writes, or all volumes hold, leaves room for the others, and for the engine's own. */
function makeStore(target: string): void {
  const all = memoryOfContainers();
  // Nobody but root gets there; a container's set-user-ID programs are to work.
  const part = (where: string, share: number): FileSystemMount => {
    const options = ["nodev", "mode=700", `size=${Math.floor(all * share)}`];
    return { source: "tmpfs", target: where, type: "tmpfs", options };
  };
  mountFileSystem(part(target, 3 / 4));
  mountFileSystem(part(`${target}/volumes`, 1 / 2));
  writeFileSync(`${target}/${activeSizeFile}`, String(Math.floor(all / 2)));
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch (error) {
    if (isErrno(error, "EROFS")) return false;
    throw error;
  }
}
