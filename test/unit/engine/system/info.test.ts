import { expect, test } from "bun:test";
import { cgroupVersion, operatingSystem } from "../../../../src/engine/system/info.ts";

test("which cgroups, from mountinfo", () => {
  const v1 = "30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory";
  const named = "31 25 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd";
  const v2 = "32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate";
  const other = "20 1 8:1 / / rw - ext4 /dev/cgroup rw";
  expect(cgroupVersion([other, v1, v2].join("\n"))).toBe("hybrid");
  expect(cgroupVersion([other, v1, named].join("\n"))).toBe("1");
  expect(cgroupVersion([other, v2, named].join("\n"))).toBe("2");
  expect(cgroupVersion(other)).toBe("none");
});

test("the system's name, from os-release", () => {
  expect(operatingSystem('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')).toBe(
    "Debian GNU/Linux 12 (bookworm)",
  );
  expect(operatingSystem("PRETTY_NAME='A B'\n")).toBe("A B");
  expect(operatingSystem("PRETTY_NAME=Plain\n")).toBe("Plain");
  expect(operatingSystem("")).toBe("Linux");
});
