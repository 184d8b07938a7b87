/** Networks of an ordinary user's containers: pasta and slirp4netns, with a world outside. */
import { beforeAll, expect } from "bun:test";
import { worldAddress } from "../support/network-host.ts";
import { ordinaryUser } from "../support/ordinary-user.ts";
import { needs } from "../support/root.ts";
import { openTun } from "../support/tun.ts";
import {
  dnsIn,
  lookUp,
  nothingRuns,
  pidOf,
  serve,
  userWorld,
  userWorldTools,
} from "../support/user-world.ts";
import { until } from "../support/wait.ts";

const { test } = needs({ root: true, tools: userWorldTools });
const kinds = ["pasta", "slirp4netns"] as const;
const hello = "embed:hello";

beforeAll(openTun);

test("where nobody names a network pasta carries it: an address, names, and a way out", async () => {
  await using there = await userWorld();
  await there.host.serveInWorld(9000, "world");
  const net = await there.ok("run", "--rm", "-q", hello, "net");
  expect(net).toContain("address eth0 10.0.2.100/24");
  expect(await there.ok("run", "--rm", "-q", hello, "fetch", worldAddress, "9000", "5000")).toBe(
    "world to 192.0.2.2\n",
  );
  const files = await there.ok("run", "--rm", "-q", hello, "cat", "/etc/hosts", "/etc/resolv.conf");
  expect(files).toContain("10.0.2.100\t");
  expect(files).toContain("192.0.2.2\thost.containers.internal host.docker.internal\n");
  expect(files).toContain("nameserver 127.0.0.11\n");
  expect(await there.ok("ps", "-aq")).toBe("");
  await nothingRuns(there);
}, 120_000);

test("names are answered by the host's servers, and by those that are named, from where they are", async () => {
  await using there = await userWorld();
  const names = await dnsIn(there);
  await serve(there, "asks", "--dns", "192.0.2.1");
  expect(await lookUp(there, "asks", "one.test")).toEqual(["192.0.2.50"]);
  await there.ok("rm", "-f", "asks");
  await names[Symbol.asyncDispose]();
  await nothingRuns(there);
}, 120_000);

test("none has a loopback alone, and host what the host has", async () => {
  await using there = await userWorld();
  const links = async (network: string) =>
    (await there.ok("run", "--rm", "-q", "--network", network, hello, "net"))
      .split("\n")
      .flatMap((line) => /^interface (\S+)/.exec(line)?.[1] ?? []);
  expect(await links("none")).toEqual(["lo"]);
  expect(await links("host")).toEqual(["lo", "up0"]);
}, 120_000);

for (const kind of kinds) {
  test(`${kind}: ports lead in, and the client is who he is`, async () => {
    await using there = await userWorld();
    const ports = ["-p", "8080:80", "-p", "127.0.0.1:8081:80"];
    await serve(there, "web", "--network", kind, ...ports);
    expect(await there.fromHost("fetch", "127.0.0.1", "8080", "5000")).toStartWith("web to ");
    expect(await there.fromHost("fetch", "127.0.0.1", "8081", "5000")).toStartWith("web to ");
    expect(await there.fromWorld("fetch", "192.0.2.2", "8081", "700")).toBe("error ECONNREFUSED connect\n");
    expect(await there.ok("port", "web")).toContain("80/tcp -> 0.0.0.0:8080\n");
    expect(await there.ok("ps", "--format", "{{.Ports}}")).toContain("127.0.0.1:8081->80/tcp");
    const datagrams = ["--network", kind, "-p", "5300:53/udp", hello, "serve-datagrams", "53", "udp"];
    await there.ok("run", "-d", "-q", "--name", "udp", ...datagrams);
    await until("it serves", async () => (await there.ok("logs", "udp")).includes("serving"));
    expect(await there.fromWorld("ask", "192.0.2.2", "5300", "5000")).toBe("udp to 192.0.2.1\n");
    await there.ok("rm", "-f", "web", "udp");
    await nothingRuns(there);
    expect(await there.fromHost("fetch", "127.0.0.1", "8080", "700")).toBe("error ECONNREFUSED connect\n");
  }, 120_000);

  test(`${kind}: a taken port is an error before the program runs, and the next start has it`, async () => {
    await using there = await userWorld();
    await serve(there, "first", "--network", kind, "-p", "8080:80");
    const second = ["run", "--name", "second", "--network", kind, "-p", "8080:80", hello, "ids"];
    const refused = await there.rt(...second);
    expect(refused.stdout).toBe("");
    expect(refused.stderr).toContain("Bind for 0.0.0.0:8080 failed: port is already allocated");
    expect(refused.code).toBe(125);
    await there.ok("rm", "-f", "first");
    expect(await there.ok(...second.filter((word) => word !== "--name" && word !== "second"))).toContain(
      "pid 1",
    );
    await there.ok("container", "prune", "-f");
    await nothingRuns(there);
  }, 120_000);

  test(`${kind}: killed, there is another one; and it ends with its container, its keeper, its monitor`, async () => {
    await using there = await userWorld();
    const program = kind === "pasta" ? /^(pasta|passt)/ : /^slirp4netns/;
    await serve(there, "web", "--network", kind, "-p", "8080:80");
    const isThere = async () =>
      (await there.fromHost("fetch", "127.0.0.1", "8080", "500")).startsWith("web to ");
    const first = pidOf(there, program);
    process.kill(first, "SIGKILL");
    await until("another one carries on", isThere);
    expect(pidOf(there, program)).not.toBe(first);
    await there.ok("kill", "web");
    await until(
      "its network is gone",
      () => !there.user.processes().some(({ command }) => program.test(command)),
    );
    await there.ok("start", "web");
    await until("it is back", isThere);
    process.kill(pidOf(there, /^rt-network/), "SIGKILL");
    await until("it is gone", () => !there.user.processes().some(({ command }) => program.test(command)));
    await there.ok("restart", "-t", "0", "web");
    await until("it is back", isThere);
    process.kill(pidOf(there, /^rt-monitor/), "SIGKILL");
    await nothingRuns(there);
    await there.ok("rm", "-f", "web");
    await nothingRuns(there);
  }, 120_000);
}

