import { expect, test } from "bun:test";
import {
  type ContainerSettings,
  type Device,
  defaultSettings,
} from "../../../src/settings/container-settings.ts";
import { generateSpec, type SpecContext } from "../../../src/spec/generate.ts";

/** Goldens are reviewable; to accept a change on purpose: RT_UPDATE_GOLDEN=1 bun test test/unit/spec */
async function golden(name: string, value: unknown): Promise<void> {
  const file = Bun.file(new URL(`golden/${name}.json`, import.meta.url));
  const text = `${JSON.stringify(value, undefined, 2)}\n`;
  if (process.env.RT_UPDATE_GOLDEN) await file.write(text);
  expect(text).toBe(await file.text());
}

const plain: ContainerSettings = {
  ...defaultSettings(),
  args: ["sh", "-c", "true"],
  entrypointLength: 0,
  env: ["PATH=/bin", "HOSTNAME=box"],
  workingDirectory: "/srv",
  hostname: "box",
  mounts: [],
  devices: [],
};

const fuse: Device = {
  ...{ source: "/dev/fuse", destination: "/dev/fuse", permissions: "rw" },
  ...{ type: "c", major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 },
};

const context: SpecContext = {
  devices: [],
  filesDirectory: "/run/rt/containers/c",
  rootPath: "/run/rt/containers/c/rootfs",
  cgroupsPath: `/rt/${"c".repeat(64)}`,
  hostDevices: [{ path: "/dev/sda", type: "b", major: 8, minor: 0, fileMode: 0o660, uid: 0, gid: 6 }],
  throttledCpus: 2,
  descriptorsMax: 524288,
  processesMax: 4096,
};

test("a plain container", () => golden("plain", generateSpec(plain, context)));

test("a privileged container with the host's network", () =>
  golden("privileged", generateSpec({ ...plain, privileged: true, networkMode: "host" }, context)));

test("everything a user can ask for", () =>
  golden(
    "everything",
    generateSpec(
      {
        ...plain,
        tty: true,
        readonlyRootfs: true,
        noNewPrivileges: true,
        capAdd: ["CAP_NET_ADMIN"],
        capDrop: ["CAP_KILL"],
        annotations: { "org.example.a": "b" },
        ulimits: [{ name: "nofile", soft: 1024, hard: 2048 }],
        sysctls: { "net.core.somaxconn": "100" },
        shmSize: 1048576,
        mounts: [
          { type: "tmpfs", source: "", destination: "/a/b/c", readonly: false, options: ["size=64m"] },
          {
            type: "bind",
            source: "/srv/data",
            destination: "/data",
            readonly: true,
            options: ["rbind", "rslave"],
          },
          {
            type: "volume",
            name: "v",
            source: "/var/lib/rt/volumes/v/_data",
            destination: "/v",
            readonly: false,
            options: [],
          },
        ],
      },
      { ...context, devices: [fuse], consoleSize: { height: 24, width: 80 } },
    ),
  ));

test("limits in the specification's words: those that are asked for, and the usual one on processes", () => {
  const resources: ContainerSettings["resources"] = {
    ...{ memory: 1000, memorySwap: 2000, memoryReservation: 500, memorySwappiness: 0, oomKillDisable: true },
    ...{ nanoCpus: 1.5e9, cpuShares: 7, cpusetCpus: "0", cpusetMems: "1", blkioWeight: 10 },
    blkioWeightDevice: [{ path: "/dev/a", weight: 20 }],
    deviceReadBps: [{ path: "/dev/b", rate: 30 }],
    hugetlb: [{ size: "2MB", limit: 0 }],
    cgroupConf: { "memory.high": "1" },
  };
  const blockDevices = { "/dev/a": { major: 8, minor: 0 }, "/dev/b": { major: 8, minor: 16 } };
  const { devices, ...limits } = generateSpec({ ...plain, resources }, { ...context, blockDevices }).linux
    .resources;
  expect(devices.length).toBeGreaterThan(0);
  expect(limits).toEqual({
    memory: { limit: 1000, swap: 2000, reservation: 500, swappiness: 0, disableOOMKiller: true },
    cpu: { shares: 7, quota: 150_000, period: 100_000, cpus: "0", mems: "1" },
    pids: { limit: 4096 },
    blockIO: {
      weight: 10,
      weightDevice: [{ major: 8, minor: 0, weight: 20 }],
      throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 30 }],
    },
    hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
    unified: { "memory.high": "1" },
  });
  const quota = { cpuQuota: 5000, cpuPeriod: 20_000, pidsLimit: -1 };
  expect(generateSpec({ ...plain, resources: quota }, context).linux.resources).toMatchObject({
    cpu: { quota: 5000, period: 20_000 },
    pids: { limit: -1 },
  });
});

