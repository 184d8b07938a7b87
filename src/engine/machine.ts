import { accessSync, constants, mkdirSync, readFileSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { isErrno, while_ } from "../base/errors.ts";
import { type MountRequest, mountFileSystem } from "../runtime/mount.ts";
import type { InitConfig } from "./init-config.ts";

/** What the configuration says about the machine itself; rt-init has mounted the kernel's own file systems. */
export function configureMachine(config: InitConfig, isMachine: boolean): void {
  const hostname = config.hostname ?? (isMachine && hostnameNow() === "(none)" ? "rt" : undefined);
  if (hostname !== undefined) setHostname(hostname);
  for (const request of config.mounts) mountFileSystem(request);
}

const hostnameFile = "/proc/sys/kernel/hostname";

function hostnameNow(): string {
  return readFileSync(hostnameFile, "utf8").trim();
}

function setHostname(name: string): void {
  try {
    writeFileSync(hostnameFile, name);
  } catch (error) {
    throw while_(`cannot set the hostname ${name}`, error);
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
    if (isInitramfs(root) || !isWritable(root)) mountFileSystem(store(root));
    return root;
  } catch (error) {
    if (!isErrno(error, "EROFS")) throw while_(`cannot make ${root}`, error);
    mountFileSystem(store(elsewhere));
    return elsewhere;
  }
}

function isInitramfs(directory: string): boolean {
  const { type } = statfsSync(directory);
  return (type === ramfsMagic || type === tmpfsMagic) && statSync(directory).dev === statSync("/").dev;
}

function store(target: string): MountRequest {
  // Half of the memory, as the default has it, is little for images in a machine that does nothing else.
  return { source: "tmpfs", target, type: "tmpfs", options: ["nosuid", "nodev", "mode=700", "size=80%"] };
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
