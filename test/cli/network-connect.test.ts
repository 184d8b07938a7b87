/** `rt network connect` and `disconnect`: of containers that run, stand still or do not run; what of it is seen in them. */
import { afterAll, afterEach, expect } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type NetworkHost, networkHost, networkTools, worldAddress } from "../support/network-host.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { busyboxHost, image, nothingLeft, oneLine, persistently, statusOf } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;
const names = ["a", "b", "v"];

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.serveInWorld(80, "hello from the world");
  await made.ok(["network", "create", "--subnet", "10.5.0.0/24", "a"]);
  await made.ok(["network", "create", "--subnet", "10.6.0.0/24", "--ipv6", "--subnet", "fd77::/64", "b"]);
  await made.ok(["network", "create", "--subnet", "10.7.0.0/24", "--internal", "v"]);
}, 120_000);

afterEach(async () => {
  if (!made) return;
  await nothingLeft(host());
  await until("no end of a container is left", async () => {
    return (await host().links()).every((name) => !name.startsWith("veth"));
  });
});

afterAll(async () => {
  if (made) await made.ok(["network", "rm", ...names]);
  await made?.[Symbol.asyncDispose]();
});

const sleep = (...flags: string[]) => host().ok(["run", "-d", ...flags, image, "sleep", "1000"]);
const connect = (...words: string[]) => host().ok(["network", "connect", ...words]);
const disconnect = (...words: string[]) => host().ok(["network", "disconnect", ...words]);
const inside = (name: string, command: string) => host().ok(["exec", name, "sh", "-c", command]);

/** "eth0 10.5.0.2/24": its addresses. */
async function addresses(name: string): Promise<string[]> {
  const lines = (await inside(name, "ip -o address")).split("\n");
  return lines.flatMap((line) => /^\d+: (eth\d+)\s+inet6? (\S+)/.exec(line)?.slice(1).join(" ") ?? []).sort();
}

async function defaultRoute(name: string): Promise<string> {
  return /^default via (\S+ dev \S+)/m.exec(await inside(name, "ip route"))?.[1] ?? "";
}

async function settings(name: string): Promise<Record<string, Record<string, unknown>>> {
  return JSON.parse(await host().ok(["inspect", "-f", "{{json .NetworkSettings.Networks}}", name]));
}

const own = (text: string) => text.split("\n").filter((line) => /^(10|fd77:)/.test(line));

async function failure(...argv: string[]): Promise<string> {
  const { stderr, code } = await host().rt(argv);
  return `${code} ${oneLine(stderr)}`;
}

test("one that runs: its interfaces, its default routes, its hosts, its documents", async () => {
  await sleep("--name", "web", "--hostname", "me", "--network", "a");
  await inside("web", "echo '192.0.2.9 mine' >> /etc/hosts");
  await connect("--alias", "shop", "--ip", "10.6.0.9", "--ip6", "fd77::9", "b", "web");
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24", "eth1 10.6.0.9/24", "eth1 fd77::9/64"]);
  // There most families are.
  expect(await defaultRoute("web")).toBe("10.6.0.1 dev eth1");
  expect(await inside("web", "ip -6 route")).toMatch(/^default via fd77::1 dev eth1/m);
  const hosts = await inside("web", "cat /etc/hosts");
  expect(own(hosts)).toEqual(["10.5.0.2\tme", "10.6.0.9\tme", "fd77::9\tme"]);
  expect(hosts).toContain("192.0.2.9 mine\n");
  expect(await inside("web", `probe fetch ${worldAddress} 80`)).toContain("hello from the world");
  const { a, b } = await settings("web");
  expect(a).toMatchObject({ IPAddress: "10.5.0.2", Gateway: "10.5.0.1", IPAMConfig: null });
  expect(b).toMatchObject({
    ...{ IPAddress: "10.6.0.9", IPPrefixLen: 24, GlobalIPv6Address: "fd77::9", GlobalIPv6PrefixLen: 64 },
    ...{ Aliases: ["shop"], IPAMConfig: { IPv4Address: "10.6.0.9", IPv6Address: "fd77::9" } },
  });
  const { Containers } = JSON.parse(await host().ok(["network", "inspect", "b"]))[0];
  expect(Object.values(Containers)).toMatchObject([{ Name: "web", IPv4Address: "10.6.0.9/24" }]);
  await disconnect("b", "web");
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24"]);
  expect(await defaultRoute("web")).toBe("10.5.0.1 dev eth0");
  expect(own(await inside("web", "cat /etc/hosts"))).toEqual(["10.5.0.2\tme"]);
  expect(Object.keys(await settings("web"))).toEqual(["a"]);
  await connect("v", "web");
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24", "eth1 10.7.0.2/24"]);
  await disconnect("a", "web");
  // An internal network leads nowhere.
  expect(await inside("web", "ip route")).toBe("10.7.0.0/24 dev eth1 scope link  src 10.7.0.2 \n");
  await disconnect("v", "web");
  expect(await addresses("web")).toEqual([]);
  expect(await settings("web")).toEqual({});
  await connect("--gw-priority", "-1", "b", "web");
  await connect("a", "web");
  expect(await addresses("web")).toEqual(["eth0 10.6.0.2/24", "eth0 fd77::2/64", "eth1 10.5.0.2/24"]);
  expect(await defaultRoute("web")).toBe("10.5.0.1 dev eth1");
  expect(await inside("web", "ip -6 route")).toMatch(/^default via fd77::1 dev eth0/m);
  await host().ok(["rm", "-f", "web"]);
});

