/** Ports of the host that lead to containers: who reaches them, as whom, and what becomes of them. */
import { afterAll, afterEach, expect } from "bun:test";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { fetchIn, fetching, nobody, refused, serve } from "../support/port-host.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { busyboxHost, image } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "nft", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "lab"]);
  await host().ok(["network", "create", "--subnet", "10.6.0.0/24", "--subnet", "fd06::/64", "six"]);
  await host().ok(["network", "create", "--internal", "--subnet", "10.7.0.0/24", "vault"]);
}, 120_000);

afterAll(async () => await made?.[Symbol.asyncDispose]());

afterEach(async () => {
  const all = (await host().ok(["ps", "-aq"])).trim();
  if (all !== "") await remove(...all.split("\n"));
});

const remove = (...names: string[]) => host().ok(["rm", "-f", ...names]);

test("for the world, the host itself, the container and its neighbours; the world is seen as what it is", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "8080:80"]);
  const { world, own } = fetching(host());
  expect(await world("192.0.2.2", 8080)).toBe("web to 192.0.2.1\n");
  expect(await own("127.0.0.1", 8080)).toBe("web to 10.5.0.1\n");
  expect(await own("192.0.2.2", 8080)).toBe("web to 192.0.2.2\n");
  expect(await own("::1", 8080)).toBe("web to 10.5.0.1\n");
  expect(await world("2001:db8::2", 8080)).toBe("web to 10.5.0.1\n");
  expect(await fetchIn(host(), "web")("192.0.2.2", 8080)).toBe("web to 10.5.0.1\n");
  await serve(host(), "next", ["--network", "lab"]);
  expect(await fetchIn(host(), "next")("192.0.2.2", 8080)).toBe("web to 10.5.0.1\n");
  await serve(host(), "far", ["--network", "six"]);
  expect(await fetchIn(host(), "far")("192.0.2.2", 8080)).toBe("web to 10.5.0.1\n");
  // The host's address is a way, the container's own is none.
  expect(await fetchIn(host(), "far")("10.5.0.2", 80)).toBe(nobody);
  await remove("web", "next", "far");
  expect(await world("192.0.2.2", 8080)).toBe(refused);
});

test("by IPv6: led as IPv4 is where the container has it", async () => {
  await serve(host(), "web", ["--network", "six", "-p", "8080:80"]);
  const { world, own } = fetching(host());
  expect(await world("2001:db8::2", 8080)).toBe("web to 2001:0db8:0000:0000:0000:0000:0000:0001\n");
  expect(await own("2001:db8::2", 8080)).toBe("web to 2001:0db8:0000:0000:0000:0000:0000:0002\n");
  expect(await own("::1", 8080)).toBe("web to fd06:0000:0000:0000:0000:0000:0000:0001\n");
  expect(await fetchIn(host(), "web")("2001:db8::2", 8080)).toBe(
    "web to fd06:0000:0000:0000:0000:0000:0000:0001\n",
  );
  await remove("web");
  await serve(host(), "web", ["--network", "six", "-p", "[2001:db8::2]:8080:80"]);
  expect(await world("2001:db8::2", 8080)).toBe("web to 2001:0db8:0000:0000:0000:0000:0000:0001\n");
  expect(await world("192.0.2.2", 8080)).toBe(refused);
  expect(await host().ok(["port", "web"])).toBe("80/tcp -> [2001:db8::2]:8080\n");
  await remove("web");
});

test("datagrams, and a client of before finds the container that is there now", async () => {
  const { world, own } = fetching(host(), "ask");
  const flags = ["--network", "lab", "-p", "5353:53/udp"];
  await serve(host(), "one", flags, { verb: "serve-datagrams", port: 53 });
  expect(await world("192.0.2.2", 5353, ["1000", "4000"])).toBe("one to 192.0.2.1\n");
  expect(await own("127.0.0.1", 5353)).toBe("one to 10.5.0.1\n");
  expect(await own("::1", 5353)).toBe("one to 10.5.0.1\n");
  expect(await world("2001:db8::2", 5353)).toBe("one to 10.5.0.1\n");
  await remove("one");
  // Somebody else has its address.
  await host().ok(["run", "-d", "--name", "other", "--network", "lab", image, "sleep", "100"]);
  await serve(host(), "two", flags, { verb: "serve-datagrams", port: 53 });
  // The same client's port: what the kernel remembers of it leads to who was there before.
  expect(await world("192.0.2.2", 5353, ["1000", "4000"])).toBe("two to 192.0.2.1\n");
});

