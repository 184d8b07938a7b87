/** The daemon as it is built: what is asked of it over and over leaves nothing. RT_SOAK=1 asks ten times as often. */
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "../../../src/http/client.ts";
import type { Duplex } from "../../../src/http/duplex.ts";
import { connectDuplex } from "../../../src/http/socket.ts";
import { type TestHost, testHost } from "../../support/host.ts";
import { residentKiB } from "../../support/memory.ts";
import { requireRoot } from "../../support/root.ts";
import type { RtProcess } from "../../support/rt.ts";
import { soaks } from "../../support/soak.ts";
import { until } from "../../support/wait.ts";

const { test } = requireRoot();

/** What a garbage collector may have left to do. */
const slack_KiB = 24 << 10;

interface Daemon extends AsyncDisposable {
  pid: number;
  connect(): Promise<Duplex>;
}

async function daemonOf(host: TestHost): Promise<Daemon> {
  const path = join(host.dir, "rt.sock");
  const daemon: RtProcess = host.spawn(["daemon", "-H", `unix://${path}`]);
  const connect = () => connectDuplex({ unix: path });
  const first = await until("the daemon listens", () => connect().catch(() => undefined));
  first.destroy();
  return { pid: daemon.pid, connect, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
}

/** On a connection that goes on to be used: up to the head of the answer, which must be of this status. */
async function begin(
  wire: Duplex,
  method: string,
  target: string,
  [status, body]: [status: number, body?: object],
): Promise<() => Promise<unknown>> {
  const fields: [string, string][] = [
    ["Host", "rt"],
    ["Content-Type", "application/json"],
  ];
  const bytes = body && Buffer.from(JSON.stringify(body));
  const answer = await ask(wire, { method, target, fields, body: bytes });
  expect([method, target, answer.status]).toEqual([method, target, status]);
  return async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of answer.body) pieces.push(piece);
    const text = Buffer.concat(pieces).toString("utf8");
    return text === "" ? undefined : JSON.parse(text);
  };
}

/** The same to the answer's end. */
async function say(...request: Parameters<typeof begin>): Promise<unknown> {
  return (await begin(...request))();
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Those that have ended and were not waited for, too. */
function childrenOf(pid: number): string[] {
  const lists = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}/children`);
  return lists.flatMap((list) => readFileSync(list, "utf8").split(" ")).filter(Boolean);
}

test("lists and documents of twenty containers", async () => {
  await using host = await testHost();
  await host.ok(["pull", "-q", "embed:hello"]);
  for (let index = 0; index < 20; index++) {
    const verb = index % 2 === 0 ? ["create"] : ["run", "-d"];
    await host.ok([...verb, "--network", "none", "--name", `c${index}`, "embed:hello", "sleep", "600"]);
  }
  await using daemon = await daemonOf(host);
  const wires = await Promise.all(Array.from({ length: 4 }, () => daemon.connect()));
  const asking = async (requests: number) => {
    const each = wires.map(async (wire, at) => {
      for (let index = at; index < requests; index += wires.length) {
        const target = index % 2 === 0 ? "/containers/json?all=1" : `/v1.51/containers/c${index % 20}/json`;
        const document = await say(wire, "GET", target, [200]);
        expect(document).toMatchObject(index % 2 === 0 ? { length: 20 } : { Name: `/c${index % 20}` });
      }
    });
    await Promise.all(each);
  };
  await asking(400);
  const before = { memory: residentKiB(daemon.pid), descriptors: descriptorsOf(daemon.pid) };
  await asking(soaks ? 10_000 : 1_000);
  expect(descriptorsOf(daemon.pid)).toBe(before.descriptors);
  expect(residentKiB(daemon.pid)).toBeLessThan(before.memory + slack_KiB);
  for (const wire of wires) wire.destroy();
}, 180_000);

test("containers that come and go", async () => {
  await using host = await testHost();
  await host.ok(["pull", "-q", "embed:hello"]);
  await using daemon = await daemonOf(host);
  const wire = await daemon.connect();
  const waiting = await daemon.connect();
  const body = { Image: "embed:hello", Cmd: ["exit", "5"], HostConfig: { NetworkMode: "none" } };
  const lives = async (count: number) => {
    for (let index = 0; index < count; index++) {
      await say(wire, "POST", "/containers/create?name=once", [201, body]);
      const isEarly = index % 2 === 0;
      const wait = (condition: string) =>
        begin(waiting, "POST", `/containers/once/wait?condition=${condition}`, [200]);
      const early = isEarly ? await wait("next-exit") : undefined;
      await say(wire, "POST", "/containers/once/start", [204]);
      expect(await (early ?? (await wait("not-running")))()).toEqual({ StatusCode: 5 });
      const exited = { State: { Status: "exited", ExitCode: 5 } };
      expect(await say(wire, "GET", "/containers/once/json", [200])).toMatchObject(exited);
      await say(wire, "DELETE", "/containers/once", [204]);
    }
  };
  await lives(20);
  const before = { memory: residentKiB(daemon.pid), descriptors: descriptorsOf(daemon.pid) };
  await lives(soaks ? 1_000 : 60);
  expect(descriptorsOf(daemon.pid)).toBe(before.descriptors);
  expect(residentKiB(daemon.pid)).toBeLessThan(before.memory + slack_KiB);
  await until("no monitor is left, nor what is left of one", () => childrenOf(daemon.pid).length === 0);
  expect(readdirSync(join(host.state, "containers"))).toEqual([]);
  expect(await host.ok(["ps", "-aq"])).toBe("");
  wire.destroy();
  waiting.destroy();
}, 180_000);
