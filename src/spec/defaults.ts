import type { SpecDevice, SpecMount } from "../oci/runtime-spec.ts";

/** What every container gets, as the field's engines agree on it. */

export const defaultMounts: readonly SpecMount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["ro", "nosuid", "noexec", "nodev"],
  },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
];

/** Where each container has a mount of ours, unless the user puts another one there. */
export const ownDestinations: readonly string[] = [
  ...defaultMounts.map((mount) => mount.destination),
  "/dev/shm",
].filter((place) => place !== "/proc" && place !== "/sys");

export function shmMount(bytes: number): SpecMount {
  return {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${bytes}`],
  };
}

/** A privileged container may write where others may only look. */
export function writable(mount: SpecMount): SpecMount {
  return { ...mount, options: mount.options.filter((option) => option !== "ro") };
}

export const defaultDevices: readonly SpecDevice[] = (
  [
    ["null", 3],
    ["zero", 5],
    ["full", 7],
    ["random", 8],
    ["urandom", 9],
  ] as const
)
  .map(([name, minor]) => character(`/dev/${name}`, 1, minor))
  .concat(character("/dev/tty", 5, 0));

function character(path: string, major: number, minor: number): SpecDevice {
  return { path, type: "c", major, minor, fileMode: 0o666, uid: 0, gid: 0 };
}

/** Of a network's interface, where the kernel has IPv6: no neighbour tells the container where its way out is, or who it is. */
export const routerSysctls: Readonly<Record<string, string>> = {
  "net.ipv6.conf.default.accept_ra": "0",
  "net.ipv6.conf.default.autoconf": "0",
};

/** So that ping and port 80 work for anyone: both concern the container's own network namespace only. */
export const networkSysctls: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};
