import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { endpointOf } from "../../../src/daemon/endpoints.ts";
import { type Policy, policyOf } from "../../../src/daemon/policy.ts";
import { rows } from "../../../src/daemon/table.ts";
import { parseContainerCreate } from "../../../src/docker/container-create.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { fakeEngine } from "../../support/fake-engine.ts";
import { testSession } from "../../support/session.ts";

const directory = mkdtempSync(join(tmpdir(), "rt-policy-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function policy(text: string): Promise<Policy> {
  const file = join(directory, "policy.toml");
  writeFileSync(file, text);
  return (await policyOf({ file }))!;
}

const ci = `
allow = ["read", "change"]
label = "ci=1"
networks = ["ci-*"]
capabilities = ["NET_ADMIN"]
[images]
create = ["alpine", "ghcr.io/us/**"]
pull = ["alpine:3"]
push = ["ghcr.io/us/app:1"]
tag = ["ghcr.io/us/*"]
[mounts]
read = ["/srv/cache"]
write = ["/srv/work"]
volumes = ["ci-*"]
`;

const own = "a".repeat(64);
const foreign = "f".repeat(64);

/** Two containers, "mine" and "other"; one image that is the allowed one, and one that is not. */
async function guarded(text = ci) {
  const container = (Id: string, Labels: object) => ({ Id, Config: { Labels } });
  const missing = (name: string) => new RtError("not-found", `No such container: ${name}`);
  const fake = fakeEngine({
    container: {
      inspect: (async (name: string) => {
        if ([own, "mine", "aaa"].includes(name)) return container(own, { ci: "1" });
        if ([foreign, "other", "fff"].includes(name)) return container(foreign, { ci: "2" });
        if (name === "a or f") throw new RtError("invalid-argument", "multiple IDs found");
        throw missing(name);
      }) as unknown as Engine["container"]["inspect"],
      create: async () => own,
      start: async () => 0,
      list: async () => [],
      copyTo: async () => 0,
      commit: async () => "sha256:1",
    },
    exec: {
      inspect: (async (id: string) => ({
        ContainerID: id === "e1" ? own : foreign,
      })) as unknown as Engine["exec"]["inspect"],
    },
    image: {
      inspect: (async (name: string) => {
        const tags: Record<string, string[]> = {
          alpine: ["alpine:latest"],
          deadbeef: ["private:1"],
          "ghcr.io/us/app": ["ghcr.io/us/app:latest", "ghcr.io/us/app:1"],
          "sha256:1": ["alpine:latest", "private:2"],
        };
        if (!tags[name]) throw new RtError("not-found", "no such image");
        return { Id: "sha256:1", RepoTags: tags[name], RepoDigests: [] };
      }) as unknown as Engine["image"]["inspect"],
      list: (async () => [
        { tags: [{ name: "ghcr.io/us/app:latest" }, { name: "ghcr.io/us/app:1" }] },
      ]) as unknown as Engine["image"]["list"],
      save: async () => undefined,
      pull: (async () => ({})) as unknown as Engine["image"]["pull"],
      tag: async () => undefined,
      remove: async () => [],
    },
    network: {
      inspect: (async (name: string) => ({
        Name: name === "1234" ? "secret" : name,
        Id: name,
        Containers: { [own]: {}, [foreign]: {} },
      })) as unknown as Engine["network"]["inspect"],
    },
    volume: { create: (async () => ({})) as unknown as Engine["volume"]["create"] },
    system: {
      events: (async () =>
        (async function* () {
          yield { Type: "container", Actor: { ID: foreign, Attributes: { ci: "2" } } };
          yield { Type: "network", Actor: { ID: "n", Attributes: { ci: "1", container: foreign } } };
          yield { Type: "container", Actor: { ID: own, Attributes: { ci: "1" } } };
        })()) as unknown as Engine["system"]["events"],
    },
  });
  const engine = (await policy(text)).guard(await fake.open(testSession(), {}));
  return { engine, asked: fake.asked };
}

const pull = { policy: "never", platform: undefined, listener: undefined } as const;

async function create(host: object, config: object = {}) {
  const { engine, asked } = await guarded();
  const { image, settings } = parseContainerCreate({ Image: "alpine", ...config, HostConfig: host });
  await engine.container.create({ image, settings, name: undefined, pull });
  return asked.findLast(([verb]) => verb === "container.create")![1] as {
    settings: typeof settings;
    pull: unknown;
  };
}

test("each row of the table has its class", () => {
  expect(rows.filter((row) => !endpointOf(row)).map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  expect(endpointOf({ method: "GET", path: "/containers/{id}/secrets" })).toBeUndefined();
});

test("a row without a class, and one of the daemon's own, are refused on a socket with a policy", async () => {
  const everything = await policy('allow = ["read", "data", "change", "registry"]\ncontainers = "all"');
  everything.checkEndpoint({ method: "GET", path: "/containers/json" });
  everything.checkEndpoint({ method: "GET", path: "/plugins/{name*}/json" });
  expect(() => everything.checkEndpoint({ method: "POST", path: "/swarm/init" })).toThrow(
    "does not allow it",
  );
  for (const path of ["/something/new", "/rt/jobs"])
    expect(() => everything.checkEndpoint({ method: "GET", path })).toThrow(
      /^not allowed on this socket: GET /,
    );
});

test("allow=read lets documents through, and neither data nor changes", async () => {
  const read = (await policyOf({ allow: "read" }))!;
  for (const path of ["/_ping", "/containers/json", "/containers/{name}/json", "/events", "/images/json"])
    read.checkEndpoint({ method: "GET", path });
  for (const [method, path] of [
    ["GET", "/containers/{name}/logs"],
    ["GET", "/containers/{name}/archive"],
    ["GET", "/containers/{name}/export"],
    ["GET", "/containers/{name}/attach/ws"],
    ["GET", "/images/{name*}/get"],
    ["GET", "/images/search"],
    ["GET", "/distribution/{name*}/json"],
    ["POST", "/containers/create"],
    ["PUT", "/containers/{name}/archive"],
    ["POST", "/auth"],
  ] as const)
    expect(() => read.checkEndpoint({ method, path })).toThrow("allow=read does not allow it");
});

test.each([
  ["a word that is none", 'allow = ["reed"]\ncontainers = "all"', /allow has "reed"/],
  ["a key that is mistyped", 'alow = []\ncontainers = "all"', /unknown key "alow"/],
  ["neither a label nor that all are meant", 'allow = ["read"]', /want label =/],
  ["a label that events have of every container", 'label = "name=x"', /label cannot be name/],
  ["the root to be mounted", 'containers = "all"\n[mounts]\nwrite = ["/srv/.."]', /mounts.write has/],
  ["all capabilities", 'containers = "all"\ncapabilities = ["ALL"]', /capabilities has "ALL"/],
])("a policy with %s is refused", async (_, text, message) => {
  await expect(policy(text)).rejects.toThrow(message);
});

test("a policy's file that is not there lets nobody in", async () => {
  await expect(policyOf({ file: join(directory, "none") })).rejects.toThrow("there is no policy file");
});

test.each([
  ["Privileged", { Privileged: true }],
  ["CapAdd", { CapAdd: ["SYS_ADMIN"] }],
  ["CapAdd of all", { CapAdd: ["ALL"] }],
  [
    "Devices",
    { Devices: [{ PathOnHost: "/dev/sda", PathInContainer: "/dev/sda", CgroupPermissions: "rwm" }] },
  ],
  ["DeviceCgroupRules", { DeviceCgroupRules: ["a *:* rwm"] }],
  ["DeviceRequests", { DeviceRequests: [{ Driver: "cdi", DeviceIDs: ["vendor.com/class=x"] }] }],
  ["no filter", { SecurityOpt: ["seccomp=unconfined"] }],
  ["a filter of its own", { SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] }],
  ["no apparmor", { SecurityOpt: ["apparmor=unconfined"] }],
  ["no label", { SecurityOpt: ["label=disable"] }],
  ["no landlock", { SecurityOpt: ["landlock=unconfined"] }],
  ["unhidden paths", { SecurityOpt: ["systempaths=unconfined"] }],
  ["unhidden paths by lists", { MaskedPaths: [], ReadonlyPaths: [] }],
  ["writable cgroups", { SecurityOpt: ["writable-cgroups=true"] }],
  ["host pid", { PidMode: "host" }],
  ["host ipc", { IpcMode: "host" }],
  ["host network", { NetworkMode: "host" }],
  ["host uts", { UTSMode: "host" }],
  ["host userns", { UsernsMode: "host" }],
  ["keep-id", { UsernsMode: "keep-id" }],
  ["maps", { UsernsMode: "private", IDMappings: { UidMap: ["0:0:1000"], GidMap: ["0:0:1000"] } }],
  ["host cgroup namespace", { CgroupnsMode: "host" }],
  ["a namespace by its path", { NetworkMode: "ns:/proc/1/ns/net" }],
  ["a namespace of a process", { PidMode: "ns:/proc/1/ns/pid" }],
  ["a stack that reaches the host", { NetworkMode: "slirp4netns:allow_host_loopback=true" }],
  ["a stack without options, too", { NetworkMode: "pasta" }],
  ["a network that is not its own", { NetworkMode: "secret" }],
  ["one by its id", { NetworkMode: "1234" }],
  ["a port of the host's own", { PortBindings: { "80/tcp": [{ HostPort: "443" }] } }],
  ["CgroupParent", { CgroupParent: "/system.slice" }],
  ["Sysctls", { Sysctls: { "net.ipv4.ip_forward": "1" } }],
  ["OomScoreAdj", { OomScoreAdj: -1000 }],
  ["annotations, which hooks look at", { Annotations: { a: "b" } }],
  ["a log somewhere else", { LogConfig: { Type: "syslog", Config: { "syslog-address": "unix:///run/x" } } }],
  ["a bind mount", { Binds: ["/:/host"] }],
  ["a bind mount by ..", { Binds: ["/srv/work/../../etc:/x"] }],
  ["a name that only begins like a directory", { Binds: ["/srv/workshop:/x"] }],
  ["one to be written", { Binds: ["/srv/cache:/x"] }],
  ["one by --mount", { Mounts: [{ Type: "bind", Source: "/etc", Target: "/x" }] }],
  ["one that propagates", { Binds: ["/srv/work:/x:rshared"] }],
  ["a volume", { Binds: ["database:/x"] }],
  [
    "a volume whose device is a directory",
    {
      Mounts: [
        {
          Type: "volume",
          Source: "ci-x",
          Target: "/x",
          VolumeOptions: {
            DriverConfig: { Name: "local", Options: { type: "none", o: "bind", device: "/" } },
          },
        },
      ],
    },
  ],
  [
    "owners that change",
    { Mounts: [{ Type: "bind", Source: "/srv/work", Target: "/x", RtOptions: { Chown: true } }] },
  ],
  ["owners as its user namespace has them", { Binds: ["/srv/work:/x:idmap"] }],
  ["an image to be mounted", { Mounts: [{ Type: "image", Source: "deadbeef", Target: "/x" }] }],
])("a container with %s is refused", async (_, host) => {
  await expect(create(host)).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringMatching(/^not allowed on this socket: /),
  });
});

