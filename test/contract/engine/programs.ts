/** Programs, and the callers that they come to. */
import { expect } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { testSession } from "../../support/session.ts";
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

export function programs(make: () => Promise<EngineUnderTest>, test: Test): void {
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

export function callers(make: () => Promise<EngineUnderTest>, test: Test): void {
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

export function patience(make: () => Promise<EngineUnderTest>, test: Test): void {
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
