import { describe, expect, test } from "bun:test";
import { environmentOf } from "../../../src/base/environment.ts";
import { RtError } from "../../../src/base/errors.ts";
import RunCommand from "../../../src/cli/container/run.ts";
import { runOptions } from "../../../src/cli/container/run-options.ts";
import { readCommand } from "../../../src/cli/grammar/read.ts";
import { containerCreate, parseContainerCreate } from "../../../src/docker/container-create.ts";
import { asOfVersion } from "../../../src/docker/container-create-versions.ts";
import { containerInspect } from "../../../src/docker/container-inspect.ts";
import {
  type AskedSettings,
  askedSettings,
  defaultSettings,
  type MountRequest,
} from "../../../src/settings/container-settings.ts";
import { plainWish } from "../../../src/settings/network.ts";
import { maskedPaths, readonlyPaths, systemPaths } from "../../../src/settings/system-paths.ts";
import { capture } from "../cli/capture.ts";
import dockerCreate from "./golden/docker-create.json" with { type: "json" };

/** What `rt run` would ask for. */
function asked(line: string): AskedSettings {
  return askedBy(line.split(" "));
}

function askedBy(words: string[]): AskedSettings {
  const command = readCommand(RunCommand, words, { path: "run", context: capture() })!;
  return runOptions(command, environmentOf({}), undefined).settings;
}

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Mounts stand in several places of the documents, and ports in no order: theirs is not kept, and says nothing. */
function sorted(settings: AskedSettings): AskedSettings {
  const byPlace = (a: MountRequest, b: MountRequest) => (a.destination < b.destination ? -1 : 1);
  const publish = settings.publish.toSorted((a, b) => a.port - b.port);
  return { ...settings, publish, mounts: settings.mounts.toSorted(byPlace) };
}

function parsed(body: object): AskedSettings {
  return parseContainerCreate(json({ Image: "alpine", ...body })).settings;
}

function host(config: object): AskedSettings {
  return parsed({ HostConfig: config });
}

describe("what Docker's own client sends (28.2) is what the same words mean to rt", () => {
  test.each(dockerCreate.map(({ words, body }) => [words.join(" "), words, body] as const))(
    "docker create %s",
    (_, words, body) => {
      const { document, warnings } = asOfVersion(json(body), () => false);
      const { image, settings } = parseContainerCreate(document);
      expect([image, warnings]).toEqual(["alpine", []]);
      const meant = sorted(askedBy(words));
      // Nobody stands before it: ours does not say so, as it makes no difference.
      expect(sorted(settings)).toEqual(words.includes("-d") ? { ...meant, attached: [] } : meant);
    },
  );
});

