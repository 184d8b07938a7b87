/** Networks on an interface of the host: who may share one, what is on the wire, and interfaces with tags, which rt makes. */
import { expect } from "bun:test";
import { hasKind, newLinks } from "../contract/network/cases.ts";
import { until } from "../support/wait.ts";
import { networkTests } from "./network-world.ts";
import { image, oneLine } from "./world.ts";

const { test, host } = networkTests("world");

const wire = ["--subnet", "192.0.2.0/24", "--ip-range", "192.0.2.128/25", "--gateway", "192.0.2.1"];

async function refusal(...argv: string[]): Promise<string> {
  const { stderr, code } = await host().rt(argv);
  return `${code} ${oneLine(stderr)}`;
}

function network(driver: string, name: string, ...flags: string[]): string[] {
  return ["network", "create", "-d", driver, ...flags, name];
}

test("macvlan: the world sees the container's own MAC, which it is told of, and a MAC that was asked for", async () => {
  await host().ok(network("macvlan", "lan", ...wire, "-o", "parent=up0"));
  const run = (...flags: string[]) => ["run", "--rm", "--network", "lan", ...flags, image];
  const neighbour = () => host().inWorld(["ip", "-o", "neigh", "show", "192.0.2.200"]);
  const flags = ["--ip", "192.0.2.200"];
  const fetch = ["probe", "fetch", "192.0.2.1", "80", "3000"];
  expect(await host().ok([...run(...flags), ...fetch])).toBe("world to 192.0.2.200\n");
  expect(await neighbour()).toContain("lladdr 02:42:c0:00:02:c8 ");
  // Another one has the address now: whoever knew the old one is told, before anything else is sent.
  await host().ok([...run(...flags, "--mac-address", "02:00:00:00:00:07"), "true"]);
  await until("the world knows the new one", async () => (await neighbour()).includes("02:00:00:00:00:07"));
  await host().ok(["network", "rm", "lan"]);
});

test("macvlan: the addresses of the host on the wire are no container's", async () => {
  const six = ["--ipv6", "--subnet", "2001:db8::/64", "--gateway", "2001:db8::1"];
  const four = ["--subnet", "192.0.2.0/24", "--gateway", "192.0.2.1"];
  await host().ok(network("macvlan", "lan", ...four, ...six, "-o", "parent=up0"));
  const look = ["run", "--rm", "--network", "lan", image, "ip", "-o", "address", "show", "eth0"];
  const seen = await host().ok(look);
  expect(seen).toContain("inet 192.0.2.3/24 ");
  expect(seen).toContain("inet6 2001:db8::3/64 ");
  expect(await refusal("run", "--rm", "--network", "lan", "--ip", "192.0.2.2", image, "true")).toMatch(
    /^125 .*: address 192\.0\.2\.2 is already in use on this network: this host has it$/,
  );
  await host().ok(["network", "rm", "lan"]);
});

test("macvlan without a gateway has no default route; the address of a gateway is not taken", async () => {
  await host().ok(network("macvlan", "lan", "--subnet", "192.0.2.0/24", "-o", "parent=up0"));
  const look = ["run", "--rm", "--network", "lan", image, "sh", "-c", "ip route; ip -4 -o address show eth0"];
  const seen = await host().ok(look);
  expect(seen).not.toContain("default");
  expect(seen).toContain("inet 192.0.2.1/24");
  const { Config } = JSON.parse(await host().ok(["network", "inspect", "lan"]))[0].IPAM;
  expect(Config).toEqual([{ Subnet: "192.0.2.0/24" }]);
  await host().ok(["network", "rm", "lan"]);
});

test("macvlan: passthru has the parent for itself, and nobody else gets on it", async () => {
  const parent = () => host().inHost(["ip", "-o", "link", "show", "up0"]);
  const before = /link\/ether \S+/.exec(await parent())![0];
  await host().ok(network("macvlan", "lan", ...wire, "-o", "parent=up0", "-o", "macvlan_mode=passthru"));
  expect(await refusal(...network("macvlan", "more", "-o", "parent=up0"))).toBe(
    "1 macvlan network lan is already using parent interface up0 in mode passthru",
  );
  const sleep = ["run", "-d", "--name", "one", "--network", "lan", image, "sleep", "1000"];
  await host().ok(sleep);
  const mac = (await host().ok(["exec", "one", "cat", "/sys/class/net/eth0/address"])).trim();
  const format = "{{.NetworkSettings.Networks.lan.MacAddress}}";
  expect(mac).toBe((await host().ok(["inspect", "-f", format, "one"])).trim());
  expect(await refusal("run", "--rm", "--network", "lan", image, "true")).toMatch(
    /^125 .*cannot join network lan \(macvlan up0\): .*; up0 takes no more, or is a bridge's port/,
  );
  await host().ok(["rm", "-f", "one"]);
  await until("the parent has its own again", async () => (await parent()).includes(before));
  await host().ok(["network", "rm", "lan"]);
  for (const name of ["lan", "more"]) {
    const subnet = name === "lan" ? wire : [];
    await host().ok(network("macvlan", name, ...subnet, "-o", "parent=up0"));
  }
  expect(
    await refusal(...network("macvlan", "all", "-o", "parent=up0", "-o", "macvlan_mode=passthru")),
  ).toMatch(/^1 cannot use mode passthru, macvlan network (lan|more) is already using parent interface up0$/);
  await host().ok(["network", "rm", "lan", "more"]);
});

