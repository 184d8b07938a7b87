/** What an engine does on its own host alone: there is no word for it in an API. */
import { expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { FakeRegistry, tinyImage } from "../../support/fake-registry.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { testSession } from "../../support/session.ts";
import { archive as tarOf } from "../../support/tar.ts";
import { type EngineUnderTest, failure, image, options, said, type Test, talking } from "./callers.ts";

export function ownHost(make: () => Promise<EngineUnderTest>, test: Test): void {
  test("networks of what runs are made again; there may be none", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await engine.network.reload();
  });

  test("the store is sound; what is an ordinary user's is nothing to root", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await engine.image.pull(image, {});
    expect(await Array.fromAsync(await engine.system.check())).toEqual([]);
    expect(await engine.system.checkHost()).toEqual([]);
    expect((await failure(engine.system.migrate())).code).toBe("invalid-argument");
    expect((await failure(engine.system.unshare(["true"]))).code).toBe("invalid-argument");
  });

  test("an image has fewer names, and stays", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await engine.image.pull(image, {});
    const { Id } = await engine.image.inspect(image);
    await engine.image.tag(image, ["team/a", "team/b:2"]);
    const names = async () => (await engine.image.inspect(Id)).RepoTags.toSorted();
    await engine.image.untag(image, ["team/b:2"]);
    expect(await names()).toEqual([image, "team/a:latest"].toSorted());
    expect((await failure(engine.image.untag("nosuch", []))).code).toBe("not-found");
    expect((await failure(engine.image.untag(image, ["nosuch"]))).code).toBe("not-found");
    await engine.image.untag(image, []);
    expect(await names()).toEqual([]);
    await engine.image.prune({ filters: {} });
    expect(await engine.image.list({})).toEqual([]);
  });

  test("images out to files and in again: push and pull, and past the store", async () => {
    await using under = await make();
    const bytes: Uint8Array[] = [];
    const saver = talking(said(), { output: (_, piece) => void bytes.push(piece.slice()) });
    using engine = await under.open(saver);
    await engine.image.pull(image, {});
    const { Id } = await engine.image.inspect(image);
    await engine.image.tag(image, ["team/web:1"]);
    await engine.image.save(["team/web:1"], { format: "docker-archive" });
    const layout = join(mkdtempSync(join(scratchDirectory(), "rt-layout-")), "layout");
    await using _ = { [Symbol.asyncDispose]: async () => rmSync(dirname(layout), { recursive: true }) };
    const sent = await engine.image.push("team/web:1", { destination: `oci:${layout}:1` });
    const copied = await engine.image.copy(`oci:${layout}:1`, `oci:${layout}:2`, { all: true });
    expect(copied.digest).toBe(sent.digest);
    await engine.image.untag("team/web:1", ["team/web:1"]);
    const loaded: unknown[] = [];
    const archive = async function* () {
      yield* bytes;
    };
    const load = { onLoaded: (each: unknown) => void loaded.push(each) };
    await engine.as(talking(archive())).image.load(load);
    expect(loaded).toEqual([{ id: Id, names: ["team/web:1"], taken: [] }]);
    expect(await engine.image.pull(`oci:${layout}:2`, {})).toMatchObject({ image: { id: Id } });
    const root = async function* () {
      yield tarOf({ name: "etc/passwd", content: "root:x:0:0::/:/bin/sh\n" });
    };
    const imported = { source: "-", reference: "team/root", changes: ["USER root"], message: "" };
    const id = await engine.as(talking(root())).image.import(imported);
    expect(await engine.image.inspect("team/root")).toMatchObject({ Id: id, Config: { User: "root" } });
    const wrong: [ask: () => Promise<unknown>, code: string][] = [
      [() => engine.image.save([image, "nosuch"], { format: "docker-archive" }), "not-found"],
      [() => engine.as(talking(said("no tar"))).image.load(load), "data-loss"],
      [() => engine.image.load({ ...load, input: "/nosuch" }), "not-found"],
      [() => engine.as(talking(said("no tar"))).image.import(imported), "data-loss"],
      [() => engine.image.import({ ...imported, source: "/dev/null", reference: "NO" }), "invalid-argument"],
      [() => engine.image.push("nosuch", { destination: `oci:${layout}:3` }), "not-found"],
      [
        () => engine.image.push(image, { destination: `oci:${layout}`, compression: "xz" }),
        "invalid-argument",
      ],
      [() => engine.image.pushAll("nosuch", {}), "not-found"],
      [() => engine.image.copy(`oci:${layout}:nosuch`, `oci:${layout}:3`, { all: false }), "not-found"],
    ];
    for (const [ask, code] of wrong) expect((await failure(ask())).code).toBe(code as never);
  });

  test("a registry is served until the caller goes", async () => {
    await using under = await make();
    const gone = new AbortController();
    using engine = await under.open({ ...testSession(), abort: gone.signal });
    const { promise: listening, resolve } = Promise.withResolvers<string>();
    const serving = engine.registry.serve({
      listen: "127.0.0.1:0",
      readOnly: true,
      insecure: false,
      onListening: resolve,
      onRequest: () => {},
    });
    expect((await fetch(`${await listening}/v2/_catalog`)).status).toBe(200);
    gone.abort(new RtError("cancelled", "enough"));
    await serving;
    const wrong = {
      listen: "5000",
      readOnly: false,
      insecure: false,
      onListening: () => {},
      onRequest: () => {},
    };
    expect((await failure(engine.registry.serve(wrong))).code).toBe("invalid-argument");
  });

  test("all are stopped, and those that are kept come up again; of each it is told", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const kept = ["--restart", "always", "--stop-timeout", "0"];
    for (const name of ["first", "second"])
      await engine.container.run({
        ...options("--name", name, ...kept, image, "sleep", "1000"),
        detach: true,
      });
    const told: (string | undefined)[][] = [];
    const each = { onDone: (name: string, error?: RtError) => void told.push([name, error?.code]) };
    await engine.system.down(each);
    expect(
      told
        .splice(0)
        .map(([name]) => name)
        .sort(),
    ).toEqual(["first", "second"]);
    expect(await engine.container.list({ all: false, filters: {} })).toEqual([]);
    await engine.system.up(each);
    expect(told).toEqual([
      ["first", undefined],
      ["second", undefined],
    ]);
    expect(await engine.container.list({ all: false, filters: {} })).toHaveLength(2);
    for (const name of ["first", "second"])
      await engine.container.remove(name, { force: true, volumes: true });
  });

  test("a list of a registry's images is made, shown, said where it runs, and goes", async () => {
    await using under = await make();
    await using registry = await FakeRegistry.start();
    using engine = await under.open(testSession());
    const one = registry.push("team/one", "1", tinyImage([Buffer.from("x")]));
    const made = await engine.manifest.create("team/all", [one], { amend: false });
    expect(made).toBe("docker.io/team/all:latest");
    const again = engine.manifest.create("team/all", [one], { amend: false });
    expect((await failure(again)).code).toBe("conflict");
    await engine.manifest.annotate("team/all", one, {
      os: "linux",
      architecture: "arm64",
      osFeatures: [],
    });
    const verbose = await engine.manifest.inspect("team/all", { verbose: true });
    expect(verbose).toMatchObject({
      documents: [{ Ref: one, Descriptor: { platform: { architecture: "arm64" } } }],
    });
    const index = await engine.manifest.inspect("team/all", { verbose: false });
    expect(index.kind).toBe("index");
    await engine.manifest.remove("team/all");
    const absent = [
      () => engine.manifest.remove("team/all"),
      () => engine.manifest.push("team/all", { purge: false }),
      () => engine.manifest.annotate("team/all", one, { osFeatures: [] }),
    ];
    for (const ask of absent) expect((await failure(ask())).code).toBe("not-found");
  });
}
