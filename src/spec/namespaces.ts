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
export type Neighbours = Readonly<Partial<Record<NamespaceKind, SpecProcessName>>>;

/** As /proc/PID/ns calls them. */
const files: Readonly<Record<NamespaceKind, string>> = {
  network: "net",
  pid: "pid",
  ipc: "ipc",
  uts: "uts",
  cgroup: "cgroup",
};

/** Where the namespace of a process is. */
export function namespaceFile(kind: NamespaceKind, pid: number | "self"): string {
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
  return [{ type: "mount" }, ...others];
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
  neighbours: Neighbours = {},
): SpecMount[] {
  const own = shmMount(shmSize);
  if (ipcMode === "none") return [];
  if (neighbours.ipc) return [{ ...own, process: neighbours.ipc }];
  if (ipcMode !== "host") return [own];
  const { destination } = own;
  const options = ["bind", "nosuid", "noexec", "nodev", "rprivate"];
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
