/**
 * What every engine keeps to, in this process or behind an API: see src/engine/engine.ts. Callers are sessions of streams, as
 * a daemon's are; `embed:hello` is the prober.
 */
import { expect } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import RunCommand from "../../../src/cli/container/run.ts";
import { runOptions } from "../../../src/cli/container/run-options.ts";
import { readCommand } from "../../../src/cli/grammar/read.ts";
import type { Filters } from "../../../src/docker/filters.ts";
import type { ExecOptions } from "../../../src/engine/container/exec-options.ts";
import type { RunOptions } from "../../../src/engine/container/run-options.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { Streams } from "../../../src/engine/session.ts";
import { type TestSession, testSession } from "../../support/session.ts";
import { archive } from "../../support/tar.ts";
import { until } from "../../support/wait.ts";
import { capture } from "../../unit/cli/capture.ts";

export interface EngineUnderTest extends AsyncDisposable {
  /** An engine for this caller, on a store that only this test has. */
  open(session: TestSession): Promise<Engine>;
}

type Test = (name: string, body: () => Promise<unknown>) => void;

export function engineContract(make: () => Promise<EngineUnderTest>, test: Test): void {
  programs(make, test);
  callers(make, test);
  patience(make, test);
  lives(make, test);
  files(make, test);
  nouns(make, test);
}

const image = "embed:hello";

/** What `rt run ARGV` asks of an engine. */
function options(...argv: string[]): RunOptions {
  const context = capture();
  return runOptions(readCommand(RunCommand, argv, { path: "run", context })!, context.caller, undefined);
}

function execOptions(container: string, command: string[], more: Partial<ExecOptions> = {}): ExecOptions {
  return {
    ...{ container, command, openStdin: false, tty: false, detach: false },
    ...{ env: [], workingDirectory: "", user: "", privileged: false },
    ...more,
  };
}

async function failure(promise: Promise<unknown>): Promise<RtError> {
  const error = await promise.then(
    (value) => new Error(`it did not fail, and answered ${JSON.stringify(value)}`),
    (caught: unknown) => caught,
  );
  if (error instanceof RtError) return error;
  throw error;
}

/** A caller with `input` for its program, and a way to see what comes back. */
function talking(input: AsyncIterable<Uint8Array>, more: Partial<Streams> = {}): TestSession {
  const session = testSession();
  return { ...session, stdio: { ...(session.stdio as Streams), stdin: input, ...more } };
}

