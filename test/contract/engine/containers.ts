/** The lives of containers, and what goes in and out of them. */
import { expect } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { parsePublish } from "../../../src/settings/port.ts";
import { testSession } from "../../support/session.ts";
import { archive } from "../../support/tar.ts";
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

export function lives(make: () => Promise<EngineUnderTest>, test: Test): void {
  test("a container is paused, goes on, gets another name, and is stopped; its end is waited for", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const { container } = engine;
    await container.create(options("--name", "lives", image, "sleep", "600"));
    await container.start("lives", { attach: false, stdin: false, sigProxy: false });
    const state = async (name: string) => (await container.inspect(name)).State.Status;
    await container.pause("lives");
    expect(await state("lives")).toBe("paused");
    expect(await failure(container.pause("lives"))).toMatchObject({ code: "conflict", exitCode: 1 });
    expect(await failure(container.exec(execOptions("lives", ["/probe"])))).toMatchObject({
      code: "conflict",
    });
    await container.unpause("lives");
    expect(await failure(container.unpause("lives"))).toMatchObject({ code: "conflict", exitCode: 1 });
    await container.rename("lives", "other");
    expect(await failure(container.inspect("lives"))).toMatchObject({ code: "not-found" });
    const { Titles, Processes } = await container.top("other", ["-o", "pid,args"]);
    expect(Titles).toEqual(["PID", "COMMAND"]);
    expect(Processes).toMatchObject([[expect.any(String), expect.stringContaining("sleep 600")]]);
    const status = container.wait("other");
    await container.stop("other", { timeout_s: 0 });
    expect(await status).toBe(137);
    expect(await container.why("other")).toMatchObject({ name: "other", status: "exited", exitCode: 137 });
    await container.remove("other", { force: false, volumes: true });
  });

  test("a container is made, and its program runs when it is started, again and again", async () => {
    await using under = await make();
    const session = testSession();
    using engine = await under.open(session);
    const { container } = engine;
    const id = await container.create(options("--name", "made", image, "args", "said"));
    expect(await container.list({ all: false, filters: {} })).toEqual([]);
    expect(await container.list({ all: true, filters: {} })).toMatchObject([{ id, state: "created" }]);
    expect((await failure(container.create(options("--name", "made", image)))).code).toBe("conflict");
    expect((await failure(container.exec(execOptions("made", ["/probe"])))).code).toBe("conflict");
    const attached = { attach: true, stdin: false, sigProxy: false };
    for (const round of [1, 2]) {
      expect(await container.start("made", attached)).toBe(0);
      expect(session.output.stdout.split("said")).toHaveLength(round + 1);
      expect(await container.list({ all: true, filters: {} })).toMatchObject([{ id, state: "exited" }]);
    }
    expect((await failure(container.start("none", attached))).code).toBe("not-found");
    await container.remove("made", { force: false, volumes: true });
    const wrong = await container.create(options("--entrypoint", "/none", image));
    expect(await failure(container.start(wrong, attached))).toMatchObject({ code: "not-found" });
    expect(await container.list({ all: true, filters: {} })).toMatchObject([{ id: wrong, state: "created" }]);
    await container.remove(wrong, { force: false, volumes: true });
  });

  test("what is started without its caller runs on; restart makes it another process", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const { container } = engine;
    const id = await container.create(options("--name", "alone", image, "sleep", "600"));
    const pid = async () => (await container.inspect(id)).State.Pid;
    await container.start("alone", { attach: false, stdin: false, sigProxy: false });
    const first = await pid();
    expect(first).toBeGreaterThan(0);
    await container.start("alone", { attach: false, stdin: false, sigProxy: false });
    expect(await pid()).toBe(first);
    await container.restart("alone", { timeout_s: 0 });
    expect([0, first]).not.toContain(await pid());
    await container.stop("alone", { timeout_s: 0 });
    expect(await pid()).toBe(0);
    await container.restart("alone", { timeout_s: 0 });
    expect(await pid()).toBeGreaterThan(0);
    await container.remove("alone", { force: true, volumes: true });
  });

  test("prune takes what does not run, by its filters, and nothing else", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const { container } = engine;
    await using _ = await waiting(engine, "runs");
    const ended = await container.create(options("-l", "kind=old", image, "exit", "0"));
    await container.start(ended, { attach: true, stdin: false, sigProxy: false });
    const created = await container.create(options(image, "exit", "0"));
    const pruned = async (filters: Record<string, string[]>) =>
      (await container.prune({ filters })).ContainersDeleted;
    expect(await pruned({ until: ["24h"] })).toEqual([]);
    expect(await pruned({ label: ["kind=new"] })).toEqual([]);
    expect(await pruned({ "label!": ["kind"] })).toEqual([created]);
    expect(await pruned({})).toEqual([ended]);
    expect(await container.list({ all: true, filters: {} })).toMatchObject([{ name: "runs" }]);
    expect((await failure(container.prune({ filters: { name: ["x"] } }))).code).toBe("invalid-argument");
  });

  test("stop and wait have nothing to do where nothing runs; the others say so", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const { container } = engine;
    await container.run(options("--name", "over", image, "exit", "4"));
    await container.stop("over", {});
    expect(await container.wait("over")).toBe(4);
    await container.rename("over", "past");
    await container.update("past", { restart: { name: "on-failure", retries: 2 } });
    expect(await container.inspect("past")).toMatchObject({
      HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } },
    });
    await container.update("past", { resources: { memory: 64 << 20, pidsLimit: 7 } });
    expect(await container.inspect("past")).toMatchObject({
      HostConfig: { Memory: 64 << 20, PidsLimit: 7, RestartPolicy: { Name: "on-failure" } },
    });
    const contrary = container.update("past", { resources: { memoryReservation: 65 << 20 } });
    expect((await failure(contrary)).code).toBe("invalid-argument");
    const wishes = parsePublish("8080:80");
    for (const one of [
      () => container.pause("past"),
      () => container.unpause("past"),
      () => container.top("past", []),
      () => container.publish("past", wishes),
      () => container.unpublish("past", wishes),
    ])
      expect(await failure(one())).toMatchObject({ code: "conflict", exitCode: 1 });
    for (const one of [
      () => container.stop("none", {}),
      () => container.wait("none"),
      () => container.pause("none"),
      () => container.why("none"),
      () => container.rename("none", "some"),
      () => container.update("none", { restart: { name: "no", retries: 0 } }),
      () => container.top("none", []),
      () => container.publish("none", wishes),
      () => container.unpublish("none", wishes),
    ])
      expect((await failure(one())).code).toBe("not-found");
    expect((await failure(container.rename("past", "../x"))).code).toBe("invalid-argument");
    await container.remove("past", { force: false, volumes: false });
  });
}

