import { readFileSync, statSync } from "node:fs";
import { asSystemError, RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { type Container, recordOf } from "../../container/stored-container.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { AskedSettings } from "../../settings/container-settings.ts";
import {
  checkNamespaces,
  joinedContainer,
  modeSettings,
  type NamespaceKind,
  type NamespaceModes,
  namespaceKinds,
  namespacePath,
} from "../../settings/namespace-mode.ts";
import { namespaceOfSysctl } from "../../settings/sysctl.ts";
import { type Neighbours, namespaceFile } from "../../spec/namespaces.ts";
import type { Host } from "../host.ts";
import { elsewhere, look, withPause } from "./look.ts";

/**
 * What is asked for with the containers whose namespaces it names by their ids, and the names of host that go with those.
 * @throws RtError not-found | invalid-argument: in Docker's words
 */
export function withNeighbours(host: Host, asked: AskedSettings): AskedSettings {
  checkNamespaces(asked);
  checkSysctls(asked, {});
  const settings = { ...asked };
  for (const kind of namespaceKinds) {
    const setting = modeSettings[kind];
    const name = joinedContainer(settings[setting]);
    if (name === undefined) continue;
    const container = host.containers.find(name);
    if (!container) throw new RtError("not-found", `No such container: ${name}`);
    settings[setting] = `container:${container.id}`;
    if (kind !== "network" && kind !== "uts") continue;
    const { hostname = "", domainname = "" } = recordOf(container) ?? {};
    Object.assign(settings, { hostname, domainname });
  }
  return settings;
}

/**
 * The inits of the containers whose namespaces this one has, as they are now; who joins makes sure that they are still those.
 * @throws RtError not-found; conflict: one does not run, or does not share that; invalid-argument: a sysctl would be the host's
 */
export function neighboursOf(host: Host, record: ContainerRecord): Neighbours {
  const neighbours: Partial<Record<NamespaceKind | "user", { pid: number; startTime: string }>> = {};
  for (const kind of namespaceKinds) {
    const id = joinedContainer(record[modeSettings[kind]]);
    if (id !== undefined) neighbours[kind] = initOf(host, id, kind);
  }
  const id = record.idMappings && joinedContainer(record.usernsMode);
  if (id !== undefined) neighbours.user = initOf(host, id, "user");
  checkSysctls(record, neighbours);
  checkProcfs(record);
  return neighbours;
}

function initOf(host: Host, id: string, kind: NamespaceKind | "user"): { pid: number; startTime: string } {
  const container = host.containers.find(id);
  if (!container) throw new RtError("not-found", `No such container: ${id}`);
  const { status, pid, startTime } = withPause(host, container.id, look(host, container).state);
  const refuse = (why: string) => new RtError("conflict", why);
  if (status === "restarting")
    throw refuse(`container ${id} is restarting, wait until the container is running`);
  if (status !== "running" && status !== "paused") throw refuse(notRunning(id, kind));
  if (pid === 0 || !signalProcess(pid, startTime, 0)) throw refuse(`container ${id} ${elsewhere}`);
  if (kind === "ipc" && !sharesMemory(container)) {
    const hint = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)";
    throw refuse(`failed to join IPC namespace: container ${id}: ${hint}`);
  }
  return { pid, startTime };
}

function notRunning(id: string, kind: NamespaceKind | "user"): string {
  if (kind === "network") return `cannot join network of a non running container: ${id}`;
  return `failed to join ${kind.toUpperCase()} namespace: container ${id} is not running`;
}

/** Its /dev/shm is one that it lets others have. */
function sharesMemory(container: Container): boolean {
  const record = recordOf(container);
  if (!record || record.mounts.some(({ destination }) => destination === "/dev/shm")) return false;
  return record.ipcMode !== "private" && record.ipcMode !== "none";
}

/** Docker's rule, for whichever way leads to a namespace of the host's. */
function checkSysctls(
  record: Pick<AskedSettings, keyof NamespaceModes | "sysctls">,
  neighbours: Neighbours,
): void {
  for (const key of Object.keys(record.sysctls)) {
    const kind = namespaceOfSysctl(key);
    if (isHosts(kind, record[modeSettings[kind]], neighbours[kind]?.pid))
      throw new RtError("invalid-argument", `sysctl '${key}' is not allowed in host ${kind} namespace`);
  }
}

/** @param pid of a process whose namespace it has, where that is another container's */
export function isHosts(kind: NamespaceKind, mode: string, pid: number | undefined): boolean {
  if (mode === "host") return true;
  const path = pid === undefined ? namespacePath(mode) : namespaceFile(kind, pid);
  if (path === undefined) return false;
  const [theirs, ours] = [path, namespaceFile(kind, "self")].map(numberOf);
  return theirs !== undefined && theirs === ours;
}

/** Undefined where there is none to be seen: who joins it says so. */
function numberOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (asSystemError(error)) return undefined;
    throw error;
  }
}

/** Without a process of its in sight the kernel itself has to mount /proc of another pid namespace. */
function checkProcfs({ pidMode }: ContainerRecord): void {
  if (namespacePath(pidMode) === undefined) return;
  const [major = 0, minor = 0] = readFileSync("/proc/sys/kernel/osrelease", "latin1")
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  if (major > 6 || (major === 6 && minor >= 17)) return;
  throw new RtError("unsupported", "--pid ns:PATH needs Linux 6.17: join a container by its name instead");
}
