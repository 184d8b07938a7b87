/** Where what a program sees under `rt` differs from what it sees under Debian's runc 1.1 on the same spec, and why that is wanted. */

/** Differences that we know and want: a line of `command` that only `side` has (or each has in its own way). */
export const accepted: readonly {
  command: string;
  side: "rt" | "runc" | "both";
  line: RegExp;
  reason: string;
}[] = [
  {
    command: "mounts",
    side: "both",
    line: /^mount \/ \S+ (nodev,)?relatime,rw {2}private$/,
    reason: "an image's own device nodes are dead here; runc takes the flags of the file system",
  },
  {
    command: "mounts",
    side: "both",
    line: /^mount \/etc\/(hosts|hostname|resolv\.conf) tmpfs (nodev,noexec,nosuid,)?relatime,rw {2}private$/,
    reason: "these lie in a small tmpfs of the container's own here; runc binds the host's files",
  },
  {
    command: "mounts",
    side: "both",
    line: /^mount \/(proc|sys)\/\S+ tmpfs \S*ro(,\S*)? /,
    reason: "a masked directory is nodev, noexec, nosuid and has one inode here; runc's is read-only alone",
  },
  {
    command: "mounts",
    side: "runc",
    line: /^mount \/proc\/\S+ tmpfs nosuid,rw /,
    reason:
      "the null device over a masked file is read-only and noexec here, so that no name of it changes the device",
  },
  {
    command: "mounts",
    side: "both",
    line: /^mount \/sys sysfs nodev,noexec,nosuid,relatime,ro r[ow] private$/,
    reason: "read-only is set on the mount here, and by runc on the superblock as well: no program can tell",
  },
  {
    command: "mounts",
    side: "both",
    line: /^mount \/sys\/fs\/cgroup tmpfs nodev,noexec,nosuid,relatime,r[ow] mode=755,rw private$/,
    reason: "the spec says ro: runc on cgroup v1 leaves the tmpfs writable",
  },
  {
    command: "mounts",
    side: "rt",
    line: /^mount \/sys\/fs\/cgroup\/unified cgroup2 nodev,noexec,nosuid,relatime,ro /,
    reason: "the v2 hierarchy of a hybrid host is visible, read-only; runc on v1 leaves it out",
  },
  {
    command: "ids",
    side: "both",
    line: /^groups( 0)?$/,
    reason: "root's own group is also its supplementary one, as login and podman have it; runc sets none",
  },
  {
    command: "env",
    side: "both",
    line: /^env HOME=\/(root)?$/,
    reason: "an image without passwd: root's home is /root here, runc falls back to /",
  },
  {
    command: "devices",
    side: "rt",
    line: /^link core \/proc\/kcore$/,
    reason: "/dev/core is a link whether or not the kernel has /proc/kcore",
  },
  {
    command: "ls",
    side: "rt",
    line: /^l 0777 0 0 11 core -> \/proc\/kcore$/,
    reason: "the same link in the listing",
  },
  {
    command: "cgroup",
    side: "runc",
    line: /^limit devices\/devices\.list c 10:200 rwm$/,
    reason: "runc allows /dev/net/tun to everyone; here it must be asked for",
  },
  {
    command: "caps",
    side: "both",
    line: /^Seccomp(_filters)? /,
    reason: "a fixed filter of system calls is always there; runc has one only where the spec names it",
  },
  {
    command: "process",
    side: "rt",
    line: /^keyring EPERM$/,
    reason: "the kernel's keys are out of reach, by the filter",
  },
  {
    command: "process",
    side: "both",
    line: /^pdeathsig [09]$/,
    reason: "a container dies with its monitor; runc has no monitor",
  },
  {
    command: "process",
    side: "both",
    line: /^keyring \S+ keyring;0;0;3f[01][3b]0000;_ses/,
    reason: "both make a session keyring of their own; runc names it and lets its user link it",
  },
];