test("a user's mount takes the place of ours on the same path", () => {
  const shm = {
    type: "bind",
    source: "/x",
    destination: "/dev/shm",
    readonly: false,
    options: ["bind"],
  } as const;
  const spec = generateSpec({ ...plain, mounts: [{ ...shm, options: [...shm.options] }] }, context);
  expect(spec.mounts.filter((mount) => mount.destination === "/dev/shm")).toEqual([
    { destination: "/dev/shm", type: "bind", source: "/x", options: ["bind"] },
  ]);
});

test("mounts of a user come in order of depth, so that none hides another", () => {
  const at = (destination: string) => ({
    type: "tmpfs" as const,
    source: "",
    destination,
    readonly: false,
    options: [],
  });
  const spec = generateSpec({ ...plain, mounts: ["/a/b/c", "/z", "/a"].map(at) }, context);
  const theirs = spec.mounts.map((mount) => mount.destination).filter((path) => /^\/[az]/.test(path));
  expect(theirs).toEqual(["/z", "/a", "/a/b/c"]);
});

test("a user's mount on /etc goes under our files in it", () => {
  const etc = { type: "bind" as const, source: "/x", destination: "/etc", readonly: false, options: [] };
  const order = generateSpec({ ...plain, mounts: [etc] }, context).mounts.map((mount) => mount.destination);
  expect(order.indexOf("/etc")).toBeLessThan(order.indexOf("/etc/hosts"));
});

const init = { pid: 42, startTime: "4711" };

test("namespaces of the host are none of the container's", () => {
  const modes = {
    networkMode: "host",
    pidMode: "host",
    ipcMode: "host",
    utsMode: "host",
    cgroupnsMode: "host",
  };
  const spec = generateSpec({ ...plain, ...modes }, context);
  expect(spec.linux.namespaces).toEqual([{ type: "mount" }]);
  expect(spec.linux.sysctl).toEqual({});
  const shared = ({ mounts }: typeof spec) => mounts.find(({ destination }) => destination === "/dev/shm");
  expect(shared(spec)).toMatchObject({ type: "bind", source: "/dev/shm" });
  expect(shared(spec)!.options).not.toContain("rbind");
  const locked = generateSpec({ ...plain, ...modes }, { ...context, isLocked: true });
  expect(shared(locked)!.options.slice(0, 4)).toEqual(["rbind", "rnosuid", "rnoexec", "rnodev"]);
});

test("a container that is joined is named by its init, and so is what it shares", () => {
  const modes = { networkMode: "container:a", pidMode: "container:a", ipcMode: "container:a" };
  const neighbours = { network: init, pid: init, ipc: init };
  const spec = generateSpec({ ...plain, ...modes }, { ...context, neighbours });
  expect(spec.linux.namespaces).toEqual([
    { type: "mount" },
    { type: "network", path: "/proc/42/ns/net", process: init },
    { type: "pid", path: "/proc/42/ns/pid", process: init },
    { type: "ipc", path: "/proc/42/ns/ipc", process: init },
    { type: "uts" },
    { type: "cgroup" },
  ]);
  expect(spec.linux.sysctl).toEqual({});
  const shared = spec.mounts.filter((mount) => mount.process !== undefined);
  expect(shared.map(({ destination, type }) => [destination, type]).sort()).toEqual([
    ["/dev/shm", "tmpfs"],
    ["/etc/hostname", "bind"],
    ["/etc/hosts", "bind"],
    ["/etc/resolv.conf", "bind"],
    ["/proc", "proc"],
  ]);
});

test("a namespace by its path, and no shared memory", () => {
  const spec = generateSpec({ ...plain, pidMode: "ns:/run/p", ipcMode: "none" }, context);
  expect(spec.linux.namespaces).toContainEqual({ type: "pid", path: "/run/p" });
  expect(spec.mounts.find(({ type }) => type === "proc")?.options).toContain("pidns=/run/p");
  expect(spec.mounts.map(({ destination }) => destination)).not.toContain("/dev/shm");
});

test("a joined namespace of which nobody knows whose it is is a mistake of ours", () => {
  expect(() => generateSpec({ ...plain, utsMode: "container:a" }, context)).toThrow("whose uts namespace");
});
