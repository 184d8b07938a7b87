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
  ],
});

guestSuite("attacks on mounts", ["mount-targets", "extremes", "identity"].map(path), {
  tests: 6,
  only: ["/etc is a link", "under /dev", "a terminal is", "layers", "keyring"],
});

guestSuite("device nodes, and volumes that are seeded", ["device-nodes", "volumes"].map(path), {
  tests: 6,
  tools: ["strace", "unshare", "mknod", "setpriv"],
  only: ["with device rules", "is nodev", "devices that were given", "device nodes of", "hard links are"],
});

function path(name: string): string {
  return `test/root/attacks/${name}.test.ts`;
}
