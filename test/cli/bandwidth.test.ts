/** How fast a container may send and receive: what goes over the wire, what tc(8) says, and what is left. */
import { afterAll, afterEach, expect } from "bun:test";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { needs, tool } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { busyboxHost, image, nothingLeft, oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "tc", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.ok(["network", "create", "shop"]);
}, 120_000);

afterEach(async () => {
  if (!made) return;
  await nothingLeft(host());
  await until("no interface is left but the bridge", async () => (await links("rt-|veth|ifb")).length <= 1);
});

afterAll(async () => await made?.[Symbol.asyncDispose]());

async function links(prefixes: string): Promise<string[]> {
  const lines = (await host().inHost(["ip", "-o", "link"])).split("\n");
  return lines.flatMap((line) => new RegExp(`^\\d+: ((?:${prefixes})[^:@]*)`).exec(line)?.[1] ?? []);
}

/** What tc says of the limits there are: "veth 8Mbit" and "ifb 4Mbit", where something goes around. */
async function limits(): Promise<string[]> {
  const said = await host().inHost(["tc", "qdisc"]);
  const found = said.matchAll(/^qdisc (tbf|ingress) .*dev (veth|ifb)[0-9a-f]+ (?:.*rate (\S+))?/gm);
  return [...found].map(([, , dev, rate]) => `${dev} ${rate ?? "around"}`);
}

const [chunk, chunks] = [65_536, 32];
/** Milliseconds that two megabytes take at 8 mbit, with room for what goes at once. */
const twoMegabytesAtLeast = 1500;

/** The world sends, or receives, two megabytes; the container does the other. Milliseconds. */
async function transfer(way: "up" | "down"): Promise<number> {
  const zeros = `dd if=/dev/zero bs=${chunk} count=${chunks} 2>/dev/null`;
  const port = way === "up" ? "9001" : "9000";
  const server = `nc -l -p ${port}`;
  const client = `nc 192.0.2.1 ${port}`;
  // Whoever has nothing to say is not to say that it has come to its end.
  const silent = (command: string) => `f=/tmp/rt-silent-$$; mkfifo $f; ${command} 0<>$f | wc -c; rm $f`;
  const [there, here] =
    way === "up" ? [silent(server), `${zeros} | ${client}`] : [`${zeros} | ${server}`, silent(client)];
  const busybox = tool("busybox")!;
  const world = host().inWorld(["sh", "-c", there.replaceAll(/\b(nc|dd|wc|mkfifo) /g, `${busybox} $1 `)]);
  await until("somebody listens", async () => (await host().inWorld(["ss", "-ltn"])).includes(`:${port} `));
  const began = performance.now();
  const got = await host().ok(["exec", "one", "sh", "-c", here]);
  const elapsed = performance.now() - began;
  expect(Number(`${got.trim()}${(await world).trim()}`)).toBe(chunk * chunks);
  return elapsed;
}

test("neither way goes faster than it may; update changes it at once, and takes it away", async () => {
  const flags = ["--bandwidth-up", "8mbit", "--bandwidth-down", "1mbps"];
  await host().ok(["run", "-d", "--name", "one", "--network", "shop", ...flags, image, "sleep", "1000"]);
  expect((await limits()).sort()).toEqual(["ifb 8Mbit", "veth 8Mbit", "veth around"]);
  expect(await transfer("down")).toBeGreaterThan(twoMegabytesAtLeast);
  expect(await transfer("up")).toBeGreaterThan(twoMegabytesAtLeast);
  const format = "{{json .HostConfig.NetworkBandwidth}}";
  expect(await host().ok(["inspect", "-f", format, "one"])).toBe('{"Up":8000000,"Down":8000000}\n');
  await host().ok(["update", "--bandwidth-down", "1gbit", "one"]);
  expect((await limits()).sort()).toEqual(["ifb 8Mbit", "veth 1Gbit", "veth around"]);
  await host().ok(["update", "--bandwidth-up", "0", "--bandwidth-down", "0", "one"]);
  expect(await limits()).toEqual([]);
  expect(await links("ifb")).toEqual([]);
  await host().ok(["update", "--bandwidth-up", "2mbit", "one"]);
  expect((await limits()).sort()).toEqual(["ifb 2Mbit", "veth around"]);
  expect(await host().ok(["inspect", "-f", format, "one"])).toBe('{"Up":2000000,"Down":0}\n');
  await host().ok(["rm", "-f", "one"]);
});

