/** Networks that an ordinary user makes: bridges in a network namespace of his own. */
import { beforeAll, expect } from "bun:test";
import { worldAddress } from "../support/network-host.ts";
import { needs } from "../support/root.ts";
import { openTun } from "../support/tun.ts";
import { lookUp, nothingRuns, serve, userWorld, userWorldTools } from "../support/user-world.ts";
import { until } from "../support/wait.ts";

const { test } = needs({ root: true, tools: userWorldTools });
const hello = "embed:hello";

beforeAll(openTun);

test("containers of a network find each other by name, reach the world, and are reached by ports", async () => {
  await using there = await userWorld();
  await there.host.serveInWorld(9000, "world");
  await there.ok("network", "create", "back");
  await serve(there, "web", "--network", "back", "-p", "8080:80");
  await serve(there, "other", "--network", "back", "--network-alias", "second");
  const ask = (...words: string[]) => there.ok("run", "--rm", "-q", "--network", "back", hello, ...words);
  const address = (
    await there.ok("inspect", "-f", "{{.NetworkSettings.Networks.back.IPAddress}}", "web")
  ).trim();
  expect(await lookUp(there, "other", "web")).toEqual([address]);
  expect(await lookUp(there, "web", "second")).toHaveLength(1);
  expect(await ask("fetch", address, "80", "5000")).toStartWith("web to ");
  const hosts = ["run", "--rm", "-q", "--network", "back", "--add-host", "host:host-gateway", hello, "cat"];
  expect(await there.ok(...hosts, "/etc/hosts")).toContain("192.0.2.2\thost\n");
  expect(await ask("fetch", worldAddress, "9000", "5000")).toBe("world to 192.0.2.2\n");
  expect(await there.fromHost("fetch", "127.0.0.1", "8080", "5000")).toStartWith("web to ");
  expect(await there.fromWorld("fetch", "192.0.2.2", "8080", "5000")).toStartWith("web to ");
  expect(await there.ok("port", "web")).toContain("80/tcp -> 0.0.0.0:8080\n");
  await there.ok("port", "add", "web", "8081:80");
  expect(await there.fromWorld("fetch", "192.0.2.2", "8081", "5000")).toStartWith("web to ");
  await there.ok("port", "rm", "web", "8081:80");
  expect(await there.fromHost("fetch", "127.0.0.1", "8081", "700")).toBe("error ECONNREFUSED connect\n");
  // Nothing of it is the host's.
  expect(await there.host.links()).toEqual([]);
  await there.ok("rm", "-f", "web", "other");
  await there.ok("network", "rm", "back");
  await nothingRuns(there);
}, 180_000);

test("internal leads nowhere, and networks do not reach each other", async () => {
  await using there = await userWorld();
  await there.host.serveInWorld(9000, "world");
  await there.ok("network", "create", "front");
  await there.ok("network", "create", "--internal", "closed");
  await serve(there, "web", "--network", "front");
  const address = (
    await there.ok("inspect", "-f", "{{.NetworkSettings.Networks.front.IPAddress}}", "web")
  ).trim();
  const closed = await there.rt(
    "run",
    "--rm",
    "-q",
    "--network",
    "closed",
    hello,
    "fetch",
    worldAddress,
    "9000",
    "700",
  );
  expect(closed.stdout).toMatch(/^error (ETIMEDOUT|ENETUNREACH) connect\n$/);
  const across = await there.rt(
    "run",
    "--rm",
    "-q",
    "--network",
    "closed",
    hello,
    "fetch",
    address,
    "80",
    "700",
  );
  expect(across.stdout).toMatch(/^error (ETIMEDOUT|ENETUNREACH) connect\n$/);
  await there.ok("network", "connect", "closed", "web");
  const second = (
    await there.ok("inspect", "-f", "{{.NetworkSettings.Networks.closed.IPAddress}}", "web")
  ).trim();
  expect(
    await there.ok("run", "--rm", "-q", "--network", "closed", hello, "fetch", second, "80", "5000"),
  ).toStartWith("web to ");
  await there.ok("network", "disconnect", "closed", "web");
  await there.ok("rm", "-f", "web");
  await there.ok("network", "prune", "-f");
  await nothingRuns(there);
}, 180_000);

test("who keeps the namespace may be killed: the next container has a new one", async () => {
  await using there = await userWorld();
  await there.ok("network", "create", "back");
  await serve(there, "first", "--network", "back");
  const keeper = there.user.processes().find(({ command }) => command === "rt-network")!;
  process.kill(keeper.pid, "SIGKILL");
  await until(
    "its pasta goes with it",
    () => !there.user.processes().some(({ command }) => /^(pasta|passt)/.test(command)),
  );
  await there.ok("rm", "-f", "first");
  await serve(there, "second", "--network", "back", "-p", "8080:80");
  expect(await there.fromHost("fetch", "127.0.0.1", "8080", "5000")).toStartWith("second to ");
  await there.ok("rm", "-f", "second");
  await there.ok("network", "rm", "back");
  await nothingRuns(there);
}, 180_000);
