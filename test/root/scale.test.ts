/**
 * Many containers, many commands at once, many clients of one container, and many containers one after another.
 *
 * RT_SCALE=1 is what a large host has (1,000 containers, 100 of which run; 200 commands at once; 300 lives); CI has a third.
 */
import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxHost, containerTests, image, nothingLeft, remains, statusOf } from "../cli/world.ts";
import type { TestHost } from "../support/host.ts";
import { isOfNetwork, leaksSince, openDescriptors, snapshotHost } from "../support/leaks.ts";
import { rtBinary } from "../support/rt.ts";
import { multiplyStopped } from "../support/stopped.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests();
const share = process.env.RT_SCALE ? 1 : 1 / 3;
const some = (count: number) => Math.round(count * share);
const longMs = 300_000;

const sleep = ["sleep", "100000"];

/** `each` for 0..count-1 all at once; an answer that is not as it should be is told. */
async function atOnce(
  count: number,
  words: (index: number) => string[],
  wanted: (index: number) => RegExp,
): Promise<void> {
  const results = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const { stdout, stderr, code } = await host().rt(words(index), { timeoutMs: longMs });
      return code === 0 && stderr === "" && wanted(index).test(stdout)
        ? []
        : [{ index, stdout, stderr, code }];
    }),
  );
  expect(results.flat()).toEqual([]);
}

test(
  "ps among a thousand containers, a hundred of which run, costs at most twice of what it does with ten",
  async () => {
    await using few = await busyboxHost();
    const many = host();
    await many.ok(["run", "--name", "over", image, "true"]);
    multiplyStopped(many.root, "over", some(900));
    await start(few, some(10));
    await start(many, some(100));
    const costs = { few: [] as number[], many: [] as number[] };
    for (let round = 0; round < 15; round++) {
      costs.few.push(await cost(few, some(10)));
      costs.many.push(await cost(many, some(100)));
    }
    expect(median(costs.many) / median(costs.few)).toBeLessThan(2);
    for (const each of [few, many]) await removeAll(each);
  },
  longMs,
);

async function start(on: TestHost, count: number): Promise<void> {
  for (let begun = 0; begun < count; begun += 10) {
    const batch = Array.from({ length: Math.min(10, count - begun) }, () =>
      on.ok(["run", "-d", image, ...sleep]),
    );
    await Promise.all(batch);
  }
}

/** Processor time of a `ps`, in microseconds: what others do on this machine is not in it. */
async function cost(on: TestHost, rows: number): Promise<number> {
  const child = Bun.spawn([rtBinary, "ps"], { env: on.env, stdout: "pipe", stderr: "pipe" });
  const [text, code] = await Promise.all([child.stdout.text(), child.exited]);
  expect([code, text.trim().split("\n").length]).toEqual([0, rows + 1]);
  return Number(child.resourceUsage()!.cpuTime.total);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

async function removeAll(on: TestHost): Promise<void> {
  const ids = (await on.ok(["ps", "-aq"])).trim().split("\n");
  await on.ok(["rm", "-f", ...ids], { timeoutMs: longMs });
}

test(
  "two hundred run -d, stop, start and rm -f, each at once, all succeed",
  async () => {
    const count = some(200);
    const name = (index: number) => `one-${index}`;
    const isName = (index: number) => new RegExp(`^${name(index)}\n$`);
    await atOnce(
      count,
      (index) => ["run", "-d", "--name", name(index), image, ...sleep],
      () => /^[0-9a-f]{64}\n$/,
    );
    const running = (await host().ok(["ps", "-q"])).trim().split("\n");
    expect(running).toHaveLength(count);
    await atOnce(count, (index) => ["stop", "-t", "0", name(index)], isName);
    expect(await host().ok(["ps", "-q"])).toBe("");
    await atOnce(count, (index) => ["start", name(index)], isName);
    await atOnce(count, (index) => ["rm", "-f", name(index)], isName);
    await nothingLeft(host());
  },
  longMs,
);

test("the same container started by many at once runs once, and is removed once", async () => {
  await host().ok(["create", "--name", "popular", image, ...sleep]);
  await atOnce(
    some(30),
    () => ["start", "popular"],
    () => /^popular\n$/,
  );
  const pid = Number(await host().ok(["inspect", "-f", "{{.State.Pid}}", "popular"]));
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "popular"])).trim();
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("sleep\x00100000\0");
  const results = await Promise.all(
    Array.from({ length: some(30) }, () => host().rt(["rm", "-f", "popular"], { timeoutMs: longMs })),
  );
  for (const { code, stderr } of results) {
    // Those who come too late find none, in one line.
    expect(code === 0 ? "" : stderr).toMatch(/^(rt: No such container: popular\n)?$/);
  }
  expect(results.some(({ code }) => code === 0)).toBe(true);
  await nothingLeft(host(), [id]);
}, 240_000);