test("a parent that is not there, at once and later; one that another driver or a bridge has", async () => {
  const missing = "1 the parent interface eth9 was not found on this host";
  expect(await refusal(...network("macvlan", "lan", "-o", "parent=eth9"))).toBe(missing);
  expect(await refusal(...network("macvlan", "lan", "-o", "parent=eth9.20"))).toBe(missing);
  expect(await refusal(...network("ipvlan", "lan", "-o", "parent=eth9"))).toBe(missing);
  await host().inHost(["ip", "link", "add", "br9", "type", "bridge"]);
  await host().inHost(["ip", "link", "add", "p0", "type", "veth", "peer", "name", "p1"]);
  await host().ok(network("macvlan", "lan", "-o", "parent=p0"));
  await host().inHost(["ip", "link", "set", "p0", "master", "br9"]);
  const run = ["run", "--rm", "--network", "lan", image, "true"];
  expect(await refusal(...run)).toMatch(
    /^125 .*cannot join network lan \(macvlan p0\): .*is a bridge's port/,
  );
  await host().inHost(["ip", "link", "del", "p0"]);
  expect(await refusal(...run)).toEndWith(
    "cannot bring network lan up: the parent interface p0 was not found on this host",
  );
  await host().inHost(["ip", "link", "del", "br9"]);
  await host().ok(["network", "rm", "lan"]);
});

test("destinations that nobody would hold a container to are refused, at once and when it is to join", async () => {
  await host().ok(network("macvlan", "lan", ...wire, "-o", "parent=up0"));
  await host().ok(["network", "create", "shop"]);
  const refused =
    "--egress-allow is for bridge networks: lan is a macvlan network, and no rule of this host sees it";
  const flags = ["--egress-allow", "192.0.2.1"];
  expect(await refusal("run", "--rm", "--network", "lan", ...flags, image, "true")).toBe(`125 ${refused}`);
  await host().ok(["run", "-d", "--name", "one", "--network", "shop", ...flags, image, "sleep", "1000"]);
  expect(await refusal("network", "connect", "lan", "one")).toBe(`1 ${refused}`);
  await host().ok(["rm", "-f", "one"]);
  await host().ok(["create", "--name", "one", "--network", "shop", ...flags, image]);
  expect(await refusal("network", "connect", "lan", "one")).toBe(`1 ${refused}`);
  await host().ok(["rm", "one"]);
  await host().ok(["network", "rm", "lan", "shop"]);
});

test("ipvlan: one network on a parent, and no MAC of one's own", async () => {
  await host().ok(network("ipvlan", "lan", ...wire, "-o", "parent=up0"));
  expect(await refusal(...network("ipvlan", "more", "-o", "parent=up0"))).toBe(
    "1 network lan is already using parent interface up0",
  );
  const run = ["run", "--rm", "--network", "lan", "--mac-address", "02:00:00:00:00:07", image, "true"];
  expect(await refusal(...run)).toEndWith("ipvlan interfaces do not support custom mac address assignment");
  await host().ok(["network", "rm", "lan"]);
});

// User-Mode Linux has them where the kernel here has not.
if (hasKind("vlan id 20"))
  test("an interface with a tag is made, shared, handed on, and goes with the last network; another's stays", async () => {
    for (const line of ["link add link up1 name up1.20 type vlan id 20", "link set up1.20 up"])
      await host().inWorld(["ip", ...line.split(" ")]);
    await host().inWorld(["ip", "address", "add", "10.8.0.1/24", "dev", "up1.20"]);
    const subnet = ["--subnet", "10.8.0.0/24", "--gateway", "10.8.0.1"];
    await host().ok(network("macvlan", "one", ...subnet, "-o", "parent=up0.20"));
    await host().ok(network("macvlan", "two", "-o", "parent=up0.20"));
    expect(await newLinks(host())).toEqual([]);
    const fetch = ["probe", "fetch", "10.8.0.1", "80", "3000"];
    expect(await host().ok(["run", "--rm", "--network", "one", image, ...fetch])).toBe("world to 10.8.0.2\n");
    expect(await newLinks(host())).toEqual(["up0.20"]);
    await host().ok(["network", "rm", "one"]);
    expect(await newLinks(host())).toEqual(["up0.20"]);
    await host().ok(["network", "rm", "two"]);
    expect(await newLinks(host())).toEqual([]);
    await host().inHost(["ip", "link", "add", "link", "up0", "name", "up0.30", "type", "vlan", "id", "30"]);
    await host().ok(network("macvlan", "one", "-o", "parent=up0.30"));
    await host().ok(["run", "--rm", "--network", "one", image, "true"]);
    await host().ok(["network", "rm", "one"]);
    expect(await newLinks(host())).toEqual(["up0.30"]);
    await host().inHost(["ip", "link", "del", "up0.30"]);
    await host().inWorld(["ip", "link", "del", "up1.20"]);
  });
