import { expect, test } from "bun:test";
import { infoDocument } from "../../../src/docker/info.ts";
import { versionDocument } from "../../../src/docker/version.ts";

test("info", () => {
  const facts = {
    version: "1.0",
    containers: 5,
    running: 2,
    paused: 0,
    images: 3,
    driver: "overlay",
    cgroupManager: "cgroupfs" as const,
    cgroupVersion: "2",
    limits: {
      ...{ memory: true, swap: false, cpuQuota: true, cpuShares: true, cpuset: false, pids: true },
      oomKillDisable: false,
    },
    kernel: { type: "Linux", release: "6.12", machine: "x86_64" },
    operatingSystem: "Debian",
    processors: 4,
    memory_bytes: 2 ** 31,
    hostname: "box",
    root: "/var/lib/rt",
    state: "/run/rt",
    storeLimit: 2 ** 30,
    seccompProfile: "builtin",
    cdiDirectories: ["/etc/cdi"],
    cdiDevices: ["vendor.com/class=name"],
    securityModules: ["apparmor"],
    ownUsers: true,
    isRootless: false,
    warnings: ["w"],
  };
  expect(infoDocument(facts)).toMatchObject({
    Containers: 5,
    ContainersRunning: 2,
    ContainersStopped: 3,
    OSType: "linux",
    Architecture: "x86_64",
    NCPU: 4,
    DockerRootDir: "/var/lib/rt",
    StateDir: "/run/rt",
    LoggingDriver: "json-file",
    // No container has no-new-privileges unless that is said.
    SecurityOptions: ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns", "name=userns"],
    CDISpecDirs: ["/etc/cdi"],
    DiscoveredDevices: [{ Source: "cdi", ID: "vendor.com/class=name" }],
    Swarm: { LocalNodeState: "inactive" },
    ...{ MemoryLimit: true, SwapLimit: false, CpuCfsQuota: true, CPUShares: true, CPUSet: false },
    ...{ PidsLimit: true, OomKillDisable: false },
    Warnings: ["w", "No swap limit support", "No cpuset support"],
  });
  expect(infoDocument({ ...facts, isRootless: true }).SecurityOptions).toContain("name=rootless");
});

test("version", () => {
  const facts = { version: "1.0", commit: "c", buildTime: "t", bun: "1", zig: "0", kernel: "6" };
  expect(versionDocument({ ...facts, machine: "x64" })).toMatchObject({ Os: "linux", Arch: "amd64" });
  expect(versionDocument({ ...facts, machine: "arm64" })).toMatchObject({ Version: "1.0", Arch: "arm64" });
});