test("it is there again after a restart and a reload, and goes with the container, however that ends", async () => {
  const run = ["run", "-d", "--name", "one", "--network", "shop", "--bandwidth-up", "8mbit", image];
  await host().ok([...run, "sleep", "1000"]);
  await host().ok(["restart", "-t", "0", "one"]);
  expect((await limits()).sort()).toEqual(["ifb 8Mbit", "veth around"]);
  const [port] = await links("veth");
  await host().inHost(["ip", "link", "del", port!]);
  await host().ok(["network", "reload"]);
  expect((await limits()).sort()).toEqual(["ifb 8Mbit", "veth around"]);
  await host().ok(["kill", "one"]);
  await until("its end has been seen to", async () => (await links("ifb")).length === 0);
  await host().ok(["start", "one"]);
  expect(await links("ifb")).toHaveLength(1);
  await host().ok(["rm", "-f", "one"]);
  expect(await links("ifb")).toEqual([]);
});

test("it is the same in a network that the container joins, and goes with it; one without it is not joined", async () => {
  await host().ok(["network", "create", "more"]);
  await host().ok(["network", "create", "-d", "macvlan", "lan"]);
  const run = ["run", "-d", "--name", "one", "--network", "shop", "--bandwidth-up", "8mbit", image];
  await host().ok([...run, "sleep", "1000"]);
  await host().ok(["network", "connect", "more", "one"]);
  expect((await limits()).sort()).toEqual(["ifb 8Mbit", "ifb 8Mbit", "veth around", "veth around"]);
  const { stderr, code } = await host().rt(["network", "connect", "lan", "one"]);
  expect([oneLine(stderr), code]).toEqual([expect.stringContaining("lan is a macvlan network"), 1]);
  await host().ok(["network", "disconnect", "shop", "one"]);
  expect((await limits()).sort()).toEqual(["ifb 8Mbit", "veth around"]);
  await host().ok(["rm", "-f", "one"]);
  await host().ok(["network", "rm", "more", "lan"]);
});

test("a container cannot take it away, whatever it may do in its own network", async () => {
  const flags = ["--bandwidth-up", "8mbit", "--bandwidth-down", "8mbit", "--cap-add", "NET_ADMIN"];
  await host().ok(["run", "-d", "--name", "one", "--network", "shop", ...flags, image, "sleep", "1000"]);
  await host().ok(["exec", "one", "sh", "-c", "ip link set eth0 down; ip link set eth0 up"]);
  expect((await limits()).sort()).toEqual(["ifb 8Mbit", "veth 8Mbit", "veth around"]);
  await host().ok(["rm", "-f", "one"]);
});

test("what is no rate, and where there is nothing to limit: one line each", async () => {
  await host().ok(["network", "create", "-d", "macvlan", "lan"]);
  const run = (network: string, ...flags: string[]) => ["run", "--rm", "--network", network, ...flags, image];
  for (const [argv, text] of [
    [
      run("shop", "--bandwidth-up", "fast"),
      'invalid --bandwidth-up "fast": want bits per second, as 500kbit',
    ],
    [run("shop", "--bandwidth-down", "1m"), 'invalid --bandwidth-down "1m": want bits per second'],
    [run("shop", "--bandwidth-down", "1bit"), "want 8kbit to 1tbit, or 0 for no limit"],
    [
      run("none", "--bandwidth-up", "1mbit"),
      "conflicting options: a bandwidth and a container that is in no",
    ],
    [run("lan", "--bandwidth-up", "1mbit"), "are for bridge networks: lan is a macvlan network"],
  ] as const) {
    const { stderr, code } = await host().rt([...argv, "true"]);
    expect([oneLine(stderr), code]).toEqual([expect.stringContaining(text), 125]);
  }
  await host().ok(["create", "--name", "one", "--network", "lan", image]);
  const { stderr, code } = await host().rt(["update", "--bandwidth-up", "1mbit", "one"]);
  expect([oneLine(stderr), code]).toEqual([expect.stringContaining("lan is a macvlan network"), 1]);
  await host().ok(["rm", "one"]);
  await host().ok(["network", "rm", "lan"]);
});
