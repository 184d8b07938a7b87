/** `--link` in a network whose containers do not know each other: a way from the one to the ports of the other. */
import { afterAll, afterEach, expect } from "bun:test";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { busyboxHost, image, nothingLeft } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "nft", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;
const four = "10.15.0.2";
const six = "fd15::2";
const icc = ["-o", "com.docker.network.bridge.enable_icc=false"];

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.ok(["network", "create", "--subnet", "10.15.0.0/24", "--subnet", "fd15::/64", ...icc, "lab"]);
}, 120_000);

afterEach(async () => {
  if (made) await made.rt(["rm", "-f", "app", "web", "other"]);
});

afterAll(async () => await made?.[Symbol.asyncDispose]());

const sleep = (name: string, ...flags: string[]) =>
  host().ok(["run", "-d", "--name", name, "--network", "lab", ...flags, image, "sleep", "1000"]);

async function serve(...flags: string[]): Promise<void> {
  const command = ["probe", "serve", "80", "hello"];
  const run = ["run", "-d", "--name", "web", "--network", "lab", "--ip", four, ...flags];
  await host().ok([...run, image, ...command]);
  await serves(1);
}

const serves = (times: number) =>
  until("it serves", async () => (await host().ok(["logs", "web"])).split("serving").length === times + 1);

async function fetch(from: string, address: string, port = "80", patience = "10000"): Promise<string> {
  const { stdout } = await host().rt(["exec", from, "probe", "fetch", address, port, patience]);
  return stdout.trim().replace(/ to .*/, "");
}

const silent = "error ETIMEDOUT connect";
const isSilent = async (from: string, address: string, port = "80") =>
  expect([from, address, port, await fetch(from, address, port, "500")]).toEqual([
    from,
    address,
    port,
    silent,
  ]);

/** What the firewall has of it. */
async function openings(): Promise<string[]> {
  const text = await host().inHost(["nft", "-nn", "list", "ruleset"]);
  const sets = text.matchAll(/set (?:acquainted|linked|answers) \{[^{}]*?elements = \{([^}]*)\}/g);
  return [...sets].flatMap(([_, elements = ""]) => elements.split(",").map((each) => each.trim())).sort();
}

async function filtered(isOn: boolean): Promise<void> {
  const names = ["iptables", "ip6tables"].map((each) => `/proc/sys/net/bridge/bridge-nf-call-${each}`);
  const script = names.map((each) => `if [ -e ${each} ]; then echo ${isOn ? 1 : 0} > ${each}; fi`).join("; ");
  await host().inHost(["sh", "-c", script]);
}

for (const isOn of [true, false])
  test(`the one that is linked reaches the other's ports, and nobody else does, where bridged packets are filtered: ${isOn}`, async () => {
    await filtered(isOn);
    await serve("--expose", "80");
    await sleep("other");
    await isSilent("other", four);
    await sleep("app", "--link", "web:store");
    for (const address of [four, six]) expect(await fetch("app", address)).toBe("hello");
    await isSilent("app", four, "81");
    await isSilent("app", six, "81");
    for (const address of [four, six]) await isSilent("other", address);
    for (const name of ["app", "other"]) {
      const format = "{{.NetworkSettings.Networks.lab.IPAddress}}";
      await isSilent("web", (await host().ok(["inspect", "-f", format, name])).trim());
    }
    const before = await openings();
    expect(before).toHaveLength(8);
    await host().ok(["restart", "-t", "0", "web"]);
    await serves(2);
    expect(await fetch("app", four)).toBe("hello");
    await host().ok(["restart", "-t", "0", "app"]);
    expect(await fetch("app", six)).toBe("hello");
    expect(await openings()).toEqual(before);
    await host().inHost(["nft", "flush", "ruleset"]);
    await host().ok(["network", "reload"]);
    expect(await openings()).toEqual(before);
    expect(await fetch("app", four)).toBe("hello");
    await host().ok(["rm", "-f", "web"]);
    expect(await openings()).toEqual([]);
    await serve("--expose", "80");
    await isSilent("app", four);
    await host().ok(["restart", "-t", "0", "app"]);
    expect(await fetch("app", four)).toBe("hello");
    await host().ok(["rm", "-f", "app"]);
    expect(await openings()).toEqual([]);
    await host().ok(["rm", "-f", "web", "other"]);
    await nothingLeft(host());
  });

test("with connect, until it is disconnected; the other one may come and go", async () => {
  await host().ok(["network", "create", "else"]);
  await serve("-p", "8080:80");
  await host().ok(["run", "-d", "--name", "app", "--network", "else", image, "sleep", "1000"]);
  await host().ok(["network", "connect", "--link", "web:store", "lab", "app"]);
  expect(await fetch("app", six)).toBe("hello");
  const before = await openings();
  await host().ok(["network", "disconnect", "lab", "web"]);
  expect(await openings()).toEqual([]);
  await host().ok(["network", "connect", "--ip", four, "lab", "web"]);
  expect(await fetch("app", four)).toBe("hello");
  expect(await openings()).toHaveLength(before.length);
  await host().ok(["network", "disconnect", "lab", "app"]);
  expect(await openings()).toEqual([]);
  await host().ok(["network", "connect", "lab", "app"]);
  await isSilent("app", four);
  await host().ok(["rm", "-f", "app", "web"]);
  await host().ok(["network", "rm", "else"]);
  await nothingLeft(host());
});

test("what has been killed leaves none with the next command", async () => {
  for (const victim of ["app", "web"]) {
    await serve("--expose", "80");
    await sleep("app", "--link", "web");
    expect(await openings()).toHaveLength(8);
    const pid = (await host().ok(["inspect", "-f", "{{.State.Pid}}", victim])).trim();
    process.kill(Number(pid), "SIGKILL");
    await host().ok(["wait", victim]);
    await host().ok(["ps", "-a"]);
    expect(await openings()).toEqual([]);
    await host().ok(["rm", "-f", "app", "web"]);
  }
});
