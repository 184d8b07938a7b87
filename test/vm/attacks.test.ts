/** What a container tries against cgroups, devices, mounts and masks, where the second kernel may answer otherwise. */
import { guestSuite } from "./suite.ts";

guestSuite("attacks on the kernel's files", ["kernel-files", "isolation"].map(path), {
  tests: 12,
  only: [
    "cgroup",
    "mask",
    "namespace",
    "through a procfs",
    "read-only",
    "/dev has",
    "steers",
    "process of ours",
    "mounted over",
  ],
});

guestSuite("attacks on mounts", ["mount-targets", "extremes", "identity"].map(path), {
  tests: 6,
  only: [
    "/etc is a link",
    "under /dev",
    "a terminal is",
    "layers",
    "keyring",
    "in place of its user databases",
  ],
});

guestSuite("device nodes, and volumes that are seeded", ["device-nodes", "volumes"].map(path), {
  tests: 6,
  tools: ["strace", "unshare", "mknod", "setpriv"],
  only: [
    "opens, with device rules$",
    "is nodev",
    "devices that were given",
    "device nodes of",
    "hard links are",
    "an exec opens",
  ],
});

// What is held at its calls (windows.test.ts) is not tried here: User-Mode Linux tells a tracer of none.
guestSuite("groups that a container turns against what looks after it", ["own-cgroups"].map(path), {
  tests: 1,
  only: ["as systemd does.*kill"],
});

guestSuite("device rules", ["device-nodes"].map(path), {
  tests: 4,
  tools: ["unshare", "mknod"],
  only: ["(in exec|alone|by update|by a rule), with device rules$"],
});

function path(name: string): string {
  return `test/root/attacks/${name}.test.ts`;
}