test.each([
  ["its mounts", { VolumesFrom: ["other"] }],
  ["its pid namespace", { PidMode: "container:other" }],
  ["its network", { NetworkMode: `container:${foreign}` }],
  ["its ipc", { IpcMode: "container:fff" }],
  ["its user namespace", { UsernsMode: "container:other" }],
  ["a link to it", { Links: ["other:db"] }],
  ["one that is none", { PidMode: "container:nobody" }],
])("of another's container a new one cannot have %s", async (_, host) => {
  await expect(create(host)).rejects.toMatchObject({
    code: "not-found",
    message: expect.stringMatching(/^No such container: /),
  });
});

test("what is beneath a directory of the policy's is a part of that, at each start", async () => {
  const { settings } = await create({
    Binds: ["/srv/work/a/b:/w", "/srv/cache/x:/c:ro", "/srv/work:/all"],
    Mounts: [{ Type: "volume", Source: "ci-data", Target: "/v" }],
    NetworkMode: "ci-net",
    CapAdd: ["NET_ADMIN"],
    VolumesFrom: ["mine:ro"],
    PidMode: "container:aaa",
  });
  const [work, cache, all] = settings.mounts;
  expect(work).toMatchObject({ source: "/srv/work", subpath: "a/b", createSource: false });
  expect(cache).toMatchObject({ source: "/srv/cache", subpath: "x", readonly: true });
  expect(all).toMatchObject({ source: "/srv/work" });
  expect(all).not.toHaveProperty("subpath");
  expect(settings.volumesFrom).toEqual([`${own}:ro`]);
  expect(settings.pidMode).toBe(`container:${own}`);
});