test("fifty clients of one container each get every byte, and leave its monitor as small as it was", async () => {
  const script =
    "until test -e /go; do sleep 0.05; done; seq 1 40000; until test -e /end; do sleep 0.05; done; exit 4";
  await host().ok(["run", "-d", "--name", "heard", image, "sh", "-c", script]);
  const monitor = await monitorOf("heard");
  const before = resident(monitor);
  const attached = clientsOf(monitor);
  const clients = Array.from({ length: 50 }, () => host().spawn(["attach", "--no-stdin", "heard"]));
  await until("all are attached", () => attached() === 50, 60_000);
  await host().ok(["exec", "heard", "touch", "/go"]);
  const all = `${Array.from({ length: 40_000 }, (_, index) => index + 1).join("\n")}\n`;
  await until(
    "they have it all",
    () => clients.every(({ stdout }) => stdout.text.length >= all.length),
    60_000,
  );
  // Forty go, and ten stay for the end.
  for (const client of clients.slice(10)) client.kill("SIGKILL");
  await until("they are gone", () => attached() === 10);
  // What serves clients is loaded with the first; a buffer kept for each of fifty would be four times as much.
  expect(resident(monitor)).toBeLessThan(before + 160);
  await host().ok(["exec", "heard", "touch", "/end"]);
  for (const [index, client] of clients.entries()) {
    expect([await client.exited, client.stdout.text === all]).toEqual([index < 10 ? 4 : 137, true]);
  }
  expect((await host().ok(["logs", "heard"])) === all).toBe(true);
  await host().ok(["rm", "heard"]);
}, 120_000);

function resident(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}

test("a client more than there is room for is told so, and nobody else loses anything", async () => {
  await host().ok([
    "run",
    "-d",
    "--name",
    "full",
    image,
    "sh",
    "-c",
    "until test -e /end; do sleep 0.05; done; echo end",
  ]);
  const attached = clientsOf(await monitorOf("full"));
  const clients = Array.from({ length: 64 }, () => host().spawn(["attach", "--no-stdin", "full"]));
  try {
    await until("all are attached", () => attached() === 64, 60_000);
    const { code, stderr } = await host().rt(["attach", "--no-stdin", "full"]);
    expect([stderr, code]).toEqual(["rt: attach: sixty-four clients are attached already\n", 125]);
    await host().ok(["exec", "full", "touch", "/end"]);
    for (const client of clients) expect([await client.exited, client.stdout.text]).toEqual([0, "end\n"]);
  } finally {
    for (const client of clients) client.kill("SIGKILL");
  }
  await host().ok(["rm", "-f", "full"]);
}, 120_000);

test("of several clients one that stands still keeps the others and the log from nothing", async () => {
  const script = "until test -e /go; do sleep 0.05; done; seq 1 200000; echo over >/over; sleep 100000";
  await host().ok(["run", "-d", "--name", "shared", image, "sh", "-c", script]);
  const attached = clientsOf(await monitorOf("shared"));
  const [stopped, ...others] = Array.from({ length: 4 }, () =>
    host().spawn(["attach", "--no-stdin", "shared"]),
  );
  await until("all are attached", () => attached() === 4);
  stopped!.kill("SIGSTOP");
  await host().ok(["exec", "shared", "touch", "/go"]);
  const all = `${Array.from({ length: 200_000 }, (_, index) => index + 1).join("\n")}\n`;
  await until("the others have it all", () => others.every(({ stdout }) => stdout.text === all), 60_000);
  await until(
    "the program goes on",
    async () => (await host().rt(["exec", "shared", "cat", "/over"])).code === 0,
  );
  expect((await host().ok(["logs", "shared"])) === all).toBe(true);
  expect(await statusOf(host(), "shared")).toBe("running");
  await host().ok(["rm", "-f", "shared"]);
  for (const client of [stopped!, ...others]) client.kill("SIGKILL");
}, 120_000);

/** How many are attached, from now on, when nobody is: the monitor has sockets of its own. */
function clientsOf(monitor: number): () => number {
  const sockets = () => openDescriptors(monitor).filter((each) => each.includes("socket:")).length;
  const own = sockets();
  return () => sockets() - own;
}

async function monitorOf(name: string): Promise<number> {
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", name])).trim();
  return Number(
    /^monitor (\d+)/m.exec(readFileSync(join(host().state, "containers", id, "pid"), "utf8"))![1],
  );
}

test(
  "three hundred lives, run -d, stop and rm, leave no process, mount, namespace, cgroup, file or row",
  async () => {
    const places = [
      host().state,
      join(host().root, "snapshots"),
      join(host().root, "containers"),
      host().env.TMPDIR!,
    ];
    const life = async (name: string) => {
      const id = (await host().ok(["run", "-d", "--name", name, "-v", "/cache", image, ...sleep])).trim();
      await host().ok(["stop", "-t", "0", name]);
      await host().ok(["rm", "-v", name]);
      return id;
    };
    await life("first"); // what comes once for all is there
    const before = snapshotHost(places);
    const ids: string[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (next < some(300)) ids.push(await life(`life-${next++}`));
      }),
    );
    await nothingLeft(host(), ids);
    const ours = (what: string) =>
      isOfNetwork(what) || what.includes(host().dir) || ids.some((id) => what.includes(id));
    await until("nothing of them is left", () => leaksSince(before, ours).length === 0).catch(() => {
      expect(leaksSince(before, ours)).toEqual([]);
    });
    expect(remains(host())).toEqual([]);
    const below = (path: string) => (existsSync(path) ? readdirSync(path) : []);
    for (const place of ["containers", "volumes", "content/ingest"])
      expect(below(join(host().root, place))).toEqual([]);
    expect(await host().ok(["ps", "-aq"])).toBe("");
  },
  longMs,
);