async function* said(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

async function running(engine: Engine, name: string): Promise<void> {
  const filters = { name: [name] };
  await until(`${name} runs`, async () =>
    (await engine.container.list({ all: false, filters })).some(({ state }) => state === "running"),
  );
}

/** Until disposed of: a container `name` that waits for signals. */
async function waiting(engine: Engine, name: string): Promise<AsyncDisposable & { ended: Promise<number> }> {
  const ended = engine
    .as(testSession())
    .container.run(options("--rm", "--name", name, image, "sleep", "600"));
  await Promise.race([running(engine, name), ended]);
  return {
    ended,
    async [Symbol.asyncDispose]() {
      await engine.container.remove(name, { force: true, volumes: false }).catch(() => undefined);
      await ended;
    },
  };
}

function programs(make: () => Promise<EngineUnderTest>, test: Test): void {
  test("a program's output and exit status come to its caller", async () => {
    await using under = await make();
    const session = testSession();
    using engine = await under.open(session);
    expect(await engine.container.run(options("--rm", image, "exit", "7"))).toBe(7);
    expect(await engine.container.run(options("--rm", image, "args", "a", "b c"))).toBe(0);
    expect(session.output.stdout).toContain("b c");
    expect(await engine.container.run(options("--rm", image, "stderr", "oops"))).toBe(0);
    expect(session.output.stderr).toContain("oops");
    expect(session.warnings).toEqual([]);
  });

  test("what the caller says is the program's input, to its end", async () => {
    await using under = await make();
    const pieces = Array.from({ length: 40 }, (_, index) => String(index % 10).repeat(20_000));
    const session = talking(said(...pieces));
    using engine = await under.open(session);
    expect(await engine.container.run(options("--rm", "-i", image, "stdin-sha256"))).toBe(0);
    const sum = new Bun.CryptoHasher("sha256").update(pieces.join("")).digest("hex");
    expect(session.output.stdout).toContain(sum);
  });

  test("a caller who takes nothing keeps the program waiting, and loses nothing", async () => {
    await using under = await make();
    let bytes = 0;
    const gate = Promise.withResolvers<void>();
    const session = talking(said(), {
      output(_, piece) {
        bytes += piece.length;
        return gate.promise;
      },
    });
    using engine = await under.open(session);
    const status = engine.container.run(options("--rm", "--name", "spews", image, "spew", "3000000"));
    await until("something comes", () => bytes > 0);
    // Frames, sockets and pipes hold some of it; all of it they do not.
    const before = bytes;
    await Bun.sleep(100);
    expect(bytes).toBe(before);
    gate.resolve();
    expect(await status).toBe(0);
    expect(bytes).toBe(3_000_000);
  });

  test("a terminal has the caller's size, and follows it", async () => {
    await using under = await make();
    let size = { rows: 11, columns: 33 };
    const changed = Promise.withResolvers<void>();
    async function* changes() {
      await changed.promise;
      yield;
    }
    const over = Promise.withResolvers<IteratorResult<Uint8Array>>();
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => over.promise }) };
    const session = {
      ...talking(silent, { terminal: { size: () => size, changes: changes() } }),
      terminalSize: () => size,
    };
    using engine = await under.open(session);
    const status = engine.container.run(options("--rm", "-it", image, "winsize-wait", "1"));
    await until("its first size", () => session.output.stdout.includes("11 33"));
    size = { rows: 22, columns: 44 };
    changed.resolve();
    await until("its second size", () => session.output.stdout.includes("22 44"));
    expect(await status).toBe(0);
    over.resolve({ done: true, value: undefined });
  });

  test("the detach keys leave the program running, and others come to it", async () => {
    await using under = await make();
    const go = Promise.withResolvers<void>();
    async function* typed() {
      yield Buffer.from("x");
      await go.promise;
      yield Buffer.from([16]);
      yield Buffer.from([17]);
    }
    const first = { ...talking(typed()), detachKeys: Uint8Array.of(16, 17) };
    using engine = await under.open(first);
    const status = engine.container.run(options("--rm", "-it", "--name", "stays", image, "echo"));
    await until("it answers", () => first.output.stdout.includes("x"));
    go.resolve();
    expect(await status).toBe(0);
    const second = testSession();
    const attached = engine.as(second).container.attach("stays", { sigProxy: false, noStdin: true });
    expect(await engine.container.exec(execOptions("stays", ["/probe", "exit", "3"]))).toBe(3);
    expect((await failure(engine.exec.inspect("0".repeat(64)))).code).toBe("not-found");
    expect((await engine.container.inspect("stays")) as { ExecIDs?: unknown }).toMatchObject({
      ExecIDs: null,
    });
    await engine.container.kill("stays", "KILL");
    expect(await attached).toBe(137);
    await until(
      "it is gone",
      async () => (await engine.container.list({ all: true, filters: {} })).length === 0,
    );
  });

  test("signals of the caller are the program's", async () => {
    await using under = await make();
    const ready = Promise.withResolvers<void>();
    async function* signals() {
      await ready.promise;
      yield 10;
      yield 15;
    }
    const session = talking(said(), { signals: signals() });
    using engine = await under.open(session);
    const status = engine.container.run(
      options("--rm", image, "signal-wait", "--exit-on", "TERM", "USR1", "TERM"),
    );
    await until("it waits", () => session.output.stdout.includes("ready"));
    ready.resolve();
    await status;
    expect(session.output.stdout).toMatch(/USR1[\s\S]*TERM/);
  });

  test("what cannot be executed: 127 and 126, and nothing is left", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    const absent = await failure(engine.container.run(options("--rm", "--entrypoint", "/none", image)));
    expect([absent.code, absent.exitCode]).toEqual(["not-found", 127]);
    const directory = await failure(engine.container.run(options("--rm", "--entrypoint", "/", image)));
    expect([directory.code, directory.exitCode]).toEqual(["forbidden", 126]);
    expect(await engine.container.list({ all: true, filters: {} })).toEqual([]);
  });
}