test("run and create: several networks, each with what is asked of it", async () => {
  const long = "name=b,alias=shop,ip=10.6.0.9,ip6=fd77::9,mac-address=02:00:00:00:00:09,gw-priority=-1";
  await sleep("--name", "web", "--network", "a,v", "--ip", "10.5.0.9", "--network", `${long},driver-opt=k=v`);
  expect(await addresses("web")).toEqual([
    ...["eth0 10.5.0.9/24", "eth1 10.7.0.2/24", "eth2 10.6.0.9/24", "eth2 fd77::9/64"],
  ]);
  expect(await defaultRoute("web")).toBe("10.5.0.1 dev eth0");
  expect(await inside("web", "ip -6 route")).toMatch(/^default via fd77::1 dev eth2/m);
  expect(own(await inside("web", "cat /etc/hosts")).map((line) => line.split("\t")[0])).toEqual([
    ...["10.5.0.9", "10.7.0.2", "10.6.0.9", "fd77::9"],
  ]);
  expect((await settings("web")).b).toMatchObject({
    ...{ MacAddress: "02:00:00:00:00:09", GwPriority: -1, DriverOpts: { k: "v" }, Aliases: ["shop"] },
  });
  expect(await host().ok(["ps", "--format", "{{.Networks}}"])).toBe("a,b,v\n");
  for (const network of ["a", "b", "v"])
    expect(await host().ok(["ps", "-f", `network=${network}`, "--format", "{{.Names}}"])).toBe("web\n");
  await host().ok(["rm", "-f", "web"]);
  await sleep("--name", "web", "--network", "name=a,interface_name=wan0", "--network", "b");
  expect(await inside("web", "ip -o -4 address")).toMatch(/^\d+: wan0 +inet 10\.5\.0\.\d+\/24/m);
  await host().ok(["rm", "-f", "web"]);
  for (const [argv, text] of [
    [
      ["--network", "a", "--network", "host"],
      "125 conflicting options: cannot attach both user-defined and non",
    ],
    [
      ["--network", "name=a,ip=10.5.0.7", "--ip", "10.5.0.8"],
      "125 conflicting options: cannot specify both --ip",
    ],
    [["--network", "a", "--ip6", "fd77::9"], "no configured subnet contains the IP address fd77::9"],
    [["--network", "a", "--network", "nosuch"], "125 network nosuch not found"],
    [["--network", "name=a,foo=b"], "invalid field key foo"],
    [["--network", "b", "--ip6", "fd77::1"], "address fd77::1 is already in use on this network"],
  ] as const)
    expect(await failure("run", "--rm", ...argv, image, "true")).toContain(text);
});

test("what it is joined to stays with a restart, its addresses and interfaces too", async () => {
  await sleep("--name", "web", "--network", "a");
  await connect("b", "web");
  await connect("v", "web");
  await disconnect("a", "web");
  const before = [await addresses("web"), await defaultRoute("web"), await settings("web")];
  expect(before[0]).toEqual(["eth1 10.6.0.2/24", "eth1 fd77::2/64", "eth2 10.7.0.2/24"]);
  await host().ok(["restart", "-t", "0", "web"]);
  expect([await addresses("web"), await defaultRoute("web"), await settings("web")]).toEqual(before);
  await host().ok(["rm", "-f", "web"]);
});