test("a new container has the label, whatever it says itself, and is not fetched for", async () => {
  const { settings } = await create({}, { Labels: { ci: "2", x: "y" } });
  expect(settings.labels).toEqual({ ci: "1", x: "y" });
  const { engine, asked } = await guarded();
  const plain = parseContainerCreate({ Image: "alpine:9" });
  const missing = { ...pull, policy: "missing" } as const;
  await engine.container.create({ ...plain, name: undefined, pull: missing });
  expect(asked.at(-1)![1]).toMatchObject({ pull: { policy: "never" } });
});

test.each([
  "private",
  "deadbeef",
  "ssh://host/alpine",
  "oci:/etc",
  "docker-archive:/etc/shadow",
  "embed:hello",
])("no container of the image %s", async (image) => {
  await expect(create({}, { Image: image })).rejects.toMatchObject({ code: "forbidden" });
});

test("another's container is not there, by whatever name; one's own is meant by its id", async () => {
  const { engine, asked } = await guarded();
  for (const name of ["other", foreign, "fff", "nobody", "a or f"])
    await expect(
      engine.container.start(name, { attach: false, stdin: false, sigProxy: false }),
    ).rejects.toThrow(`No such container: ${name}`);
  await engine.container.start("mine", { attach: false, stdin: false, sigProxy: false });
  expect(asked.at(-1)!.slice(0, 2)).toEqual(["container.start", own]);
  await expect(engine.exec.inspect("e2")).rejects.toThrow("No such exec instance: e2");
  expect(await engine.exec.inspect("e1")).toMatchObject({ ContainerID: own });
});