describe("what is asked for comes out as it went in", () => {
  test.each([
    "alpine",
    "-it --rm alpine sh -c ls",
    "--entrypoint /bin/sh alpine -c ls",
    "--entrypoint= alpine ls",
    "-h box -u 1000:users -w /srv --stop-signal int --init --read-only alpine",
    "-e A=1 -e B= -e A -l a=b --label c --annotation d=e alpine",
    "--net host --sysctl kernel.shmmax=1 alpine",
    "--sysctl net.ipv4.conf.eth0/1.forwarding=1 --sysctl net/ipv4/conf/eth0.1/forwarding=0 alpine",
    "--cap-add net_admin --cap-drop all --group-add audio --group-add 5 alpine",
    "--privileged --security-opt no-new-privileges --security-opt seccomp=unconfined alpine",
    "--security-opt mask=/a:/b --security-opt unmask=/proc/*:/sys/firmware --security-opt apparmor=p alpine",
    "--security-opt systempaths=unconfined --security-opt mask=/a alpine",
    "--ulimit nofile=1:2 --ulimit core=-1 --shm-size 1g alpine",
    "-m 64m --memory-swap 128m --memory-reservation 32m --memory-swappiness 0 --oom-kill-disable alpine",
    "--cpus 1.5 -c 512 --cpuset-cpus 0-1,3 --cpuset-mems 0 --pids-limit 7 alpine",
    "--cpu-quota 5000 --cpu-period 10000 --cpu-rt-runtime 5 --cpu-rt-period 10 --pids-limit -1 alpine",
    "--blkio-weight 10 --blkio-weight-device /dev/a:20 --device-read-bps /dev/a:1k alpine",
    "--device-write-bps /dev/b:1 --device-read-iops /dev/c:2 --device-write-iops /dev/d:3 alpine",
    "--hugetlb-limit 2MB:0 --cgroup-conf memory.high=1 --memory-swap -1 alpine",
    "--cgroup-parent /a/b alpine",
    "--dns 9.9.9.9 --dns ::1 --add-host a:192.0.2.1 --add-host b:[::1] alpine",
    "--device /dev/fuse --device /dev/null:/dev/n:rw alpine",
    "-v /a:/b -v /c:/d:ro,rslave -v name:/v:nocopy -v /anonymous alpine",
    "--mount type=bind,src=/a,dst=/b --mount type=bind,src=/c,dst=/d,ro,bind-recursive=disabled alpine",
    "--mount type=volume,src=vol,dst=/n,ro,volume-label=a=b --mount type=tmpfs,dst=/t,tmpfs-size=1m,ro alpine",
    "--mount type=bind,src=/a:b,dst=/c alpine",
    "--mount type=bind,src=/a,dst=/c,ro,bind-recursive=writable,U=true,bind-create-src alpine",
    "--mount type=bind,src=/a,dst=/c,ro,bind-recursive=readonly,idmap=uids=0-1-2 alpine",
    "--mount src=vol,dst=/n,volume-nocopy,volume-subpath=a/b,volume-opt=type=tmpfs,volume-opt=device=x,volume-opt=o=size=1m alpine",
    "--mount type=image,src=busybox,dst=/i --mount type=image,src=a:b,dst=/j,rw=true,image-subpath=c alpine",
    "--mount type=tmpfs,dst=/t,tmpfs-mode=1770,U -v /a:/b:O,U -v vol:/v:ro,z alpine",
    "--volumes-from db --volumes-from other:ro,z alpine",
    "-p 80 -p 8080:81 -p [::1]:8000-8010:82/udp -p 127.0.0.1::83/sctp -p 90-92:90-92 -P --expose 5-6 alpine",
    "--health-cmd ls --health-retries 2 --health-on-failure stop alpine",
    "--no-healthcheck alpine",
    "--network shop --ip 10.1.0.2 --egress-allow *.Example.org. --egress-allow 10.0.0.0/8 --egress-allow [fd00::]/8:443 alpine",
    "--tmpfs /x --tmpfs /y:exec,size=64m,mode=1777,ro alpine",
  ])("rt run %s", (line) => {
    const settings = asked(line);
    const again = parseContainerCreate(json(containerCreate("alpine", settings)));
    expect(again.image).toBe("alpine");
    expect(sorted(again.settings)).toEqual(sorted(settings));
  });

  test("each setting is in the documents: one that is changed is changed there", () => {
    const plain = JSON.stringify(containerCreate("alpine", defaultSettings()));
    const others: { [K in keyof AskedSettings]-?: AskedSettings[K] } = {
      env: ["A=b"],
      workingDirectory: "/srv",
      user: "app",
      groupAdd: ["audio"],
      egressAllow: ["example.org:443"],
      tty: true,
      consoleSize: { rows: 24, columns: 80 },
      openStdin: true,
      stopSignal: "SIGINT",
      restart: { name: "on-failure", retries: 3 },
      stopTimeout: 3,
      logDriver: "none",
      logOptions: { "max-size": "1m" },
      init: true,
      autoRemove: true,
      hostname: "box",
      labels: { a: "b" },
      annotations: { a: "b" },
      attached: ["stdin", "stderr"],
      domainname: "example.org",
      networkMode: "host",
      bandwidthUp: 8_000_000,
      bandwidthDown: 1_000_000,
      networks: [
        {
          ...plainWish("lab"),
          ...{ address: "10.5.0.7", address6: "fd00::7", mac: "02:42:0a:05:00:07", aliases: ["db"] },
          ...{ links: ["web:www"], options: { "a.b": "c" }, priority: -3 },
        },
        plainWish("back"),
      ],
      publish: [{ port: 80, protocol: "tcp", address: "127.0.0.1", first: 8080, last: 8080 }],
      expose: ["53/udp"],
      publishAll: true,
      pidMode: "host",
      ipcMode: "shareable",
      utsMode: "ns:/run/uts",
      cgroupnsMode: "host",
      usernsMode: "private",
      uidMap: ["0:100000:65536"],
      gidMap: ["0:200000:65536"],
      subuidName: "web",
      subgidName: "www",
      oomScoreAdj: -7,
      resources: { memory: 64 << 20 },
      cgroupParent: "/a/b",
      dns: ["9.9.9.9"],
      dnsSearch: ["example.org"],
      dnsOptions: ["ndots:2"],
      extraHosts: ["a:192.0.2.1"],
      privileged: true,
      readonlyRootfs: true,
      noNewPrivileges: true,
      seccomp: "unconfined",
      apparmor: "rt-web",
      landlock: "unconfined",
      labelOptions: ["type:web_t", "level:s0:c1,c2"],
      readonlyPaths: ["/a"],
      mask: ["/proc/uptime", "/sys/block"],
      unmask: ["/proc/a*"],
      deviceCgroupRules: ["c 1:3 rwm"],
      cdiDevices: ["vendor.com/class=name"],
      timeOffsets: { boottime: "-3600" },
      capAdd: ["ALL"],
      capDrop: ["CAP_KILL"],
      ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
      sysctls: { "kernel.shmmax": "1" },
      shmSize: 4096,
      healthcheck: {
        ...{ test: ["CMD", "true"], interval: 1e9, timeout: 2e9 },
        ...{ startPeriod: 3e9, startInterval: 4e9, retries: 5 },
      },
      healthOnFailure: "kill",
      shell: ["/bin/ash", "-c"],
      volumesFrom: ["db:ro"],
      command: ["ls"],
      entrypoint: ["sh"],
      mounts: asked("-v /a:/b alpine").mounts,
      devices: [{ source: "/dev/a", destination: "/dev/b", permissions: "r" }],
    };
    for (const [name, value] of Object.entries(others)) {
      // Nothing is asked of a network by what is in none.
      const mode = /^(networks|egressAllow|bandwidth.*)$/.test(name) ? { networkMode: "lab" } : {};
      const settings = askedSettings({ ...defaultSettings(), ...mode, [name]: value }, "");
      const document = containerCreate("alpine", settings);
      expect([name, JSON.stringify(document) === plain]).toEqual([name, false]);
      expect([name, parseContainerCreate(json(document)).settings]).toEqual([name, settings]);
    }
  });

  test("where only networks are said it is in those; else its mode's is the first", () => {
    const networks = (NetworkMode: string, ...names: string[]) => {
      const EndpointsConfig = Object.fromEntries(names.map((name) => [name, {}]));
      const document = { Image: "a", HostConfig: { NetworkMode }, NetworkingConfig: { EndpointsConfig } };
      const { networkMode, networks = [] } = parseContainerCreate(json(document)).settings;
      return [networkMode, ...networks.map(({ network }) => network)];
    };
    expect(networks("", "front", "back")).toEqual(["front", "front", "back"]);
    expect(networks("back", "front", "back")).toEqual(["back", "back", "front"]);
    expect(networks("lab", "front", "back")).toEqual(["lab", "lab", "front", "back"]);
    expect(networks("lab")).toEqual(["lab"]);
    expect(networks("host", "host")).toEqual(["host"]);
    for (const [mode, ...names] of [
      ["lab", "front"],
      ["host", "front"],
      ["none", "none", "front"],
      ["lab", "lab", "host"],
    ])
      expect(() => networks(mode!, ...names)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test("links of the default network are HostConfig's, as inspect has them too", () => {
    const networks = [{ ...plainWish("bridge"), links: ["db:store"] }];
    const settings = askedSettings({ ...defaultSettings(), networkMode: "bridge", networks }, "");
    const document = containerCreate("alpine", settings);
    expect([document.HostConfig.Links, document.NetworkingConfig.EndpointsConfig]).toEqual([
      ["db:store"],
      {},
    ]);
    expect(parseContainerCreate(json(document)).settings).toEqual(settings);
    const inspected = { ...document, HostConfig: { ...document.HostConfig, Links: ["/db:/web/store"] } };
    expect(parseContainerCreate(json(inspected)).settings).toEqual(settings);
    for (const [NetworkMode, Links] of [
      ["host", ["db"]],
      ["none", ["db"]],
      ["container:x", ["db"]],
      ["bridge", ["a:b:c"]],
      ["bridge", [":"]],
    ])
      expect(() => parseContainerCreate({ Image: "a", HostConfig: { NetworkMode, Links } })).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
  });

  test("what inspect says of a container makes another like it", () => {
    const facts = {
      id: "c".repeat(64),
      name: "web",
      created: "2025-01-02T03:04:05Z",
      imageId: `sha256:${"1".repeat(64)}`,
      reference: "alpine",
      state: { status: "created", pid: 0, exitCode: 0, error: "", startedAt: "", finishedAt: "" },
    };
    const {
      command,
      entrypoint = [],
      ...rest
    } = asked(
      "-it --entrypoint env --cap-add ALL -v /a:/b:ro --tmpfs /t:size=1m --ulimit core=0 -l a=b -w /srv alpine ls",
    );
    const settings = {
      ...rest,
      args: [...entrypoint, ...command],
      entrypointLength: entrypoint.length,
      mounts: rest.mounts.map(({ createSource: _, labels: __, ...mount }) => mount),
      devices: [],
    };
    const document = containerInspect(facts, {
      settings,
      driver: "overlay",
      platform: "linux/amd64",
      filesDirectory: "/run/rt/c",
      logPath: "",
      rootfs: { type: "bind", source: "/r" },
      endpoints: [],
    });
    if (!("HostConfig" in document)) throw new Error("no document");
    const again = parseContainerCreate(json({ ...document.Config, HostConfig: document.HostConfig }));
    expect(sorted(again.settings)).toEqual(sorted({ ...rest, command, entrypoint }));
  });
});

test("what Docker's client sends where nothing is asked for", () => {
  const zero = {
    Hostname: "",
    Domainname: "",
    User: "",
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: null,
    Cmd: null,
    Image: "alpine",
    Volumes: {},
    WorkingDir: "",
    Entrypoint: null,
    OnBuild: null,
    Labels: {},
    HostConfig: {
      Binds: null,
      ContainerIDFile: "/tmp/id",
      LogConfig: { Type: "", Config: {} },
      NetworkMode: "default",
      PortBindings: {},
      RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
      AutoRemove: false,
      VolumeDriver: "",
      VolumesFrom: null,
      ConsoleSize: [24, 80],
      CapAdd: null,
      CgroupnsMode: "",
      Dns: [],
      ExtraHosts: null,
      GroupAdd: null,
      IpcMode: "",
      OomScoreAdj: 0,
      PidMode: "",
      Privileged: false,
      SecurityOpt: null,
      UTSMode: "",
      UsernsMode: "",
      ShmSize: 0,
      Isolation: "",
      CpuShares: 0,
      Memory: 0,
      BlkioDeviceReadBps: [],
      Devices: [],
      MemorySwappiness: -1,
      OomKillDisable: null,
      PidsLimit: 0,
      Ulimits: null,
      MaskedPaths: null,
      ReadonlyPaths: null,
    },
    NetworkingConfig: { EndpointsConfig: { default: { IPAMConfig: null, Links: null, MacAddress: "" } } },
  };
  const consoleSize = { rows: 24, columns: 80 };
  expect(parseContainerCreate(zero)).toEqual({
    image: "alpine",
    settings: { ...defaultSettings(), consoleSize },
  });
  expect(parseContainerCreate({ Image: "alpine" })).toEqual({ image: "alpine", settings: defaultSettings() });
  expect(parsed({ HostConfig: null })).toEqual(defaultSettings());
});

test("without a network, whatever the mode is", () => {
  for (const NetworkMode of ["", "default", "bridge", "none"])
    expect(parsed({ NetworkDisabled: true, HostConfig: { NetworkMode } }).networkMode).toBe("none");
});

test("null is nothing at every depth, as clients of Java send what nobody has set", () => {
  expect(parsed({ Healthcheck: null, StopTimeout: null })).toEqual(defaultSettings());
  expect(parsed({ NetworkingConfig: { EndpointsConfig: { bridge: null } } })).toEqual(defaultSettings());
  expect(parsed({ Labels: { a: null } }).labels).toEqual({ a: "" });
  const ulimits = [{ Name: "core", Soft: null }];
  expect(parsed({ HostConfig: { Ulimits: ulimits } }).ulimits).toEqual([{ name: "core", soft: 0, hard: 0 }]);
});

describe("as Docker's client says it", () => {
  test("anonymous volumes, which give way to what is mounted there", () => {
    const { mounts } = parsed({ Volumes: { "/a": {}, "/b/": {} }, HostConfig: { Binds: ["/x:/a"] } });
    expect(mounts.map(({ type, source, destination }) => [type, source, destination])).toEqual([
      ["bind", "/x", "/a"],
      ["volume", "", "/b"],
    ]);
  });

  test("capabilities without CAP_, devices without a mode, security options with a colon", () => {
    expect(host({ CapAdd: ["net_admin"] }).capAdd).toEqual(["CAP_NET_ADMIN"]);
    const [device] = host({ Devices: [{ PathOnHost: "/dev/a" }] }).devices;
    expect(device).toEqual({ source: "/dev/a", destination: "/dev/a", permissions: "rwm" });
    expect(host({ SecurityOpt: ["no-new-privileges:true", "label=disable"] }).noNewPrivileges).toBe(true);
  });

  test("lists of what is hidden: null is the usual, an empty one is none, another one is just that", () => {
    expect(host({ MaskedPaths: null }).unmask).toEqual([]);
    expect(host({ MaskedPaths: [], ReadonlyPaths: [] }).unmask).toEqual(["ALL"]);
    const some = host({ MaskedPaths: ["/proc/kcore", "/a"], ReadonlyPaths: ["/b", ...readonlyPaths] });
    expect(some).toMatchObject({ mask: ["/a"], readonlyPaths: ["/b"] });
    expect(systemPaths(some)).toEqual({
      masked: ["/proc/kcore", "/a"],
      readonly: [...readonlyPaths, "/b"],
    });
    expect(systemPaths(host({ ReadonlyPaths: [] }))).toEqual({ masked: [...maskedPaths], readonly: [] });
    expect(() => host({ MaskedPaths: ["a"] })).toThrow("HostConfig.MaskedPaths");
    expect(() => host({ ReadonlyPaths: ["/"] })).toThrow("HostConfig.ReadonlyPaths");
  });

  test("a tmpfs with options of its own", () => {
    const TmpfsOptions = { SizeBytes: 65536, Mode: 0o700, Options: [["exec"], ["uid", "5"]] };
    const [mount] = host({ Mounts: [{ Type: "tmpfs", Target: "/t", ReadOnly: true, TmpfsOptions }] }).mounts;
    expect(mount).toMatchObject({
      readonly: true,
      options: ["exec", "nosuid", "nodev", "size=65536", "mode=700", "uid=5"],
    });
  });
});

test.each<[object, object]>([
  [{ FromTheFuture: "x" }, {}],
  [{ HostConfig: { FromTheFuture: { a: 1 }, KernelMemory: 4096, Runtime: "runc" } }, {}],
  [{ HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "8080", Later: true }] } } }, { HostPort: "8080" }],
  [
    {
      NetworkingConfig: {
        Later: 1,
        EndpointsConfig: { bridge: { NetworkID: "a", IPAddress: "172.17.0.2" } },
      },
    },
    {},
  ],
])("what neither Docker nor rt knows of is ignored: %j", (body, { HostPort }: { HostPort?: string }) => {
  const PortBindings = HostPort === undefined ? {} : { "80/tcp": [{ HostPort }] };
  expect(parsed(body)).toEqual(parsed({ HostConfig: { PortBindings } }));
});