test("one that does not run gets it with its start; one that stands still at once", async () => {
  await host().ok(["create", "--name", "web", "--network", "a", image, "sleep", "1000"]);
  await connect("--ip", "10.6.0.7", "b", "web");
  await connect("b", "web"); // nothing new
  expect(Object.keys(await settings("web"))).toEqual(["a", "b"]);
  await host().ok(["start", "web"]);
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24", "eth1 10.6.0.7/24", "eth1 fd77::2/64"]);
  await host().ok(["pause", "web"]);
  await connect("v", "web");
  await disconnect("b", "web");
  await host().ok(["unpause", "web"]);
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24", "eth2 10.7.0.2/24"]);
  await host().ok(["stop", "-t", "0", "web"]);
  await disconnect("a", "web");
  await host().ok(["start", "web"]);
  expect(await addresses("web")).toEqual(["eth2 10.7.0.2/24"]);
  await host().ok(["rm", "-f", "web"]);
});

test("one that was never in another network leaves it, whether or not it runs", async () => {
  await host().ok(["create", "--name", "web", "--network", "a", image, "sleep", "1000"]);
  await disconnect("a", "web");
  expect(await settings("web")).toEqual({});
  expect(await failure("network", "disconnect", "a", "web")).toContain("is not connected to network a");
  await host().ok(["start", "web"]);
  expect(await addresses("web")).toEqual([]);
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["run", "-d", "--name", "web", "--network", "a", image, "sleep", "1000"]);
  await disconnect("a", "web");
  expect(await addresses("web")).toEqual([]);
  await host().ok(["restart", "-t", "0", "web"]);
  expect(await addresses("web")).toEqual([]);
  await host().ok(["rm", "-f", "web"]);
});

test("one that waits to be started again gets it with that, and loses it with the next", async () => {
  const flags = ["run", "-d", "--name", "web", "--network", "a", "--restart", "always", image];
  await host().ok([...flags, "sh", "-c", "ip -o -4 address show | grep -c eth; exit 1"]);
  const waits = () => until("it waits", async () => (await statusOf(host(), "web")) === "restarting");
  const sees = (count: number) =>
    until(`it has ${count}`, async () => (await host().ok(["logs", "-n", "1", "web"])).trim() === `${count}`);
  for (const [act, count] of [
    [connect, 2],
    [disconnect, 1],
  ] as const) {
    await waits();
    await persistently("its networks are changed", () => act("b", "web"));
    expect(Object.keys(await settings("web"))).toEqual(count === 2 ? ["a", "b"] : ["a"]);
    await sees(count);
  }
  await host().ok(["rm", "-f", "web"]);
}, 240_000);

test("stats: what has gone through all of its interfaces", async () => {
  await sleep("--name", "web", "--network", "a", "--cap-add", "NET_RAW");
  await connect("b", "web");
  for (const address of ["10.5.0.1", "10.6.0.1"]) await inside("web", `ping -c 1 -s 20000 -W 5 ${address}`);
  const stats = await host().ok(["stats", "--no-stream", "--format", "{{.NetIO}}", "web"]);
  const [received = 0, sent = 0] = stats.split(" / ").map((text) => {
    const [, number, unit] = /^([\d.]+)(k?B)\s*$/.exec(text)!;
    return Number(number) * (unit === "kB" ? 1000 : 1);
  });
  for (const bytes of [received, sent]) expect(bytes).toBeGreaterThan(40_000);
  await host().ok(["rm", "-f", "web"]);
});

test("of a network that is gone it is taken out by force, and does not start before that", async () => {
  await host().ok(["network", "create", "gone"]);
  await host().ok(["create", "--name", "web", "--network", "a", image, "sleep", "1000"]);
  await connect("gone", "web");
  await host().ok(["network", "rm", "gone"]);
  expect(await failure("start", "web")).toContain("network gone not found");
  expect(await failure("network", "disconnect", "gone", "web")).toBe("1 network gone not found");
  await disconnect("-f", "gone", "web");
  await host().ok(["start", "web"]);
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24"]);
  await host().ok(["rm", "-f", "web"]);
});