test("published at 127.0.0.1 is for the host alone", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "127.0.0.1:8080:80"]);
  await serve(host(), "far", ["--network", "six"]);
  const { world, own } = fetching(host());
  expect(await own("127.0.0.1", 8080)).toBe("web to 10.5.0.1\n");
  expect(await world("192.0.2.2", 8080)).toBe(refused);
  // A neighbour on the wire who says that 127.0.0.1 is there, even where the host's kernel would take that.
  await host().inHost(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/up0/route_localnet"]);
  await host().inWorld(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/up1/route_localnet"]);
  await host().inWorld([
    "ip",
    "route",
    "add",
    "127.0.0.0/8",
    "via",
    "192.0.2.2",
    "dev",
    "up1",
    "table",
    "77",
  ]);
  await host().inWorld(["ip", "rule", "add", "to", "127.0.0.0/8", "lookup", "77", "pref", "1"]);
  await host().inWorld(["ip", "rule", "del", "pref", "0"]);
  await host().inWorld(["ip", "rule", "add", "lookup", "local", "pref", "2"]);
  expect(await world("127.0.0.1", 8080)).toBe(nobody);
  await host().inWorld(["ip", "rule", "del", "pref", "1"]);
  // Nor a container, for which the bridge lets 127.0.0.1 pass.
  for (const name of ["web", "far"]) expect(await fetchIn(host(), name)("10.5.0.1", 8080)).toBe(refused);
  await remove("web", "far");
});

test("what is taken is an error before anything runs, in Docker's words, and nothing is left", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "8080:80"]);
  const second = [
    "run",
    "--name",
    "second",
    "--network",
    "lab",
    "-p",
    "9000:90",
    "-p",
    "8080:80",
    image,
    "true",
  ];
  const { code, stderr } = await host().rt(second);
  expect([code, stderr.split("\n").length]).toEqual([125, 2]);
  expect(stderr).toContain("Bind for 0.0.0.0:8080 failed: port is already allocated");
  expect(await host().ok(["ps", "-aq", "--filter", "name=second"])).toBe("");
  // What it had taken already is free again.
  await host().ok(["run", "--rm", "--network", "lab", "-p", "9000:90", image, "true"]);
  // Nobody else gets it, and nobody is answered at the socket that holds it.
  const other = await host().inHost([
    "sh",
    "-c",
    `timeout 1 ${await probeBinary()} serve 8080 other || true`,
  ]);
  expect(other).toBe("error EADDRINUSE listen\n");
  await remove("web");
  const strange = ["run", "--rm", "--network", "lab", "-p", "192.0.2.77:8080:80", image, "true"];
  expect(await host().rt(strange)).toMatchObject({
    code: 125,
    stderr: expect.stringContaining("no such address"),
  });
});

test("ranges, and what is left to us", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "8000-8001:80-81", "-p", "127.0.0.1::82"]);
  const { world } = fetching(host());
  expect(await world("192.0.2.2", 8000)).toBe("web to 192.0.2.1\n");
  const ports = await host().ok(["port", "web"]);
  const wanted = [
    "80/tcp -> 0.0.0.0:8000",
    "80/tcp -> [::]:8000",
    "81/tcp -> 0.0.0.0:8001",
    "81/tcp -> [::]:8001",
  ];
  expect(ports.split("\n").slice(0, 4)).toEqual(wanted);
  const chosen = Number(/^82\/tcp -> 127\.0\.0\.1:(\d+)$/m.exec(ports)?.[1]);
  expect(chosen).toBeGreaterThanOrEqual(32768);
  // Of a range the first that is free.
  await serve(host(), "next", ["--network", "lab", "-p", "8000-8010:80"]);
  expect(await host().ok(["port", "next", "80"])).toBe("0.0.0.0:8002\n[::]:8002\n");
  await serve(host(), "all", ["--network", "lab", "-P", "--expose", "80", "--expose", "90-91/udp"]);
  const published = JSON.parse(await host().ok(["inspect", "-f", "{{json .NetworkSettings.Ports}}", "all"]));
  expect(Object.keys(published).sort()).toEqual(["80/tcp", "90/udp", "91/udp"]);
  expect(await world("192.0.2.2", Number(published["80/tcp"][0].HostPort))).toBe("all to 192.0.2.1\n");
  await remove("web", "next", "all");
  await host().inHost(["sh", "-c", "echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range"]);
  await host().inHost(["sh", "-c", "echo 40001-40003 > /proc/sys/net/ipv4/ip_local_reserved_ports"]);
  await host().ok(["run", "-d", "--name", "one", "--network", "lab", "-p", "80", image, "sleep", "100"]);
  expect(await host().ok(["port", "one", "80"])).toBe("0.0.0.0:40000\n[::]:40000\n");
  const last = await host().rt(["run", "--rm", "--network", "lab", "-p", "80", image, "true"]);
  expect(last).toMatchObject({ code: 125, stderr: expect.stringContaining("port is already allocated") });
  await host().inHost(["sh", "-c", "echo 32768 60999 > /proc/sys/net/ipv4/ip_local_port_range"]);
  await host().inHost(["sh", "-c", "echo > /proc/sys/net/ipv4/ip_local_reserved_ports"]);
  await remove("one");
});

