/** Many clients at once, and many requests: nobody waits for another, and nothing grows. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Answered, ask } from "../../../src/http/client.ts";
import { connectDuplex } from "../../../src/http/socket.ts";
import { testHost } from "../../support/host.ts";
import { requireRoot } from "../../support/root.ts";
import { rtBinary } from "../../support/rt.ts";
import { Transcript, until } from "../../support/wait.ts";

const { test } = requireRoot();

interface Daemon {
  pid: number;
  path: string;
  kill(): Promise<void>;
}

async function daemon(
  host: Awaited<ReturnType<typeof testHost>>,
  undo: AsyncDisposableStack,
): Promise<Daemon> {
  const path = join(host.dir, "rt.sock");
  const words = ["--root", host.root, "--state", host.state, "daemon", "-H", `unix://${path}`];
  const child = Bun.spawn([rtBinary, ...words], { env: { ...process.env, ...host.env }, stderr: "pipe" });
  const kill = async () => {
    child.kill(9);
    await child.exited;
  };
  undo.defer(kill);
  const stderr = new Transcript();
  void stderr.drain(child.stderr);
  await stderr.waitFor("API listen");
  return { pid: child.pid, path, kill };
}

function residentBytes(pid: number): number {
  const [, kib = ""] = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function open(path: string, method: string, target: string): Promise<Answered> {
  return ask(await connectDuplex({ unix: path }), { method, target, fields: [["Host", "x"]] });
}

async function statusOf(path: string, target: string): Promise<number> {
  const { status, wire } = await open(path, "GET", target);
  wire.destroy();
  return status;
}

/** One connection, and its requests one after the other. */
async function many(path: string, target: string, count: number): Promise<void> {
  const wire = await connectDuplex({ unix: path });
  try {
    for (let done = 0; done < count; done++) {
      const { status, body } = await ask(wire, { method: "GET", target, fields: [["Host", "x"]] });
      expect(status).toBe(200);
      await Array.fromAsync(body);
    }
  } finally {
    wire.destroy();
  }
}

test("idle it is small and does nothing, and 10,000 requests grow nothing", async () => {
  await using undo = new AsyncDisposableStack();
  const host = undo.use(await testHost());
  const { pid, path } = await daemon(host, undo);
  await statusOf(path, "/containers/json");
  expect(residentBytes(pid)).toBeLessThan(60e6);
  await many(path, "/containers/json?all=1", 5000);
  const before = residentBytes(pid);
  await many(path, "/containers/json?all=1", 10_000);
  await until("nothing has grown", () => residentBytes(pid) < before + 8e6);
  // A moment of the idle one's: what it takes a processor for is its timers at most.
  const ticks = ticksOf(pid);
  await Bun.sleep(2000);
  expect(ticksOf(pid) - ticks).toBeLessThanOrEqual(2);
});

test("200 clients with streams open keep nobody waiting", async () => {
  await using undo = new AsyncDisposableStack();
  const host = undo.use(await testHost());
  const name = (await host.ok(["run", "-d", "--network", "none", "embed:hello", "sleep", "600"])).trim();
  undo.defer(() => host.ok(["rm", "-f", name]).then(() => undefined));
  const { path } = await daemon(host, undo);
  const targets = [
    "POST /containers/NAME/wait",
    "GET /containers/NAME/stats",
    "GET /containers/NAME/logs?follow=1&stdout=1",
  ];
  const streams = await Promise.all(
    Array.from({ length: 200 }, (_, index) => {
      const [method, target] = targets[index % targets.length]!.split(" ") as [string, string];
      return open(path, method, target.replace("NAME", name));
    }),
  );
  undo.defer(() => {
    for (const { wire } of streams) wire.destroy();
  });
  expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
  const times: number[] = [];
  for (let round = 0; round < 20; round++) {
    const start = performance.now();
    expect(await statusOf(path, "/_ping")).toBe(200);
    expect(await statusOf(path, "/containers/json")).toBe(200);
    times.push(performance.now() - start);
  }
  expect(times.sort((a, b) => a - b)[10]).toBeLessThan(500);
});

test("a daemon that is killed again and again leaves containers and what it listens on as they were", async () => {
  await using undo = new AsyncDisposableStack();
  const host = undo.use(await testHost());
  const name = (await host.ok(["run", "-d", "--network", "none", "embed:hello", "sleep", "600"])).trim();
  undo.defer(() => host.ok(["rm", "-f", name]).then(() => undefined));
  const rounds = Number(process.env.RT_TEST_ROUNDS || 10);
  for (let round = 0; round < rounds; round++) {
    const { path, kill } = await daemon(host, undo);
    const waiting = await open(path, "POST", `/containers/${name}/wait`);
    expect(waiting.status).toBe(200);
    const { body } = await open(path, "GET", "/containers/json");
    expect(JSON.parse(Buffer.concat(await Array.fromAsync(body)).toString())).toMatchObject([
      { State: "running" },
    ]);
    await kill();
    waiting.wire.destroy();
  }
});
