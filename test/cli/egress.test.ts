/** Containers that may go to some destinations alone: those are reached, all others are refused at once, and told of. */
import { afterAll, expect } from "bun:test";
import { type NetworkHost, networkHost, networkTools, worldAddress } from "../support/network-host.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { Transcript, until } from "../support/wait.ts";
import { busyboxHost, image, oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "nft", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;
const subnets = ["--subnet", "10.25.0.0/24", "--subnet", "fd25::/64"];

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  for (const port of [80, 81]) await made.serveInWorld(port, `hello ${port}`);
  await made.ok(["network", "create", ...subnets, "lab"]);
  await serve("web", "lab", "--ip", "10.25.0.9");
  await serve("own", "host");
}, 120_000);

afterAll(async () => {
  if (made) await made.rt(["rm", "-f", "web", "own"]);
  await made?.[Symbol.asyncDispose]();
});

async function serve(name: string, network: string, ...rest: string[]): Promise<void> {
  const command = ["probe", "serve", "80", name];
  await host().ok(["run", "-d", "--name", name, "--network", network, ...rest, image, ...command]);
  await until("it serves", async () => (await host().ok(["logs", name])).includes("serving"));
}

/** What a container gets at each "ADDRESS PORT": whose answer it is, or the errno. */
async function tried(flags: readonly string[], places: readonly string[]): Promise<string[]> {
  const script = places.map((place) => `probe fetch ${place} 20000`).join("; ");
  const { stdout, stderr } = await host().rt(["run", "--rm", ...flags, image, "sh", "-c", script]);
  expect(stderr).toBe("");
  const lines = stdout.trim().split("\n");
  return lines.map((line) => line.replace(/ to .*/, "").replace(/^error (\w+) .*/, "$1"));
}

const allow = (...all: string[]) => all.flatMap((each) => ["--egress-allow", each]);
const lab = ["--network", "lab"];
const places = [
  `${worldAddress} 80`,
  `${worldAddress} 81`,
  "192.0.2.1 80",
  "2001:db8::1 80",
  "10.25.0.9 80",
  "fd25::2 80",
];
const hosts = ["10.25.0.1 80", "192.0.2.2 80", "fd25::1 80"];
const [none, web] = ["ECONNREFUSED", "web"];

test("addresses and subnets, with a port or without; neighbours are reached, and the host is not", async () => {
  const all = ["hello 80", "hello 81", "hello 80", "hello 80", web, web];
  expect(await tried(lab, [...places, ...hosts])).toEqual([...all, "own", "own", "own"]);
  const [refusedHost] = [[none, none, none]];
  for (const [list, wanted] of [
    [["none"], [none, none, none, none, web, web, ...refusedHost]],
    [[worldAddress], ["hello 80", "hello 81", none, none, web, web, ...refusedHost]],
    [[`${worldAddress}:81`], [none, "hello 81", none, none, web, web, ...refusedHost]],
    [
      ["198.51.0.0/16", "198.51.100.0/24:81"],
      ["hello 80", "hello 81", none, none, web, web, ...refusedHost],
    ],
    [
      ["0.0.0.0/0:80", "0.0.0.0/1:80"],
      ["hello 80", none, "hello 80", none, web, web, "own", "own", none],
    ],
    [
      ["2001:db8::/32", "[2001:db8::1]:80"],
      [none, none, none, "hello 80", web, web, ...refusedHost],
    ],
    [["[2001:db8::1]:81"], [none, none, none, none, web, web, ...refusedHost]],
    [["10.25.0.1"], [none, none, none, none, web, web, "own", none, none]],
  ] as const)
    expect([list, await tried([...lab, ...allow(...list)], [...places, ...hosts])]).toEqual([
      list,
      [...wanted],
    ]);
}, 120_000);

test("what whoever had its address before has begun it cannot go on with", async () => {
  const command = [...host().enter.world, await probeBinary(), "serve-datagrams", "5353", "world"];
  await using server = Bun.spawn(command, { stdout: "pipe" });
  const output = new Transcript();
  void output.drain(server.stdout);
  await output.waitFor("serving");
  const ask = async (...flags: string[]) => {
    const own = [...lab, "--ip", "10.25.0.8", ...flags, image, "probe", "ask"];
    return (await host().rt(["run", "--rm", ...own, "192.0.2.1", "5353", "1000", "4000"])).stdout;
  };
  expect(await ask()).toStartWith("world to");
  expect(await ask(...allow("none"))).not.toContain("world");
});

test("a network says it for all of its containers, to which they add", async () => {
  await host().ok(["network", "create", "--subnet", "10.26.0.0/24", ...allow(`${worldAddress}:80`), "kept"]);
  const two = places.slice(0, 3);
  expect(await tried(["--network", "kept"], two)).toEqual(["hello 80", none, none]);
  expect(await tried(["--network", "kept", ...allow("192.0.2.1")], two)).toEqual([
    "hello 80",
    none,
    "hello 80",
  ]);
  const [{ Options }] = JSON.parse(await host().ok(["network", "inspect", "kept"]));
  expect(Options).toEqual({ "rt.egress-allow": `${worldAddress}:80` });
  await host().ok(["network", "rm", "kept"]);
});