function callers(make: () => Promise<EngineUnderTest>, test: Test): void {
  test("several callers at once: each has its own output, and none waits for another", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await using _ = await waiting(engine, "long");
    const sessions = Array.from({ length: 4 }, () => testSession());
    const statuses = sessions.map((session, index) =>
      engine.as(session).container.run(options("--rm", image, "args", `caller-${index}`)),
    );
    expect(await Promise.all(statuses)).toEqual([0, 0, 0, 0]);
    for (const [index, { output }] of sessions.entries()) {
      const mentioned = [0, 1, 2, 3].filter((other) => output.stdout.includes(`caller-${other}`));
      expect(mentioned).toEqual([index]);
    }
  });
}

function patience(make: () => Promise<EngineUnderTest>, test: Test): void {
  test("a caller that has lost its patience before the start: its reason, and nothing is left", async () => {
    await using under = await make();
    const abort = new AbortController();
    abort.abort(new RtError("cancelled", "enough", { exitCode: 130 }));
    using engine = await under.open(testSession());
    await engine.container.run(options("--rm", image, "exit", "0"));
    const impatient = engine.as(testSession({ abort: abort.signal }));
    const error = await failure(impatient.container.run(options("--name", "never", image, "exit", "0")));
    expect([error.code, error.exitCode]).toEqual(["cancelled", 130]);
    expect(error.message).toEndWith("enough");
    expect(await engine.container.list({ all: true, filters: {} })).toEqual([]);
  });

  test("while a program runs the caller's own process goes on", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await using _ = await waiting(engine, "slow");
    let turns = 0;
    const clock = setInterval(() => turns++, 1);
    try {
      await until("time passes", () => turns > 20);
    } finally {
      clearInterval(clock);
    }
  });
}

function lives(make: () => Promise<EngineUnderTest>, test: Test): void {
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
    for (const one of [
      () => container.pause("past"),
      () => container.unpause("past"),
      () => container.top("past", []),
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
    ])
      expect((await failure(one())).code).toBe("not-found");
    expect((await failure(container.rename("past", "../x"))).code).toBe("invalid-argument");
    await container.remove("past", { force: false, volumes: false });
  });
}

function files(make: () => Promise<EngineUnderTest>, test: Test): void {
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

function nouns(make: () => Promise<EngineUnderTest>, test: Test): void {
  test("disk usage, pruned images, and a store that is sound", async () => {
    await using under = await make();
    using engine = await under.open(testSession());
    await engine.container.run(options("--name", "over", image, "args"));
    const { images, containers, volumes, layersSize } = await engine.system.diskUsage();
    expect(images).toMatchObject([{ containers: 1, sharedSize: 0, size: layersSize }]);
    expect(containers).toMatchObject([{ name: "over", size: { writable: expect.any(Number) } }]);
    expect(volumes).toEqual([]);
    expect(await Array.fromAsync(await engine.system.check())).toEqual([]);
    const all = { filters: { dangling: ["false"] } };
    expect(await engine.image.prune(all)).toEqual({ ImagesDeleted: [], SpaceReclaimed: 0 });
    await engine.container.remove("over", { force: false, volumes: false });
    const pruned = await engine.image.prune(all);
    expect(pruned.SpaceReclaimed).toBe(layersSize);
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
    expect((await failure(engine.container.run(lost))).code).toBe("not-found");
    expect((await engine.network.prune({ filters: { label: ["x"] } })).NetworksDeleted).toEqual([]);
    expect((await engine.network.prune({ filters: { "label!": ["x"] } })).NetworksDeleted).toEqual(["lab"]);
    expect((await failure(engine.network.inspect("lab"))).code).toBe("not-found");
    expect((await failure(engine.network.remove("lab", { force: false }))).code).toBe("not-found");
    await engine.network.remove("lab", { force: true });
    await engine.network.reload();
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
