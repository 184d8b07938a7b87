/**
 * The rule: no system call that takes a path follows a link, or resolves more than one component by itself, on anything that
 * a container or an image can reach. What works there has descriptors, openat2 beneath, or a chroot without capabilities.
 *
 * So each use of such a call in zig-native is on this list, with the reason why it is safe where it stands. A new one makes
 * the test of the architecture fail: see `unlisted`.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const sources = resolve(import.meta.dir, "../../zig-native");

/** Every call of Linux that takes a path, but those of the prober, which attacks, and of what only tests run. */
const names = [
  ..."open openat openat2 creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat".split(
    " ",
  ),
  ..."symlink symlinkat mknod mknodat readlink readlinkat chmod fchmodat fchmodat2 chown lchown".split(" "),
  ..."fchownat utime utimes utimensat futimesat truncate setxattr lsetxattr setxattrat getxattr".split(" "),
  ..."lgetxattr getxattrat listxattr llistxattr listxattrat removexattr lremovexattr removexattrat".split(
    " ",
  ),
  ..."stat lstat fstatat fstatat64 statx statfs access faccessat faccessat2 chdir chroot pivot_root mount".split(
    " ",
  ),
  ..."umount umount2 open_tree move_mount mount_setattr fsconfig fspick execve execveat bind connect".split(
    " ",
  ),
  ..."inotify_add_watch fanotify_mark name_to_handle_at open_by_handle_at swapon acct quotactl uselib".split(
    " ",
  ),
];

const one = "one component in a directory that is held open, and no link is followed";
const beneath = "openat2: beneath a directory that is held open, or in it as the root";
const empty = "an empty path: the descriptor itself";
const host = "a path of the host that rt or its caller chose: nothing of a container's lies on it";
const kernel = "the kernel's own files as the host sees them";
const early = "process 1 of a machine, before any container";
const fresh = "names in a new tmpfs or directory that nobody else can reach";
const slash = 'the host\'s "/" in a namespace of our own';
const chrooted = "after the chroot, in a directory that is entered: one component, and not followed";

type Allowed = Readonly<Record<string, Readonly<Record<string, readonly [uses: number, reason: string]>>>>;