test("a restart by policy has its network and its ports again", async () => {
  await using there = await userWorld();
  await serve(there, "web", "--restart", "always", "-p", "8080:80");
  const isThere = async () =>
    (await there.fromHost("fetch", "127.0.0.1", "8080", "500")).startsWith("web to ");
  await until("it serves", isThere);
  const before = pidOf(there, /^(pasta|passt)/);
  process.kill(pidOf(there, /^probe/), "SIGKILL");
  await until("another one carries it", () =>
    there.user.processes().some(({ pid, command }) => pid !== before && /^(pasta|passt)/.test(command)),
  );
  await until("it serves again", isThere);
  await there.ok("rm", "-f", "web");
  await nothingRuns(there);
}, 120_000);

test("a port of root's, and one that no program carries: one line each", async () => {
  await using there = await userWorld();
  const low = await there.rt("run", "--rm", "-q", "-p", "80:80", hello, "ids");
  expect(low).toMatchObject({ code: 125, stdout: "" });
  expect(low.stderr).toMatch(
    /: ports below 1024 are for root alone: .* net\.ipv4\.ip_unprivileged_port_start=80\n$/,
  );
  const sctp = await there.rt("run", "--rm", "-q", "-p", "9000:90/sctp", hello, "ids");
  expect(sctp.stderr).toContain("pasta carries TCP and UDP: no port 90/sctp");
  expect(sctp.code).toBe(125);
  const option = await there.rt("run", "--rm", "-q", "--network", "pasta:--no-such-option", hello, "ids");
  expect(option).toMatchObject({ code: 125, stdout: "" });
  expect(option.stderr).toStartWith("rt: cannot start container ");
  expect(option.stderr.trim().split("\n")).toHaveLength(1);
  await nothingRuns(there);
}, 120_000);

test("what a program cannot do is one line", async () => {
  await using there = await userWorld();
  await serve(there, "web", "-p", "8080:80");
  await there.ok("network", "create", "back");
  for (const [words, why] of [
    [["port", "add", "web", "8081:81"], "takes and gives up no port while it runs"],
    [["port", "rm", "web", "8080:80"], "takes and gives up no port while it runs"],
    [["network", "connect", "back", "web"], "it cannot be connected to any other"],
    [
      ["run", "--rm", "-q", "--network", "back", "--egress-allow", "192.0.2.1", hello],
      "--egress-allow is for root's",
    ],
  ] as const) {
    const refused = await there.rt(...words);
    expect(refused.stderr).toContain(why);
    expect(refused.stderr.trim().split("\n")).toHaveLength(1);
    expect(refused.code).toBe(words[0] === "run" ? 125 : 1);
  }
  await there.ok("network", "rm", "back");
  await there.ok("rm", "-f", "web");
  await nothingRuns(there);
}, 120_000);

test("a host that leads nowhere: slirp4netns does not mind; pasta does, and it is said what to do", async () => {
  await using user = await ordinaryUser();
  const front = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "-"];
  const usual = await user.rt(["run", "--name", "usual", "-q", hello], { front });
  expect([usual.stderr, usual.code]).toEqual(["", 0]);
  expect(await user.ok(["inspect", "-f", "{{.HostConfig.NetworkMode}}", "usual"])).toBe("slirp4netns\n");
  await user.ok(["rm", "usual"]);
  const { stderr, code } = await user.rt(["run", "--rm", "-q", "--network", "pasta", hello], { front });
  expect(stderr).toMatch(
    /^rt: cannot start container [a-z_]+: pasta: .*: the host has no default route, which pasta needs: use --network none or host, or --network slirp4netns where that is installed\n$/,
  );
  expect(code).toBe(125);
}, 120_000);

test("twelve starts at once have a network each, and a port each", async () => {
  await using there = await userWorld();
  const names = Array.from({ length: 12 }, (_, index) => `c${index}`);
  await Promise.all(
    names.map((name) => there.ok("run", "-d", "-q", "--name", name, "-p", "80", hello, "serve", "80", name)),
  );
  for (const name of names) {
    const port = /:(\d+)$/m.exec(await there.ok("port", name, "80"))![1]!;
    await until("it serves", async () =>
      (await there.fromHost("fetch", "127.0.0.1", port, "2000")).startsWith(`${name} to `),
    );
  }
  await there.ok("rm", "-f", ...names);
  await nothingRuns(there);
}, 240_000);