describe("what rt does not have is refused, not forgotten", () => {
  test.each<[object, string]>([
    [{ LogConfig: { Type: "fluentd" } }, "HostConfig.LogConfig"],
    [{ Runtime: "runsc" }, "HostConfig.Runtime"],
    [{ Isolation: "hyperv" }, "HostConfig.Isolation"],
    [{ VolumeDriver: "nfs" }, "HostConfig.VolumeDriver"],
    [{ Capabilities: ["CAP_CHOWN"] }, "HostConfig.Capabilities"],
    [{ Mounts: [{ Type: "cluster", Target: "/a" }] }, 'Type "cluster"'],
    [{ Mounts: [{ Type: "volume", Target: "/a", ClusterOptions: { Later: true } }] }, "ClusterOptions"],
    [{ StorageOpt: { size: "10G" } }, "HostConfig.StorageOpt"],
  ])("HostConfig %j", (config, why) => {
    expect(() => host(config)).toThrow(expect.objectContaining({ code: "unsupported" }));
    expect(() => host(config)).toThrow(why);
  });

  test.each<[object, string]>([
    [{ OnBuild: ["RUN true"] }, "OnBuild"],
    [
      {
        HostConfig: { NetworkMode: "front" },
        NetworkingConfig: { EndpointsConfig: { front: { IPAMConfig: { LinkLocalIPs: ["169.254.1.1"] } } } },
      },
      "IPAMConfig.LinkLocalIPs",
    ],
    [
      {
        HostConfig: { NetworkMode: "front" },
        NetworkingConfig: {
          EndpointsConfig: { front: { DriverOpts: { "com.docker.network.endpoint.sysctls": "x" } } },
        },
      },
      "DriverOpts",
    ],
  ])("%j", (config, why) => {
    expect(() => parsed(config)).toThrow(expect.objectContaining({ code: "unsupported" }));
    expect(() => parsed(config)).toThrow(why);
  });
});

