/** Networks after the machine has gone down and is up again: of what was in the kernel and in the state directory nothing is left. */
import { afterAll, expect } from "bun:test";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { fetching, serve } from "../support/port-host.ts";
import { powerFails } from "../support/power.ts";
import { needs } from "../support/root.ts";
import { busyboxHost, image, nothingLeft, statusOf } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", ...networkTools] });

let base: Awaited<ReturnType<typeof busyboxHost>> | undefined;
let made: NetworkHost | undefined;
const host = () => made!;
/** The host's network as a kernel has it that has just begun; what lies on disks stays. */
const boot = async () => {
  made = await networkHost({ ...base!, [Symbol.asyncDispose]: () => Promise.resolve() });
};

beforeAll(async () => {
  base = await busyboxHost();
  await boot();
}, 240_000);

afterAll(async () => {
  await made?.[Symbol.asyncDispose]();
  await base?.[Symbol.asyncDispose]();
});

const addressOf = async (name: string) =>
  (
    await host().ok(["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name])
  ).trim();

const sleeper = (name: string, ...flags: string[]) =>
  host().ok(["run", "-d", "--name", name, "--network", "bridge", ...flags, image, "sleep", "86400"]);

test("addresses and ports are there again where they can be, and the default network only once somebody needs it", async () => {
  await host().ok(["network", "create", "--subnet", "10.9.0.0/24", "back"]);
  const both = ["--network", "bridge", "--network", "name=back,ip=10.9.0.7"];
  await serve(host(), "web", [...both, "--restart", "always", "-p", "8080:80"]);
  await sleeper("once");
  await sleeper("moved", "--restart", "always");
  const names = ["web", "once", "moved"];
  const before = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await addressOf(name)] as const)),
  );
  expect(new Set(Object.values(before)).size).toBe(3);
  const ids = await Promise.all(
    names.map(async (name) => (await host().ok(["inspect", "-f", "{{.Id}}", name])).trim()),
  );
  await powerFails(host(), ids, "lost");
  await host()[Symbol.asyncDispose]();
  await boot();

  expect(await host().ok(["ps", "-q"])).toBe("");
  await host().ok(["network", "inspect", "bridge"]);
  expect(await host().links()).toEqual([]);
  // What does not run keeps nobody from its address.
  for (const [name, of] of [
    ["heir", "once"],
    ["squatter", "moved"],
  ] as const) {
    await sleeper(name, "--ip", before[of]!);
    expect(await addressOf(name)).toBe(before[of]!);
  }
  expect(await host().links()).toContain("rt0");

  const { code, stdout, stderr } = await host().rt(["system", "up"]);
  expect([code, stdout]).toEqual([0, "web\nmoved\n"]);
  expect(await addressOf("web")).toBe(before.web!);
  const inside = await host().ok(["exec", "web", "ip", "-4", "-o", "address"]);
  expect(inside).toMatch(/eth0 +inet 172\.17\.0\.\d+\/[\s\S]*eth1 +inet 10\.9\.0\.7\//);
  const other = await addressOf("moved");
  expect(Object.values(before)).not.toContain(other);
  expect(stderr).toBe(
    `rt: warning: network bridge: container moved is ${other} from now on: another container has the address that it had\n`,
  );
  expect(await host().ok(["port", "web"])).toContain("80/tcp -> 0.0.0.0:8080\n");
  const { world, own } = fetching(host());
  expect(await world("192.0.2.2", 8080)).toBe("web to 192.0.2.1\n");
  expect(await own("127.0.0.1", 8080)).toStartWith("web to ");
  expect(await statusOf(host(), "once")).toBe("exited");

  await host().ok(["rm", "-f", ...names, "heir", "squatter"]);
  await nothingLeft(host());
  await host().ok(["network", "prune", "-f"]);
}, 240_000);

test("those who need the default network first, all at once, are not told that it clashes with itself", async () => {
  const run = () => host().rt(["run", "--rm", "--network", "bridge", image, "true"]);
  await run();
  // As after a boot: its subnet is chosen, and its bridge is not there.
  await host().inHost(["ip", "link", "delete", "rt0"]);
  const results = await Promise.all(Array.from({ length: 48 }, run));
  expect(results.map(({ code, stderr }) => `${code} ${stderr}`)).toEqual(results.map(() => "0 "));
  await nothingLeft(host());
  await host().ok(["network", "prune", "-f"]);
}, 240_000);
