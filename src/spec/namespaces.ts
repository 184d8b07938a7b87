import type { SpecMount, SpecNamespace, SpecProcessName } from "../oci/runtime-spec.ts";
import type { ContainerSettings } from "../settings/container-settings.ts";
import {
  joinedContainer,
  modeSettings,
  type NamespaceKind,
  namespaceKinds,
  namespacePath,
} from "../settings/namespace-mode.ts";
import { shmMount } from "./defaults.ts";

/** The inits of the containers whose namespaces one has, by the kind of those. */
export type Neighbours = Readonly<Partial<Record<NamespaceKind | "user", SpecProcessName>>>;

/** As /proc/PID/ns calls them. */
const files: Readonly<Record<NamespaceKind | "user", string>> = {
  user: "user",
  network: "net",
  pid: "pid",
  ipc: "ipc",
  uts: "uts",
  cgroup: "cgroup",
};

/** Where the namespace of a process is. */
export function namespaceFile(kind: NamespaceKind | "user", pid: number | "self"): string {
  return `/proc/${pid}/ns/${files[kind]}`;
}

/** A mount namespace of its own in any case; those that are the host's are left out. */
export function namespaces(settings: ContainerSettings, neighbours: Neighbours = {}): SpecNamespace[] {
  const others = namespaceKinds.flatMap((type): SpecNamespace[] => {
    const mode = settings[modeSettings[type]];
    if (mode === "host") return [];
    const path = namespacePath(mode);
    if (path !== undefined) return [{ type, path }];
    if (joinedContainer(mode) === undefined) return [{ type }];
    const process = neighbours[type];
    if (!process) throw new Error(`nobody has said whose ${type} namespace is meant`);
    return [{ type, path: namespaceFile(type, process.pid), process }];
  });
  const time: SpecNamespace[] = Object.keys(settings.timeOffsets).length > 0 ? [{ type: "time" }] : [];
  return [{ type: "mount" }, ...userNamespace(settings, neighbours), ...others, ...time];
}

/** New, with the maps of its record, or one that is joined, which has these. */
function userNamespace(
  { idMappings, usernsMode }: ContainerSettings,
  { user: process }: Neighbours,
): SpecNamespace[] {
  if (!idMappings) return [];
  const path = process ? namespaceFile("user", process.pid) : namespacePath(usernsMode);
  return [{ type: "user", ...(path !== undefined && { path }), ...(process && { process }) }];
}

/** /proc shows the pid namespace of whoever mounts it, who is in none that is joined. */
export function procMount(
  mount: SpecMount,
  { pidMode }: ContainerSettings,
  neighbours: Neighbours = {},
): SpecMount {
  if (mount.type !== "proc") return mount;
  const path = namespacePath(pidMode);
  if (path !== undefined) return { ...mount, options: [...mount.options, `pidns=${path}`] };
  return neighbours.pid ? { ...mount, process: neighbours.pid } : mount;
}

/** What goes with the ipc namespace, though the kernel does not know of that. */
export function sharedMemory(
  { ipcMode, shmSize }: ContainerSettings,
  { neighbours = {}, isLocked = false }: { neighbours?: Neighbours; isLocked?: boolean } = {},
): SpecMount[] {
  const own = shmMount(shmSize);
  if (ipcMode === "none") return [];
  if (neighbours.ipc) return [{ ...own, process: neighbours.ipc }];
  if (ipcMode !== "host") return [own];
  const { destination } = own;
  const closed = ["nosuid", "noexec", "nodev"];
  const bind = isLocked ? ["rbind", ...closed.map((option) => `r${option}`)] : ["bind"];
  const options = [...bind, ...closed, "rprivate"];
  return [{ destination, type: "bind", source: destination, options }];
}

/** What goes with the network: of a joined one the very files that the other container has. */
export function networkFiles(directory: string, { network }: Neighbours = {}): SpecMount[] {
  return ["resolv.conf", "hostname", "hosts"].map((name) => ({
    destination: `/etc/${name}`,
    type: "bind",
    source: `${directory}/${name}`,
    options: ["bind", "rprivate"],
    ...(network && { process: network }),
  }));
}