test("a network of IPv6 alone: an address, the way out, names, and what is said of it", async () => {
  await host().ok(["network", "create", "--ipv4=false", "--ipv6", "--attachable", "six"]);
  const [six] = JSON.parse(await host().ok(["network", "inspect", "six"]));
  expect(six).toMatchObject({ EnableIPv4: false, EnableIPv6: true, Attachable: true });
  expect(six.IPAM.Config).toHaveLength(1);
  const listed = await host().ok(["network", "ls", "-f", "name=six", "--format", "{{.IPv4}} {{.IPv6}}"]);
  expect(listed).toBe("false true\n");
  await sleep("--name", "web", "--network", "six");
  expect(await addresses("web")).toEqual([expect.stringMatching(/^eth0 fd.*::2\/64$/)]);
  expect(await inside("web", "ip -6 route")).toMatch(/^default via fd\S+::1 dev eth0/m);
  expect(await inside("web", "ip route")).toBe("");
  const reached = await inside("web", "probe fetch 2001:db8::1 80");
  expect(reached).toContain("hello from the world to 2001:0db8:0000:0000:0000:0000:0000:0002");
  expect((await settings("web")).six).toMatchObject({ IPAddress: "", Gateway: "", GlobalIPv6PrefixLen: 64 });
  expect(await inside("web", "tail -n 1 /etc/hosts")).toMatch(/^fd\S+::2\t/);
  // Each family's default route leads where that family is.
  await connect("a", "web");
  expect(await defaultRoute("web")).toBe("10.5.0.1 dev eth1");
  expect(await inside("web", "ip -6 route")).toMatch(/^default via fd\S+::1 dev eth0/m);
  await host().ok(["rm", "-f", "web"]);
  for (const [argv, text] of [
    [["--ipam-driver", "dhcp"], '1 could not find an available IPAM driver "dhcp": want default'],
    [["--scope", "swarm"], '1 invalid --scope "swarm": want local, rt has no swarm'],
  ] as const)
    expect(await failure("network", "create", ...argv, "other")).toBe(text);
  await host().ok(["network", "rm", "six"]);
});

test("why says what is wrong with its networks", async () => {
  await host().ok(["network", "create", "gone"]);
  await host().ok(["create", "--name", "web", "--network", "gone", "--ip", "10.5.0.9", image, "true"]);
  await host().ok(["network", "rm", "gone"]);
  await host().rt(["start", "web"]);
  expect(await host().ok(["why", "web"])).toContain("network gone not found");
  await disconnect("-f", "gone", "web");
  await connect("--ip", "10.5.0.9", "a", "web");
  await sleep("--name", "other", "--network", "a", "--ip", "10.5.0.9");
  await host().rt(["start", "web"]);
  expect(await host().ok(["why", "web"])).toContain(
    "address 10.5.0.9 is already in use on this network: container other has it",
  );
  await host().ok(["rm", "-f", "web", "other"]);
});

test("none is left for others, as docker does", async () => {
  await sleep("--name", "web", "--network", "none");
  expect(await failure("network", "connect", "a", "web")).toBe(
    "1 container cannot be connected to multiple networks with one of the networks in private (none) mode",
  );
  await disconnect("none", "web");
  await connect("a", "web");
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24"]);
  await host().ok(["restart", "-t", "0", "web"]);
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24"]);
  await host().ok(["rm", "-f", "web"]);
});

test("what cannot be: docker's words, and nothing is changed", async () => {
  const id = (await sleep("--name", "web", "--network", "a")).trim();
  await sleep("--name", "other", "--network", "b");
  await sleep("--name", "beside", "--network", "container:web");
  await sleep("--name", "all", "--network", "host");
  const shared =
    "1 container sharing network namespace with another container or host cannot be connected to any other network";
  for (const [argv, text] of [
    [["connect", "a", "web"], "1 endpoint with name web already exists in network a"],
    [["connect", "nosuch", "web"], "1 network nosuch not found"],
    [["connect", "b", "nosuch"], "1 No such container: nosuch"],
    [
      ["connect", "--ip", "10.6.0.2", "b", "web"],
      "1 address 10.6.0.2 is already in use on this network: container other has it",
    ],
    [
      ["connect", "--ip", "10.5.0.9", "b", "web"],
      "1 no configured subnet contains the IP address 10.5.0.9: network b has 10.6.0.0/24, fd77::/64",
    ],
    [
      ["connect", "--ip6", "fd77::5", "v", "web"],
      "1 no configured subnet contains the IP address fd77::5: network v has 10.7.0.0/24",
    ],
    [["connect", "a", "beside"], shared],
    [["connect", "a", "all"], shared],
    [
      ["connect", "host", "web"],
      "1 cannot connect container to host network - container must be created in host network mode",
    ],
    [["disconnect", "b", "web"], `1 container ${id} is not connected to network b`],
    [
      ["disconnect", "host", "all"],
      "1 cannot disconnect container from host network - container was created in host network mode",
    ],
  ] as const)
    expect(await failure("network", ...argv)).toBe(text);
  expect(await addresses("web")).toEqual(["eth0 10.5.0.2/24"]);
  expect(Object.keys(await settings("web"))).toEqual(["a"]);
  const { Containers } = JSON.parse(await host().ok(["network", "inspect", "v"]))[0];
  expect(Containers).toEqual({});
  await host().ok(["rm", "-f", "beside", "web", "other", "all"]);
});