test("rt port, ps and inspect say where it is; of one that does not run there is nothing", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "8080:80", "--expose", "443"]);
  expect(await host().ok(["port", "web"])).toBe("80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n");
  expect(await host().ok(["port", "web", "80/tcp"])).toBe("0.0.0.0:8080\n[::]:8080\n");
  const none = await host().rt(["port", "web", "443"]);
  expect([none.code, none.stderr]).toEqual([1, "rt: No public port '443' published for web\n"]);
  const format = ["--format", "{{.Ports}}"];
  const line = "443/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp\n";
  expect(await host().ok(["ps", ...format])).toBe(line);
  for (const filter of ["publish=8080", "publish=8079-8081/tcp", "expose=443", "expose=80/tcp"])
    expect([filter, await host().ok(["ps", "--filter", filter, ...format])]).toEqual([filter, line]);
  for (const filter of ["publish=443", "publish=80", "publish=8080/udp", "expose=81"])
    expect([filter, await host().ok(["ps", "--filter", filter, ...format])]).toEqual([filter, ""]);
  const ask = (what: string) => host().ok(["inspect", "-f", `{{json ${what}}}`, "web"]);
  expect(JSON.parse(await ask(".HostConfig.PortBindings"))).toEqual({
    "80/tcp": [{ HostIp: "", HostPort: "8080" }],
  });
  expect(JSON.parse(await ask(".Config.ExposedPorts"))).toEqual({ "80/tcp": {}, "443/tcp": {} });
  await host().ok(["kill", "web"]);
  await host().ok(["wait", "web"]);
  expect(await host().ok(["port", "web"])).toBe("");
  expect(await host().ok(["ps", "-a", ...format])).toBe("\n");
  expect(JSON.parse(await ask(".NetworkSettings.Ports"))).toEqual({});
  await host().ok(["start", "web"]);
  expect(await host().ok(["port", "web", "80"])).toBe("0.0.0.0:8080\n[::]:8080\n");
  await remove("web");
});

test("one that cannot be started shows no ports", async () => {
  await host().ok(["create", "--name", "web", "--network", "lab", "--expose", "443", image, "nothing"]);
  expect((await host().rt(["start", "web"])).code).toBe(1);
  expect(await host().ok(["ps", "-a", "--format", "{{.Ports}}"])).toBe("\n");
  const ask = ["inspect", "-f", "{{json .NetworkSettings.Ports}}", "web"];
  expect(JSON.parse(await host().ok(ask))).toEqual({});
  await remove("web");
});

test("where no port leads it is told", async () => {
  const discarded = await host().rt(["run", "--rm", "-p", "8080:80", "--network", "host", image, "true"]);
  expect(discarded.stderr).toContain("published ports are discarded when using host network mode\n");
  expect(
    (await host().rt(["run", "--rm", "-p", "8080:80", "--network", "none", image, "true"])).stderr,
  ).toContain("published ports are discarded");
  const told = await host().rt(["run", "--rm", "-p", "8080:80", "--network", "vault", image, "true"]);
  expect(told.stderr).toContain("is in no network that leads out: its ports are not published\n");
  await host().ok([
    "network",
    "create",
    "-d",
    "macvlan",
    "--subnet",
    "192.0.2.0/24",
    "-o",
    "parent=up0",
    "lan",
  ]);
  const onWire = await host().rt(["run", "--rm", "-p", "8080:80", "--network", "lan", image, "true"]);
  expect(onWire.stderr).toContain("is on the wire in network lan (macvlan), where all its ports are reached");
  await host().ok(["network", "rm", "lan"]);
  await serve(host(), "closed", ["--network", "vault", "-p", "8080:80"]);
  const { world, own } = fetching(host());
  for (const answer of [await world("192.0.2.2", 8080), await own("127.0.0.1", 8080)])
    expect(answer).toBe(refused);
  expect(await host().ok(["ps", "--format", "{{.Ports}}"])).toBe("80/tcp\n");
  await remove("closed");
  const joined = await host().rt(["run", "--rm", "-p", "80:80", "--network", "container:x", image, "true"]);
  expect([joined.code, joined.stderr]).toEqual([
    125,
    "rt: conflicting options: port publishing and the container type network mode\n",
  ]);
});