export const allowed: Allowed = {
  "stage/bench.zig": { open: [1, host], mkdirat: [2, fresh], umount2: [1, host] },
  "stage/sysctls.zig": { open: [1, kernel] },
  "stage/init.zig": { open: [1, host], chdir: [1, host] },
  "linux/time_namespace.zig": { open: [1, kernel] },
  "linux/user_namespace.zig": { open: [2, kernel], statx: [2, kernel] },
  "stage/giveaway.zig": {
    ...{ openat: [1, '"." of a directory that is held open'], statx: [1, one], fchownat: [1, one] },
  },
  "linux/idmap.zig": { open: [2, kernel] },
  "lib/devices.zig": { open: [1, kernel] },
  "lib/network.zig": { open: [1, kernel] },
  "linux/inside.zig": {
    open: [1, kernel],
    openat: [1, "/proc/PID/root of the directory of that very process"],
  },
  "linux/net/namespace.zig": { open: [2, "this thread's own network namespace, by the kernel's link"] },
  "linux/net/packet.zig": { bind: [2, "an interface by its number, and an address of IPv4: no path"] },
  "boot.zig": { chdir: [1, early] },
  "boot/console.zig": { open: [2, kernel] },
  "boot/finish.zig": { umount2: [1, "the machine goes down: no container lives"], mount: [1, "as before"] },
  "boot/place.zig": {
    mount: [1, slash],
    readlinkat: [1, kernel],
    fsconfig: [1, "a procfs that nobody sees"],
  },
  "boot/prepare.zig": {
    ...{ symlink: [1, early], readlink: [1, early], faccessat: [1, early], open: [2, early] },
    ...{ mkdir: [1, early], mount: [1, early] },
  },
  "boot/root.zig": { mkdir: [1, early], mount: [2, early], chdir: [2, early], chroot: [1, early] },
  "boot/session.zig": { execveat: [1, empty] },
  "stage/exec.zig": {
    faccessat2: [1, "the program itself, in the container and with the user's identity"],
    execve: [1, "as before"],
  },
  "fuzz_frames.zig": { open: [1, 'a test\'s own "/"'] },
  "stage/join.zig": { open: [2, kernel], readlinkat: [1, kernel] },
  "stage/filter.zig": { open: [1, "our own file below --state, before the container's root is there"] },
  "stage/neighbour.zig": { open: [5, 'namespaces that the user names, two of our own, and "/" itself'] },
  "layer/apply.zig": {
    ...{ unlinkat: [1, one], symlinkat: [1, one], mknodat: [1, one], fchownat: [1, one] },
    ...{ utimensat: [1, one], linkat: [1, one], mkdirat: [2, one] },
  },
  "layer/confine.zig": {
    chroot: [1, "the chroot itself, to a directory that is held open"],
    open: [1, kernel],
  },
  "layer/copy.zig": {
    ...{ mkdirat: [1, one], openat: [2, one], readlinkat: [1, one], symlinkat: [1, one] },
    ...{ mknodat: [1, one], fchownat: [1, one], utimensat: [1, one] },
  },
  "layer/files.zig": { openat: [1, one] },
  "layer/lower.zig": { mknodat: [1, one] },
  "layer/overlay.zig": {
    ...{ mkdirat: [5, fresh], symlinkat: [2, fresh], mount: [3, fresh], umount2: [1, fresh] },
    ...{ fsconfig: [7, fresh], open: [2, kernel], chroot: [1, "back to where we were"] },
  },
  "layer/mounting.zig": {
    mount: [3, "a volume's directory in our store; the device is the user's"],
    umount2: [1, "the same, without following"],
  },
  "layer/place.zig": { mkdirat: [2, one], renameat2: [1, one], open: [1, host] },
  "layer/probe.zig": {
    ...{ mkdirat: [2, fresh], mkdir: [1, fresh], mknod: [1, fresh], setxattr: [1, fresh] },
    ...{ unlinkat: [2, fresh], umount2: [2, fresh] },
  },
  "layer/changes.zig": { openat: [1, '"." of a directory that is held open'] },
  "layer/receive.zig": {
    ...{ mkdirat: [2, one], unlinkat: [1, one], openat: [3, one], symlinkat: [1, one], mknodat: [1, one] },
    ...{ fchownat: [1, one], utimensat: [1, one], readlinkat: [1, one] },
  },
  "layer/root.zig": {
    open: [3, "the kernel's own files, a volume's directory on the host, and rt's lock of the container"],
    openat: [1, "/proc/PID/root of the directory of that very process"],
  },
  "layer/commit.zig": { openat: [2, one] },
  "layer/entries.zig": { openat: [1, one], readlinkat: [1, one] },
  "layer/send.zig": { openat: [1, '"." of a directory that is held open'] },
  "layer/removal.zig": { unlinkat: [2, one] },
  "layer/seed.zig": { mkdirat: [1, one], renameat2: [2, one] },
  "layer/settle.zig": { openat: [1, one] },
  "layer/sys.zig": {
    ...{ openat: [2, one], open: [1, kernel], statx: [2, one], fchmodat2: [1, one] },
    linkat: [2, "a descriptor: itself, or by its number in /proc/self/fd"],
    fchmodat: [1, "a link of /proc/self/fd, by the number of a descriptor that is no link"],
  },
  "layer/verify.zig": { openat: [2, one], readlinkat: [2, one] },
  "layer/walker.zig": { mkdirat: [1, one], readlinkat: [1, one], unlinkat: [1, one] },
  "layer/xattrs.zig": { lsetxattr: [2, chrooted], llistxattr: [1, chrooted], lgetxattr: [1, chrooted] },
  "lib.zig": { mount: [1, early], umount2: [1, "of our store, without following"] },
  "linux/cgroup.zig": { access: [2, kernel], mkdir: [1, kernel], open: [1, kernel] },
  "linux/cgroup_freezer.zig": { open: [3, kernel], openat: [2, one] },
  "linux/cgroup_hierarchy.zig": { open: [1, kernel] },
  "linux/cgroup_memory.zig": { open: [1, kernel] },
  "linux/cgroup_removal.zig": { rmdir: [2, kernel], openat: [1, one], unlinkat: [1, one] },
  "linux/cgroup_walk.zig": { openat: [1, one], mkdir: [1, "its test"], rmdir: [1, "its test"] },
  "linux/device.zig": { mknodat: [1, one], fchownat: [1, one] },
  "linux/memfd.zig": { openat: [2, host], access: [1, kernel] },
  "linux/mount.zig": {
    open_tree: [1, "a descriptor, one component of the workbench, or a bind's source as the user wrote it"],
    ...{ move_mount: [1, empty], mount_setattr: [1, empty] },
    fsconfig: [3, "options; an overlay's layers are paths of the store"],
  },
  "linux/mountinfo.zig": { open: [1, kernel] },
  "linux/remove.zig": {
    ...{
      unlinkat: [3, one],
      renameat2: [1, one],
      openat: [2, one],
      mkdir: [1, "its test"],
      open: [1, "its test"],
    },
    ...{ mkdirat: [1, "its test"], symlinkat: [1, "its test"], rmdir: [1, "its test"] },
  },
  "linux/path.zig": {
    openat2: [1, beneath],
    statx: [2, "an empty path, or one of our store"],
    open: [1, "its test"],
  },
  "monitor.zig": { openat: [2, host], bind: [1, host], unlinkat: [3, one] },
  "monitor/ports.zig": { bind: [1, one], unlinkat: [1, one] },
  "monitor/proxy.zig": { connect: [1, "an address: no path"] },
  "linux/net/port.zig": { bind: [1, "an address: no path"] },
  "monitor/events.zig": {
    openat: [5, "the log's directory, which rt chose; in it, and in the state directory, one component"],
    ...{ mkdir: [1, host], unlinkat: [1, one] },
  },
  "monitor/health.zig": { openat: [2, one] },
  "monitor/stack.zig": {
    open: [4, "the state directory, which is the host's, /dev/null, procfs"],
    openat: [2, one],
    unlinkat: [1, one],
    mknodat: [1, one],
    mount: [
      2,
      "its own mount namespace, before the program is executed: the root's kind, and a namespace on a file of its directory",
    ],
    execve: [1, "pasta or slirp4netns, by the path that the caller's PATH has it at"],
  },
  "monitor/probe.zig": {
    execve: [1, "/proc/self/exe: the monitor's own file, before any container is joined"],
  },
  "stage/mounts.zig": { open: [2, host] },
  "stage/cgroup_mounts.zig": { mkdirat: [1, fresh], symlinkat: [1, fresh] },
  "stage/mapped.zig": { mount: [1, slash], open: [1, slash], umount2: [1, slash], mkdirat: [1, fresh] },
  "stage/outside.zig": { open: [1, '"." of the workbench'], fchownat: [1, empty] },
  "linux/process.zig": {
    openat: [2, "/proc/PID/stat; the directory of a socket of ours"],
    connect: [1, host],
  },
  "stage/devices.zig": { symlinkat: [1, one], open: [1, kernel] },
  "stage/paths.zig": {
    ...{ mkdirat: [2, one], readlinkat: [1, one], open: [1, "its tests"], mkdir: [1, "its tests"] },
    ...{ openat: [4, "its tests"], unlinkat: [2, "its tests"], symlinkat: [1, "its tests"] },
  },
  "stage/program.zig": { open: [2, "the container's own / and /dev/null, in the container"] },
  "monitor/log_files.zig": {
    openat: [
      4,
      "the directory of all containers, whose path is ours; beneath it one component, and no link is followed",
    ],
    ...{ mkdir: [1, host], mkdirat: [1, one], renameat: [1, one], unlinkat: [2, one] },
  },
  "fuzz_names.zig": {
    open: [1, "what its test gave it"],
    openat: [1, "in that"],
    connect: [1, "an address of IPv4"],
  },
  "monitor/names_files.zig": { statx: [1, one], openat: [1, one] },
  "monitor/names_sockets.zig": {
    ...{ open: [2, kernel], bind: [1, "an address of IPv4"], connect: [2, "addresses of IP"] },
  },
  "monitor/log_compress.zig": { openat: [4, one], renameat: [1, one], unlinkat: [2, one] },
  "monitor/log_remote.zig": {
    connect: [1, "the log daemon's socket, a path of the host that the caller chose"],
  },
  "monitor/successor.zig": { open: [1, "/dev/null"], execveat: [1, empty] },
  "monitor/records.zig": { openat: [1, one], renameat: [1, one], unlinkat: [2, one] },
  "monitor/relatives.zig": { open: [2, kernel], openat: [1, kernel] },
  "monitor/restart.zig": { faccessat: [1, one], openat: [1, one] },
  "stage/rootfs.zig": {
    ...{ symlinkat: [1, fresh], mount: [4, slash], umount2: [2, slash], open: [5, slash] },
    ...{ pivot_root: [1, slash], chroot: [1, slash], chdir: [1, "the new root"] },
  },
  "lib/spawn.zig": {
    ...{ chdir: [1, "/"], execveat: [2, empty], mount: [1, slash] },
    execve: [1, "a program of the host's that the user names, as him"],
  },
  "start/first.zig": { execveat: [1, empty] },
  "start/user.zig": {
    ...{ open: [1, "a directory that is taken where it is the user's own"], statx: [1, empty] },
    openat: [1, "rt's own two names in it, the last not followed, and one of the kernel's"],
  },
  "holder.zig": { open: [1, "its own program, by the kernel's link"], execveat: [1, empty] },
  "monitor/sync.zig": { open: [1, "its test"] },
  "start/limits.zig": { open: [1, kernel], readlink: [1, kernel] },
  "start/loader.zig": { mkdir: [1, early], mount: [1, early], open: [1, kernel], statfs: [1, kernel] },
  "start/place.zig": { chdir: [1, "/"] },
};

