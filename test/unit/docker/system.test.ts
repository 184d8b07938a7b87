import { expect, test } from "bun:test";
import { checkDiskUsageTypes, diskUsageAnswer, diskUsageOf } from "../../../src/docker/disk-usage.ts";
import { type Info, infoAnswer, infoDocument, infoOf } from "../../../src/docker/info.ts";
import { versionAnswer, versionDocument } from "../../../src/docker/version.ts";

test("info", () => {
  const facts = {
    id: "i",
    fileSystem: "extfs",
    openFiles: 9,
    time: "2025-01-01T00:00:00Z",
    ipv4Forwarding: true,
    registries: new Map([["docker.io", { mirrors: ["http://127.0.0.1:5000"], insecure: false }]]),
    proxies: { http: "", https: "", none: "" },
    addressPools: [{ base: "172.17.0.0/16", size: 16 }],
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
  const info = infoDocument(facts);
  expect(info.RegistryConfig.IndexConfigs["docker.io"]).toEqual({
    ...{ Name: "docker.io", Mirrors: ["http://127.0.0.1:5000"], Secure: true, Official: true },
  });
  const answer = infoAnswer(info, () => true);
  expect(answer.Warnings?.[0]).toBe("WARNING: w");
  expect(infoOf(answer as Info)).toEqual(info);
  const old = infoAnswer(info, () => false);
  expect(old).toMatchObject({ BridgeNfIptables: false });
  expect(old).not.toHaveProperty("FirewallBackend");
  expect(infoDocument({ ...facts, isRootless: true }).SecurityOptions).toContain("name=rootless");
});

test("version", () => {
  const facts = { version: "1.0", commit: "c", buildTime: "t", bun: "1", zig: "0", kernel: "6" };
  expect(versionDocument({ ...facts, machine: "x64" })).toMatchObject({ Os: "linux", Arch: "amd64" });
  expect(versionDocument({ ...facts, machine: "arm64" })).toMatchObject({ Version: "1.0", Arch: "arm64" });
});

test("the server's version", () => {
  const facts = {
    version: "1.0",
    commit: "c",
    buildTime: "t",
    bun: "1",
    zig: "0",
    kernel: "6",
    machine: "x64",
  };
  expect(versionAnswer(versionDocument(facts))).toMatchObject({
    ...{
      Version: "1.0",
      ApiVersion: "1.51",
      MinAPIVersion: "1.24",
      GoVersion: "",
      Os: "linux",
      Arch: "amd64",
    },
    Components: [{ Name: "Engine", Version: "1.0", Details: { ApiVersion: "1.51", KernelVersion: "6" } }],
  });
});

test("what takes room, there and back, and a part of it", () => {
  const usage = {
    ...{ layersSize: 30, layersReclaimable: 10 },
    leftovers: { count: 1, active: 0, size: 5, reclaimable: 5 },
    images: [
      {
        ...{ id: `sha256:${"1".repeat(64)}`, tags: [{ name: "a:1", digest: "" }], digests: [], labels: {} },
        ...{ created: "2025-01-02T03:04:05Z", size: 30, sharedSize: 4, containers: 1, damaged: false },
      },
    ],
    ...{ containers: [], volumes: [] },
  };
  const whole = diskUsageAnswer(usage, []);
  expect(whole).toMatchObject({ LayersSize: 30, Containers: [], Volumes: [], BuildCache: [] });
  expect(whole.Images).toMatchObject([{ RepoTags: ["a:1"], Size: 30, SharedSize: 4 }]);
  expect(diskUsageOf(JSON.parse(JSON.stringify(whole)))).toEqual(usage);
  expect(diskUsageAnswer(usage, ["volume"])).toMatchObject({
    ...{ LayersSize: 0, Images: null, Containers: null, Volumes: [], BuildCache: null },
  });
  expect(() => checkDiskUsageTypes(["image", "x"])).toThrow("unknown object type: x");
});
