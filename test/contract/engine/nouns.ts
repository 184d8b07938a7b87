/** Images, volumes, networks, the system. */
import { expect } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import type { Filters } from "../../../src/docker/filters.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { testSession } from "../../support/session.ts";
import { archive as tarOf } from "../../support/tar.ts";
import { until } from "../../support/wait.ts";
import {
  type EngineUnderTest,
  execOptions,
  failure,
  image,
  options,
  said,
  type Test,
  talking,
  waiting,
} from "./callers.ts";

export function nouns(make: () => Promise<EngineUnderTest>, test: Test): void {
  test("disk usage, and pruned images", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await engine.container.run(options("--name", "over", image, "args"));
    const { images, containers, volumes, layersSize } = await engine.system.diskUsage();
    expect(images).toMatchObject([{ containers: 1, sharedSize: 0, size: layersSize }]);
    expect(await engine.system.diskUsage()).toMatchObject({
      layersReclaimable: 0,
      leftovers: { count: 0, active: 0, size: 0, reclaimable: 0 },
    });
    expect(containers).toMatchObject([{ name: "over", size: { writable: expect.any(Number) } }]);
    expect(volumes).toEqual([]);
    const all = { filters: { dangling: ["false"] } };
    expect(await engine.image.prune(all)).toEqual({ ImagesDeleted: [], SpaceReclaimed: 0 });
    await engine.container.remove("over", { force: false, volumes: false });
    const pruned = await engine.image.prune(all);
    // All that there was: blobs, and layers.
    expect(pruned.SpaceReclaimed).toBe(layersSize);
    expect(await engine.system.diskUsage()).toMatchObject({ layersSize: 0, images: [] });
    expect(pruned.ImagesDeleted).toContainEqual({ Deleted: images[0]!.id });
    const wrong = engine.image.prune({ filters: { nosuch: ["x"] } });
    expect((await failure(wrong)).code).toBe("invalid-argument");
  });

  test("stats: one look, or looks until the caller goes", async () => {
    await using under = await make();
    const gone = new AbortController();
    const session = { ...testSession(), abort: gone.signal };
    using engine = await under.open(session);
    await using _ = await waiting(engine, "busy");
    const once = await Array.fromAsync(
      await engine.container.stats({ names: ["busy"], all: false, stream: false }),
    );
    expect(once).toMatchObject([[{ name: "/busy", pids_stats: { current: 1 } }]]);
    const looks: string[] = [];
    const stream = async () => {
      for await (const found of await engine.container.stats({ names: [], all: false, stream: true })) {
        looks.push(...found.map(({ read }) => read));
        if (looks.length === 2) gone.abort(new RtError("cancelled", "enough"));
      }
    };
    expect((await failure(stream())).code).toBe("cancelled");
    expect(new Set(looks).size).toBe(2);
    const none = engine.container.stats({ names: ["nosuch"], all: false, stream: false });
    expect((await failure(none)).code).toBe("not-found");
  });

  test("names of an image, how it was made, and for which platform", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await engine.image.pull(image, {});
    const { Id, Architecture } = await engine.image.inspect(image);
    await engine.image.tag(image, ["team/a", "team/b:2"]);
    const names = async () => (await engine.image.inspect(Id)).RepoTags.toSorted();
    expect(await names()).toEqual([image, "team/a:latest", "team/b:2"].toSorted());
    await engine.image.remove("team/b:2", {});
    expect(await names()).toEqual([image, "team/a:latest"].toSorted());
    const history = await engine.image.history("team/a", { platform: `linux/${Architecture}` });
    expect(history[0]).toMatchObject({ Id, Tags: expect.arrayContaining(["team/a:latest"]) });
    const [summary] = await engine.image.list({ manifests: true });
    const total = summary!.manifests!.reduce((sum, { totalSize }) => sum + totalSize, 0);
    expect(summary).toMatchObject({
      id: Id,
      containers: 0,
      manifests: [{ available: true, containers: [] }],
    });
    expect(total).toBeGreaterThan(summary!.size);
    const wrong: [ask: () => Promise<unknown>, code: string][] = [
      [() => engine.image.tag("nosuch", ["a"]), "not-found"],
      [() => engine.image.tag(image, ["a", "B"]), "invalid-argument"],
      [() => engine.image.history("nosuch"), "not-found"],
      [() => engine.image.history(image, { platform: "linux/s390x" }), "not-found"],
      [() => engine.image.inspect(image, { platform: "linux/s390x" }), "not-found"],
      [() => engine.image.inspect(image, { platform: "/" }), "invalid-argument"],
    ];
    for (const [ask, code] of wrong) expect((await failure(ask())).code).toBe(code as never);
    expect(await names()).toEqual([image, "team/a:latest"].toSorted());
  });

  test("images out and in again: save and load, and import", async () => {
    await using under = await make();
    const bytes: Uint8Array[] = [];
    const saver = talking(said(), { output: (_, piece) => void bytes.push(piece.slice()) });
    using engine = await under.open(saver);
    await engine.image.pull(image, {});
    const { Id } = await engine.image.inspect(image);
    await engine.image.tag(image, ["team/web:1"]);
    await engine.image.save(["team/web:1"], { format: "docker-archive" });
    await engine.image.remove("team/web:1", {});
    const loaded: unknown[] = [];
    const archive = async function* () {
      yield* bytes;
    };
    const load = { onLoaded: (each: unknown) => void loaded.push(each) };
    await engine.as(talking(archive())).image.load(load);
    expect(loaded).toEqual([{ id: Id, names: ["team/web:1"], taken: [] }]);
    const root = async function* () {
      yield tarOf({ name: "etc/passwd", content: "root:x:0:0::/:/bin/sh\n" });
    };
    const imported = { source: "-", reference: "team/root", changes: ["USER root"], message: "" };
    const id = await engine.as(talking(root())).image.import(imported);
    expect(await engine.image.inspect("team/root")).toMatchObject({ Id: id, Config: { User: "root" } });
    const wrong: [ask: () => Promise<unknown>, code: string][] = [
      [() => engine.image.save([image, "nosuch"], { format: "docker-archive" }), "not-found"],
      [() => engine.image.load({ ...load, input: "/nosuch" }), "not-found"],
      [() => engine.image.import({ ...imported, source: "/dev/null", reference: "NO" }), "invalid-argument"],
      [() => engine.image.pushAll("nosuch", {}), "not-found"],
    ];
    for (const [ask, code] of wrong) expect((await failure(ask())).code).toBe(code as never);
    // What is no archive is the caller's mistake, or damage on the way: an API has one class for both.
    for (const ask of [
      () => engine.as(talking(said("no tar"))).image.load(load),
      () => engine.as(talking(said("no tar"))).image.import(imported),
    ])
      expect(["data-loss", "invalid-argument"]).toContain((await failure(ask())).code);
  });

  test("a container is committed: an image that runs, under its name", async () => {
    await using under = await make();
    const session = testSession();
    using engine = await under.open(session);
    await engine.container.run(options("--name", "over", image, "args"));
    const asked = { author: "me", comment: "why", changes: ['CMD ["args", "mine"]'], pause: true };
    const id = await engine.container.commit("over", { ...asked, reference: "team/over" });
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await engine.image.inspect("team/over")).toMatchObject({ Id: id, Author: "me", Comment: "why" });
    expect(await engine.container.run(options("--rm", "team/over"))).toBe(0);
    expect(session.output.stdout).toContain("mine");
    const wrong = engine.container.commit("over", { ...asked, changes: ["RUN x"] });
    expect((await failure(wrong)).code).toBe("invalid-argument");
    expect((await failure(engine.container.commit("nosuch", asked))).code).toBe("not-found");
    await engine.container.remove("over", { force: false, volumes: false });
  });

  test("a network is made, shown, and goes", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const wanted = {
      ...{ name: "lab", driver: "", labels: { a: "b" }, options: {}, internal: true, ipv6: false },
      ...{ ipv4: true, attachable: false },
      ...{ subnets: ["10.123.0.0/24"], gateways: [], ranges: [], auxiliary: {} },
    };
    const id = await engine.network.create(wanted);
    const lab = await engine.network.inspect("lab");
    expect(lab).toMatchObject({
      ...{ Id: id, Name: "lab", Driver: "bridge", Internal: true, Labels: { a: "b" }, Containers: {} },
      IPAM: { Config: [{ Subnet: "10.123.0.0/24", Gateway: "10.123.0.1" }] },
    });
    expect(JSON.parse(JSON.stringify(lab))).toEqual(lab);
    const names = async (filters: Record<string, string[]>) =>
      (await engine.network.list({ filters })).map(({ Name }) => Name);
    expect(await names({})).toEqual(["bridge", "host", "lab", "none"]);
    expect(await names({ label: ["a=b"] })).toEqual(["lab"]);
    expect(await names({ type: ["builtin"] })).toEqual(["bridge", "host", "none"]);
    expect(await names({ dangling: ["true"] })).toEqual(["lab"]);
    expect((await failure(engine.network.create(wanted))).code).toBe("conflict");
    expect((await failure(engine.network.create({ ...wanted, name: "a/b" }))).code).toBe("invalid-argument");
    expect((await failure(engine.network.list({ filters: { none: ["x"] } }))).code).toBe("invalid-argument");
    expect((await failure(engine.network.remove("none", { force: true }))).code).toBe("forbidden");
    const lost = options("--rm", "--network", "nosuch", image);
    // Docker's API calls it a mistake of the one who asks.
    expect(["not-found", "invalid-argument"]).toContain((await failure(engine.container.run(lost))).code);
    const plain = { aliases: [], address: "", address6: "", mac: "", links: [], options: {}, priority: 0 };
    const created = await engine.container.create(options("--network", "lab", image));
    await engine.network.connect("bridge", created, { ...plain, aliases: ["db"], priority: 4 });
    expect(await engine.container.inspect(created)).toMatchObject({
      NetworkSettings: { Networks: { lab: {}, bridge: { Aliases: ["db"], GwPriority: 4 } } },
    });
    const elsewhere = engine.network.connect("lab", created, { ...plain, address: "10.9.0.1" });
    await elsewhere; // it is in it already, and does not run
    await engine.network.disconnect("lab", created, { force: false });
    const twice = engine.network.disconnect("lab", created, { force: false });
    expect((await failure(twice)).code).toBe("conflict");
    const astray = engine.network.connect("lab", created, { ...plain, address: "10.9.0.1" });
    expect((await failure(astray)).code).toBe("invalid-argument");
    for (const [network, name] of [
      ["nosuch", created],
      ["lab", "nosuch"],
    ] as const) {
      expect((await failure(engine.network.connect(network, name, plain))).code).toBe("not-found");
      const gone = engine.network.disconnect(network, name, { force: false });
      expect((await failure(gone)).code).toBe("not-found");
    }
    await engine.container.remove(created, { force: false, volumes: false });
    expect((await engine.network.prune({ filters: { label: ["x"] } })).NetworksDeleted).toEqual([]);
    expect((await engine.network.prune({ filters: { "label!": ["x"] } })).NetworksDeleted).toEqual(["lab"]);
    expect((await failure(engine.network.inspect("lab"))).code).toBe("not-found");
    expect((await failure(engine.network.remove("lab", { force: false }))).code).toBe("not-found");
    expect(await engine.network.remove("lab", { force: true })).toBe(false);
  });

  test("lists and documents are plain values, which a wire can carry", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await engine.container.run(options("--name", "over", "-l", "a=b", image, "exit", "4"));
    const answers = {
      containers: await engine.container.list({ all: true, filters: {}, size: true, details: true }),
      container: await engine.container.inspect("over"),
      images: await engine.image.list({}),
      image: await engine.image.inspect(image),
      info: await engine.system.info(),
      version: await engine.system.version(),
    };
    expect(JSON.parse(JSON.stringify(answers))).toEqual(answers);
    expect(answers.container).toMatchObject({ Name: "/over", State: { Status: "exited", ExitCode: 4 } });
    const summary = { name: "over", state: "exited", details: { labels: { a: "b" } } };
    expect(answers.containers).toMatchObject([summary]);
    expect(answers.images).toHaveLength(1);
    await engine.container.remove("over", { force: false, volumes: true });
    expect(await engine.container.list({ all: true, filters: {} })).toEqual([]);
  });

  test("an image comes, is listed, and goes", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    expect(await engine.image.pull(image, {})).toMatchObject({ name: image, status: "downloaded" });
    expect(await engine.image.pull(image, {})).toMatchObject({ status: "up-to-date" });
    expect(await engine.image.list({})).toHaveLength(1);
    expect(await engine.image.remove(image, {})).toContainEqual({ Untagged: image });
    expect(await engine.image.list({})).toEqual([]);
  });

  test("a volume is made, shown, in use, and goes", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const wanted = { name: "data", driver: "local", labels: { a: "b" }, options: {} };
    const made = await engine.volume.create(wanted);
    expect(made).toMatchObject({ Name: "data", Driver: "local", Scope: "local", Labels: { a: "b" } });
    expect(await engine.volume.inspect("data")).toEqual(made);
    const own = { type: "tmpfs", device: "tmpfs", o: "size=1m" };
    expect((await engine.volume.create({ ...wanted, name: "own", options: own })).Options).toEqual(own);
    await engine.volume.remove("own", { force: false });
    const half = await failure(engine.volume.create({ ...wanted, name: "half", options: { type: "tmpfs" } }));
    expect([half.code, half.exitCode]).toEqual(["invalid-argument", 1]);
    await engine.container.run(options("--name", "user", "-v", "data:/x", "-v", "/y", image, "exit", "0"));
    const listed = async (filters: Filters) =>
      (await engine.volume.list({ filters })).map(({ Name }) => Name);
    expect(await listed({})).toHaveLength(2);
    expect(await listed({ label: ["a=b"], dangling: ["false"] })).toEqual(["data"]);
    expect(await failure(engine.volume.remove("data", { force: true }))).toMatchObject({
      ...{ code: "conflict", exitCode: 1 },
    });
    await engine.container.remove("user", { force: false, volumes: true });
    expect(await listed({})).toEqual(["data"]);
    expect((await engine.volume.prune({ filters: {} })).VolumesDeleted).toEqual([]);
    expect((await engine.volume.prune({ filters: { all: ["1"] } })).VolumesDeleted).toEqual(["data"]);
    expect((await failure(engine.volume.inspect("data"))).code).toBe("not-found");
    expect((await failure(engine.volume.remove("data", { force: false }))).code).toBe("not-found");
    await engine.volume.remove("data", { force: true });
    expect((await failure(engine.volume.create({ ...wanted, name: "a/b" }))).code).toBe("invalid-argument");
    expect((await failure(engine.volume.list({ filters: { none: ["x"] } }))).code).toBe("invalid-argument");
  });

  test("what happens is told to whoever follows, until it has enough", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const abort = new AbortController();
    const follower = engine.as(testSession({ abort: abort.signal }));
    const filters = { type: ["container"], event: ["create", "die"] };
    await engine.container.run(options("--rm", "--name", "early", image, "exit", "0"));
    const events = await follower.system.events({ since: "10m", filters });
    const told: string[] = [];
    const following = (async () => {
      for await (const { Action, Actor } of events) told.push(`${Action} ${Actor.Attributes.name}`);
    })();
    await engine.container.run(options("--rm", "--name", "late", image, "exit", "5"));
    await until("it is told", () => told.length === 4);
    expect(told).toEqual(["create early", "die early", "create late", "die late"]);
    abort.abort(new RtError("cancelled", "enough"));
    expect((await failure(following)).code).toBe("cancelled");
    const plain: unknown[] = [];
    for await (const event of await engine.system.events({ since: "10m", until: "0s", filters: {} }))
      plain.push(event);
    expect(JSON.parse(JSON.stringify(plain))).toEqual(plain);
    expect((await failure(engine.system.events({ filters: { none: ["x"] } }))).code).toBe("invalid-argument");
    expect((await failure(engine.system.events({ since: "x", filters: {} }))).code).toBe("invalid-argument");
  });

  test("a login is kept once a registry has taken it, and forgotten", async () => {
    await using under = await make();
    await using registry = await FakeRegistry.start();
    using engine = await under.open(testSession());
    const given = { username: "me", password: "hunter2" };
    const basic = `Basic ${Buffer.from("me:hunter2").toString("base64")}`;
    registry.always(/ \/v2\/$/, (request, wire) =>
      request.headers.get("authorization") === basic
        ? wire.reply(200, {}, "{}")
        : wire.reply(401, { "WWW-Authenticate": 'Basic realm="x"' }),
    );
    const server = registry.host;
    expect((await failure(engine.registry.login({ server }))).code).toBe("not-found");
    const wrong = engine.registry.login({ server, given: { ...given, password: "x" } });
    expect((await failure(wrong)).code).toBe("unauthorized");
    expect(await engine.registry.account(server)).toBeUndefined();
    expect(await engine.registry.login({ server, given })).toEqual({
      unencryptedIn: expect.stringMatching(/\/\.docker\/config\.json$/),
    });
    expect(await engine.registry.account(server)).toEqual({ username: "me", hasPassword: true });
    expect(await engine.registry.login({ server })).toEqual({});
    await engine.registry.logout(server);
    await engine.registry.logout(server);
    expect(await engine.registry.account(server)).toBeUndefined();
  });

  test("search: what is found, by stars; what cannot be asked", async () => {
    await using under = await make();
    await using registry = await FakeRegistry.start();
    using engine = await under.open(testSession());
    const results = [
      { name: "few", star_count: 1 },
      { name: "many", star_count: 9, is_official: true },
    ];
    registry.always(/v1.search/, (_, wire) =>
      wire.reply(200, { "Content-Type": "application/json" }, JSON.stringify({ results })),
    );
    const term = `${registry.host}/x`;
    const names = async (filters: Filters) =>
      (await engine.registry.search(term, { limit: 25, filters })).map(({ name }) => name.split("/")[1]);
    expect(await names({})).toEqual(["many", "few"]);
    expect(await names({ stars: ["2"] })).toEqual(["many"]);
    expect(await names({ "is-official": ["false"] })).toEqual(["few"]);
    expect(await names({ "is-automated": ["true"] })).toEqual([]);
    const wrong = [
      () => engine.registry.search(term, { limit: 101, filters: {} }),
      () => engine.registry.search(term, { limit: 1, filters: { nosuch: ["x"] } }),
      () => engine.registry.search("", { limit: 1, filters: {} }),
      () => engine.registry.search("https://x/y", { limit: 1, filters: {} }),
    ];
    for (const one of wrong) expect((await failure(one())).code).toBe("invalid-argument");
  });

  test("what is not there, is in use, or does not run has its class", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const absent = [
      () => engine.container.inspect("none"),
      () => engine.container.remove("none", { force: true, volumes: false }),
      () => engine.container.kill("none", "TERM"),
      () => engine.container.exec(execOptions("none", ["true"])),
      () => engine.container.attach("none", { sigProxy: false, noStdin: true }),
      () => engine.container.logs("none", { follow: false, timestamps: false, details: false }),
      () => engine.container.diff("none"),
      () => engine.container.export("none"),
      () => engine.container.copyFrom("none", "/", { to: undefined, archive: false, followLink: false }),
      () => engine.container.copyTo("none", "/", { from: undefined, followLink: false }),
      () => engine.image.inspect("none"),
      () => engine.image.remove("none", {}),
      () => engine.container.run(options("--pull=never", "none")),
    ];
    for (const one of absent) expect((await failure(one())).code).toBe("not-found");
    {
      await using _ = await waiting(engine, "here");
      const conflicts = [
        () => engine.container.remove("here", { force: false, volumes: false }),
        () => engine.container.run(options("--name", "here", image)),
        () => engine.image.remove(image, {}),
      ];
      for (const one of conflicts) expect((await failure(one())).code).toBe("conflict");
    }
    await engine.container.run(options("--name", "over", image, "exit", "0"));
    for (const one of [
      () => engine.container.kill("over", "TERM"),
      () => engine.container.exec(execOptions("over", ["true"])),
      () => engine.container.attach("over", { sigProxy: false, noStdin: true }),
    ]) {
      expect(await failure(one())).toMatchObject({ code: "conflict", exitCode: 1 });
    }
    await engine.container.remove("over", { force: false, volumes: false });
  });
}