/** How often each file uses each call. */
function uses(): Map<string, Map<string, number>> {
  const call = new RegExp(
    `\\b(?:linux|posix)\\.(${names.join("|")})\\b|\\bsyscall\\d\\(\\s*\\.(${names.join("|")})\\b`,
    "g",
  );
  const found = new Map<string, Map<string, number>>();
  for (const file of [...new Bun.Glob("**/*.zig").scanSync(sources)].sort()) {
    if (file === "probe.zig" || file.startsWith("probe/") || file.startsWith("layer/fuzz/")) continue;
    const code = readFileSync(join(sources, file), "utf8").replace(/(^|\s)\/\/.*$/gm, "");
    const counts = new Map<string, number>();
    for (const [, direct, raw] of code.matchAll(call)) {
      const name = (direct ?? raw)!;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    if (counts.size > 0) found.set(file, counts);
  }
  return found;
}

/** What is used and not on the list, and what is on the list and not used, one line each. */
export function unlisted(list: Allowed = allowed): string[] {
  const found = uses();
  const more = [...found].flatMap(([file, counts]) =>
    [...counts].flatMap(([call, count]) => {
      const known = list[file]?.[call]?.[0] ?? 0;
      return count <= known
        ? []
        : [
            `zig-native/${file}: ${call} is used ${count} times, ${known} are allowed. Can a container or an image reach what it ` +
              "works on? Then take a descriptor and openat2 beneath (linux/path.zig, layer/sys.zig); else list it in " +
              "test/contract/path-calls.ts with its reason",
          ];
    }),
  );
  const stale = Object.entries(list).flatMap(([file, calls]) =>
    Object.keys(calls).flatMap((call) =>
      found.get(file)?.has(call)
        ? []
        : [`test/contract/path-calls.ts: zig-native/${file} uses no ${call} any more`],
    ),
  );
  return [...more, ...stale];
}