test("rt why tells where it was not let go, while it runs and when it is over; inspect tells where it may", async () => {
  const script = `probe fetch 192.0.2.1 81 20000; probe fetch ${worldAddress} 81 20000; probe fetch 2001:db8::1 80 20000; exec sleep 1000`;
  const flags = [...lab, ...allow(worldAddress), "--name", "told"];
  await host().ok(["run", "-d", ...flags, image, "sh", "-c", script]);
  const wanted =
    "  it may not go to 192.0.2.1:81 (tcp), [2001:db8::1]:80 (tcp): --egress-allow does not name that\n";
  await until("both are told of", async () => (await host().ok(["why", "told"])).includes(wanted));
  const [{ HostConfig }] = JSON.parse(await host().ok(["inspect", "told"]));
  expect(HostConfig.EgressAllow).toEqual([worldAddress]);
  await host().ok(["kill", "told"]);
  await until("it is over", async () => (await host().ok(["why", "told"])).startsWith("told ended"));
  expect(await host().ok(["why", "told"])).toContain(wanted);
  await host().ok(["rm", "told"]);
});

test("nothing of it is left at its end, and a flush is put right with the next command", async () => {
  const elements = async () =>
    (await host().inHost(["nft", "list", "ruleset"])).match(/10\.25\.0\.\d+ \. [\d.]+/g) ?? [];
  const flags = [...lab, "--ip", "10.25.0.7", ...allow(`${worldAddress}:80`)];
  await host().ok(["run", "-d", "--name", "told", ...flags, image, "sleep", "1000"]);
  const fetch = (place: string) =>
    host().rt(["exec", "told", "probe", "fetch", ...place.split(" "), "20000"]);
  expect((await fetch("192.0.2.1 80")).stdout).toBe("error ECONNREFUSED connect\n");
  expect((await elements()).sort()).toEqual([
    "10.25.0.7 . 10.25.0.0",
    "10.25.0.7 . 192.0.2.1",
    "10.25.0.7 . 198.51.100.1",
    "10.25.0.7 . 198.51.100.1",
  ]);
  // What comes and goes besides changes nothing for it.
  await host().ok(["network", "create", "other"]);
  await host().ok(["run", "--rm", "--network", "other", image, "true"]);
  await host().ok(["network", "rm", "other"]);
  expect(await elements()).toHaveLength(4);
  await host().inHost(["nft", "flush", "ruleset"]);
  await host().ok(["network", "reload"]);
  expect((await fetch("192.0.2.1 80")).stdout).toBe("error ECONNREFUSED connect\n");
  expect((await fetch(`${worldAddress} 80`)).stdout).toBe("hello 80 to 192.0.2.2\n");
  await host().ok(["network", "reload"]);
  expect(await elements()).toHaveLength(4);
  const tables = async () =>
    (await host().inHost(["nft", "list", "tables"])).match(/ip6? rt-egress\S*/g) ?? [];
  const both = await tables();
  await host().inHost(["nft", "delete", "table", ...both.find((each) => each.startsWith("ip6"))!.split(" ")]);
  await host().ok(["network", "reload"]);
  expect((await tables()).sort()).toEqual(both.sort());
  expect(await elements()).not.toEqual([]);
  await host().ok(["rm", "-f", "told"]);
  expect(await elements()).toEqual([]);
});

test("what cannot be is one line", async () => {
  await host().ok(["network", "create", "--internal", "vault"]);
  await host().ok(["network", "create", "-o", "rt.guard=false", "lax"]);
  for (const [flags, wanted] of [
    [["--egress-allow", "a b"], /^invalid --egress-allow "a b": want NAME, /],
    [
      ["--network", "none"],
      /^conflicting options: --egress-allow and a container that is in no network of its own$/,
    ],
    [
      ["--network", "host"],
      /^conflicting options: --egress-allow and a container that is in no network of its own$/,
    ],
    [
      ["--network", "container:web"],
      /^conflicting options: --egress-allow and a container that is in no network /,
    ],
    [["--network", "lax"], /conflicting options: --egress-allow and network lax, which has no guard$/],
    [["--network", "vault"], /conflicting options: --egress-allow and network vault, which is internal$/],
  ] as const) {
    const base = flags[0] === "--network" ? allow("10.0.0.1") : lab;
    const { code, stderr } = await host().rt(["run", "--rm", ...base, ...flags, image, "true"]);
    expect([code, oneLine(stderr)]).toEqual([125, expect.stringMatching(wanted)]);
  }
  const create = await host().rt(["network", "create", "--internal", ...allow("10.0.0.1"), "bad"]);
  expect([create.code, oneLine(create.stderr)]).toEqual([
    1,
    'invalid option rt.egress-allow="10.0.0.1": an internal network leads nowhere',
  ]);
  await host().ok(["network", "rm", "vault", "lax"]);
});