test("lists, events and networks show one's own alone", async () => {
  const { engine, asked } = await guarded();
  await engine.container.list({ all: true, filters: { label: ["x"], name: ["y"] } });
  expect(asked.at(-1)![1]).toMatchObject({ filters: { label: ["x", "ci=1"], name: ["y"] } });
  await engine.container.list({ all: true, filters: { before: ["mine"] } });
  expect(asked.at(-1)![1]).toMatchObject({ filters: { before: [own] } });
  for (const filters of [{ before: ["other"] }, { since: ["fff"] }, { since: ["nobody"] }])
    await expect(engine.container.list({ all: true, filters })).rejects.toThrow("No such container: ");
  const events = await Array.fromAsync(await engine.system.events({ filters: {} }));
  expect(events.map(({ Actor }) => Actor.ID)).toEqual([own]);
  expect((await engine.network.inspect("ci-net")).Containers).toEqual({});
  await expect(engine.network.inspect("1234")).rejects.toThrow("network 1234 not found");
});

test("what is not said to be let through is refused", async () => {
  const { engine } = await guarded();
  const forbidden = { code: "forbidden" };
  const { container, image, registry, system, volume, network, manifest } = engine;
  const device = { name: "ci-x", driver: "", labels: {}, options: { type: "none", o: "bind", device: "/" } };
  const addresses = { subnets: [], gateways: [], ranges: [] };
  const bridge = { name: "ci-x", driver: "", options: {}, ...addresses };
  for (const attempt of [
    () => container.exec({ container: "mine", privileged: true } as never),
    () => container.copyTo("mine", "/", { from: "/etc/shadow", followLink: false }),
    () => container.copyFrom("mine", "/", { to: "/root/x", archive: false, followLink: false }),
    () => container.export("mine", 3),
    () => container.update("mine", { deviceRules: ["a *:* rwm"] }),
    () => container.update("mine", { resources: { cgroupConf: { "memory.high": "1" } } }),
    () =>
      container.commit("mine", { reference: "alpine", author: "", comment: "", changes: [], pause: true }),
    () => container.conclude(own),
    () => image.pull("debian", {}),
    () => image.pull("oci:/etc", {}),
    () => image.load({ onLoaded: () => {} }),
    () => image.import({ source: "http://169.254.169.254/", changes: [], message: "" }),
    () => image.tag("deadbeef", ["ghcr.io/us/app:1"]),
    () => image.tag("alpine", ["alpine:3"]),
    () => image.remove("alpine", {}),
    () => image.prune({ filters: {} }),
    () => image.push("alpine", {}),
    () => image.save(["deadbeef"], { format: "docker-archive" } as never),
    () => volume.create(device),
    () => volume.create({ ...device, name: "database", options: {} }),
    () => volume.prune({ filters: {} }),
    () => image.save(["ghcr.io/us/app"], { format: "docker-archive" } as never),
    () => network.create({ ...bridge, driver: "macvlan", options: { parent: "eth0" } } as never),
    () => network.create({ ...bridge, name: "mine" } as never),
    () => network.create({ ...bridge, subnets: ["192.0.2.0/24"] } as never),
    () => network.create({ ...bridge, gateways: ["192.0.2.1"] } as never),
    () => network.prune({ filters: {} }),
    () => registry.login({}),
    () => registry.serve({} as never),
    () => system.unshare([]),
    () => system.down({} as never),
    () => manifest.remove("x"),
    () => (container as unknown as Record<string, () => Promise<void>>).somethingNew!(),
  ])
    await expect(attempt() as Promise<unknown>).rejects.toMatchObject(forbidden);
});