export function files(make: () => Promise<EngineUnderTest>, test: Test): void {
  test("files come and go as archives, by the caller's streams", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await engine.container.run(options("--name", "over", image, "exit", "0"));
    const large = Buffer.alloc(3_000_000, "0123456789");
    const sent = archive({ name: "d", type: "5", mode: 0o755 }, { name: "d/large", content: large });
    async function* pieces() {
      for (let at = 0; at < sent.length; at += 70_000) yield sent.subarray(at, at + 70_000);
    }
    const givesIt = engine.as(talking(pieces()));
    await givesIt.container.copyTo("over", "/", { from: undefined, followLink: false });
    expect(await engine.container.diff("over")).toEqual([
      { kind: "A", path: "/d" },
      { kind: "A", path: "/d/large" },
    ]);
    const taken: Uint8Array[] = [];
    const output = async (_: string, bytes: Uint8Array) => {
      await Bun.sleep(0); // one who takes his time
      taken.push(Uint8Array.from(bytes));
    };
    const takesIt = engine.as(talking(said(), { output }));
    const how = { to: undefined, archive: false, followLink: false };
    expect(await takesIt.container.copyFrom("over", "/d", how)).toBe(Buffer.concat(taken).length);
    expect(
      Buffer.concat(taken)
        .subarray(1024, 1024 + large.length)
        .equals(large),
    ).toBe(true);
    taken.length = 0;
    await takesIt.container.export("over");
    expect(Buffer.concat(taken).includes(large)).toBe(true);
    await engine.container.remove("over", { force: false, volumes: false });
  });

  test("a container's log comes by the caller's streams, and one who waits for more may lose his patience", async () => {
    await using under = await make();
    const session = testSession();
    using engine = await under.open(session);
    await using _ = await waiting(engine, "quiet");
    const how = { follow: false, timestamps: false, details: false };
    await engine.container.logs("quiet", { ...how, tail: 0 });
    expect(session.output.stdout).toBe("");
    const abort = new AbortController();
    const follower = engine.as(testSession({ abort: abort.signal }));
    const following = failure(follower.container.logs("quiet", { ...how, follow: true, tail: 0 }));
    abort.abort(new RtError("cancelled", "enough"));
    expect((await following).code).toBe("cancelled");
  });
}