test("twenty at once of one container: each of them is done, or refused", async () => {
  await sleep("--name", "web", "--network", "a");
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, number) =>
      host().rt(["network", number % 2 === 0 ? "connect" : "disconnect", "b", "web"]),
    ),
  );
  const refusals =
    /^rt: (endpoint with name web already exists in network b|container \w+ is not connected to network b)\n$/;
  for (const { code, stderr } of all)
    expect([code, stderr]).toEqual(code === 0 ? [0, ""] : [1, expect.stringMatching(refusals)]);
  const [connects, disconnects] = [0, 1].map(
    (odd) => all.filter(({ code }, number) => code === 0 && number % 2 === odd).length,
  );
  const isIn = connects! > disconnects!;
  expect(connects! - disconnects!).toBe(isIn ? 1 : 0);
  expect((await addresses("web")).filter((text) => text.includes("10.6."))).toHaveLength(isIn ? 1 : 0);
  expect(Object.keys(await settings("web"))).toEqual(isIn ? ["a", "b"] : ["a"]);
  expect((await host().links()).filter((name) => name.startsWith("veth"))).toHaveLength(isIn ? 2 : 1);
  await host().ok(["rm", "-f", "web"]);
});

test("it ends while it is joined or left: the record says what is asked for, and nobody complains", async () => {
  await sleep("--name", "web", "--network", "a", "--network", "b");
  await host().ok(["network", "create", "--subnet", "10.8.0.0/24", "late"]);
  const init = Number(await host().ok(["inspect", "-f", "{{.State.Pid}}", "web"]));
  const monitor = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${init}/status`, "utf8"))![1]);
  // Its end is not known as long as its monitor stands still.
  process.kill(monitor, "SIGSTOP");
  process.kill(init, "SIGKILL");
  await until("it has no network any more", () => !existsSync(`/proc/${init}/ns/net`));
  const left = await host().rt(["network", "disconnect", "b", "web"]);
  const before = (await host().links()).length;
  const joining = host().rt(["network", "connect", "late", "web"]);
  let answer: { code: number | null } | undefined;
  void joining.then((result) => {
    answer = result;
  });
  await until("there is a bridge for it", async () => answer ?? (await host().links()).length > before);
  process.kill(monitor, "SIGCONT");
  const joined = await joining;
  expect([left, joined].map(({ code, stderr }) => [code, stderr])).toEqual([
    [0, ""],
    [0, ""],
  ]);
  expect(Object.keys(await settings("web"))).toEqual(["a", "late"]);
  await host().ok(["start", "web"]);
  const got = (await addresses("web")).map((text) => text.replace(/^eth\d /, ""));
  expect(got).toEqual(["10.5.0.2/24", "10.8.0.2/24"]);
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "rm", "late"]);
});

test("events: of a connection, and at each start and end, in docker's order", async () => {
  const since = String(Date.now() / 1000);
  await sleep("--name", "web", "--network", "a");
  await connect("b", "web");
  await disconnect("b", "web");
  await host().ok(["rm", "-f", "web"]);
  const format = "{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}";
  const told = await host().ok(["events", "--since", since, "--until", "0s", "--format", format]);
  expect(
    told
      .trim()
      .split("\n")
      .map((line) => line.trim()),
  ).toEqual([
    `container create web`,
    "network connect a bridge",
    `container start web`,
    "network connect b bridge",
    "network disconnect b bridge",
    `container kill web`,
    "network disconnect a bridge",
    `container die web`,
    `container destroy web`,
  ]);
});

test("a file of the host's that a container of nobody's links to is not its hosts file", async () => {
  const dir = mkdtempSync("/dev/shm/rt-hosts-");
  try {
    chmodSync(dir, 0o755);
    const file = join(dir, "conf");
    writeFileSync(file, "root's\n", { mode: 0o600 });
    const flags = ["--uidmap", "0:300000:65536", "--cap-add", "SYS_ADMIN", "-v", `${dir}:/r`];
    await sleep("--name", "web", "--network", "a", ...flags);
    await connect("b", "web");
    expect(own(await inside("web", "cat /etc/hosts"))).toHaveLength(3);
    await disconnect("b", "web");
    await inside("web", "umount /etc/hosts && ln -sf /r/conf /etc/hosts");
    await connect("b", "web");
    expect(readFileSync(file, "utf8")).toBe("root's\n");
  } finally {
    await host().rt(["rm", "-f", "web"]);
    rmSync(dir, { recursive: true });
  }
});