describe("what cannot be is refused", () => {
  test.each<[unknown, string]>([
    [null, "invalid container: record is not a map"],
    [[], "invalid container: record is not a map"],
    [{}, "Image is not text"],
    [{ Image: "" }, "Image is empty"],
    [{ Image: "a\nb" }, "control character"],
    [{ Image: "a", Cmd: "ls" }, "Cmd is not a list"],
    [{ Image: "a", Cmd: ["a\0"] }, "invalid Cmd"],
    [{ Image: "a", Entrypoint: ["a\0"] }, "invalid Entrypoint"],
    [{ Image: "a", Env: ["A\nB=1"] }, "its name has a newline"],
    [{ Image: "a", Env: ["=1"] }, "empty name"],
    [{ Image: "a", Hostname: "a\nb" }, "invalid Hostname"],
    [{ Image: "a", User: "a:b:c" }, "invalid User"],
    [{ Image: "a", WorkingDir: "srv" }, "invalid WorkingDir"],
    [{ Image: "a", StopSignal: "SIGNOT" }, "SIGNOT"],
    [{ Image: "a", Labels: { "a=b": "c" } }, "invalid Labels"],
    [{ Image: "a", Labels: { a: "\x1b[2J" } }, "control character"],
    [{ Image: "a", Labels: { a: 1 } }, "Labels.a is not text"],
    [{ Image: "a", Volumes: { "../x": {} } }, "must be an absolute path"],
    [{ Image: "a", Volumes: { "/x": {}, "/x/": {} } }, "two mounts at"],
    [{ Image: "a", HostConfig: [] }, "HostConfig is not a map"],
    [{ Image: "a", HostConfig: { TimeOffsets: { tai: "1" } } }, 'invalid HostConfig.TimeOffsets "tai=1"'],
  ])("%j", (document, why) => {
    expect(() => parseContainerCreate(document)).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
    expect(() => parseContainerCreate(document)).toThrow(why);
  });

  test.each<[object, string]>([
    [{ Memory: 1 }, "HostConfig.Memory 1: Minimum memory limit allowed is 6MB"],
    [{ Memory: -1 }, "HostConfig.Memory -1: value must be a positive integer"],
    [{ Memory: 1.5 }, "HostConfig.Memory is not an integer"],
    [{ Memory: "64m" }, "HostConfig.Memory is not an integer"],
    [{ Memory: 64 << 20, MemorySwap: 32 << 20 }, "HostConfig.MemorySwap 33554432: Minimum memoryswap"],
    [{ MemorySwappiness: 101 }, "HostConfig.MemorySwappiness 101"],
    [{ MemorySwappiness: -2 }, "HostConfig.MemorySwappiness -2"],
    [{ NanoCpus: 1e9, CpuQuota: 5000 }, "HostConfig.NanoCpus 1: Conflicting options"],
    [{ CpusetCpus: "0-" }, 'HostConfig.CpusetCpus "0-"'],
    [{ CpusetCpus: 0.5 }, "HostConfig.CpusetCpus is not text"],
    [{ BlkioWeightDevice: [{ Path: "/dev/a", Weight: 9 }] }, "invalid weight for device"],
    [{ BlkioDeviceReadBps: [{ Path: "/etc/passwd", Rate: 1 }] }, "bad format for device path"],
    [{ BlkioDeviceReadBps: [{ Path: "/dev/a", Rate: -1 }] }, "BlkioDeviceReadBps[0].Rate is not a natural"],
    [{ CgroupConf: { "cgroup.procs": "1" } }, "cgroup.procs is the engine's own"],
    [{ CgroupParent: "/a/../b" }, "invalid HostConfig.CgroupParent"],
    [{ CapAdd: ["FLY"] }, "no capability has that name"],
    [{ Binds: ["a/b:/c"] }, "not a volume's name"],
    [{ Binds: ["./a:/c"] }, "is not an absolute path"],
    [{ Binds: ["/a:/"] }, 'cannot be "/"'],
    [{ Binds: ["/a:/b"], Tmpfs: { "/b": "" } }, "two mounts at"],
    [{ Binds: ["/a:/b", "/c:/b/"] }, "two mounts at"],
    [{ Tmpfs: { "/t": "size=many" } }, "bad tmpfs option"],
    [{ Mounts: [{ Type: "bind", Source: "a", Target: "/b" }] }, "is not an absolute path"],
    [{ Mounts: [{ Type: "image", Target: "/b" }] }, "has a source"],
    [{ Mounts: [{ Type: "bind", Source: "/etc", Target: "/b", RtOptions: { Chown: true } }] }, "not allowed"],
    [{ Mounts: [{ Type: "bind", Source: "/a", Target: "/b", RtOptions: { IdMap: "x" } }] }, "bad idmap"],
    [
      { Mounts: [{ Type: "volume", Target: "/a", VolumeOptions: { DriverConfig: { Name: "x" } } }] },
      'plugin "x" not found',
    ],
    [{ Mounts: [{ Type: "volume", Target: "/a", VolumeOptions: { Subpath: "../x" } }] }, "relative path"],
    [{ Mounts: [{ Type: "volume", Source: "../x", Target: "/b" }] }, "is no volume's name"],
    [
      { Mounts: [{ Type: "bind", Source: "/a", Target: "/b", BindOptions: { Propagation: "x" } }] },
      "no propagation",
    ],
    [{ Dns: ["9.9.9.9\nsearch evil"] }, "not an IP address"],
    [{ ExtraHosts: ["a:1.2.3.4\n6.6.6.6 b"] }, "control character"],
    [{ Devices: [{ PathOnHost: "/dev/a:/b", PathInContainer: "/c" }] }, "invalid HostConfig.Devices"],
    [{ Ulimits: [{ Name: "nofile", Soft: 2, Hard: 1 }] }, "above the hard one"],
    [{ Sysctls: { "kernel.panic": "1" } }, "is the host's"],
    [{ NetworkMode: "container:" }, "invalid container format"],
    [{ PidMode: "container:a\nb" }, "control character"],
    [{ IpcMode: "ns:run/ipc" }, "an absolute path"],
    [{ UTSMode: "shareable" }, "invalid HostConfig.UTSMode"],
    [{ CgroupnsMode: "none" }, "invalid HostConfig.CgroupnsMode"],
    [{ OomScoreAdj: 1001 }, "[-1000, 1000]"],
    [{ Sysctls: { "net.core.a=b": "1" } }, 'the name has a "="'],
    [{ ShmSize: -1 }, "HostConfig.ShmSize is not a natural number"],
    [{ GroupAdd: ["a\0"] }, "control character"],
  ])("HostConfig %j", (config, why) => {
    expect(() => host(config)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    expect(() => host(config)).toThrow(why);
  });
});

test("whatever stands in a field, it is read or refused in one line", () => {
  const values = [
    null,
    0,
    -1,
    1e300,
    "",
    "x",
    "\0",
    "a\nb",
    true,
    [],
    [1],
    ["x"],
    [null],
    {},
    { a: 1 },
    { a: "b" },
    [{}],
  ];
  const whole = containerCreate("alpine", asked("-v /a:/b --tmpfs /t --mount src=vol,dst=/v alpine"));
  for (const key of [...Object.keys(whole), "Unknown"]) {
    for (const value of values) refusedOrRead({ ...whole, [key]: value });
  }
  for (const key of [...Object.keys(whole.HostConfig), "Unknown"]) {
    for (const value of values)
      refusedOrRead({ ...whole, HostConfig: { ...whole.HostConfig, [key]: value } });
  }
  for (const key of ["Type", "Source", "Target", "BindOptions", "VolumeOptions", "TmpfsOptions", "Other"]) {
    for (const value of values) mounted({ Type: "volume", Target: "/x", [key]: value });
  }
  function mounted(mount: object) {
    refusedOrRead({ ...whole, HostConfig: { ...whole.HostConfig, Mounts: [mount] } });
  }
});

function refusedOrRead(document: object): void {
  try {
    askedSettings(parseContainerCreate(json(document)).settings, "");
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    expect(["invalid-argument", "unsupported"]).toContain(error.code);
    expect(error.message).not.toContain("\n");
  }
}
