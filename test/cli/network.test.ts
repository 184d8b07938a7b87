/** `rt network …`, and containers in networks: who reaches whom, and what is left when they are gone. */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { worldAddress } from "../support/network-host.ts";
import { probeBinary } from "../support/probe.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { networkTests } from "./network-world.ts";
import { image, oneLine } from "./world.ts";

const { test, host } = networkTests("hello from the world");

/** A container that answers "NAME to WHOEVER" at port 80. Its address. */
async function serve(name: string, network: string, ...flags: string[]): Promise<string> {
  await host().ok([
    "run",
    "-d",
    "--name",
    name,
    "--network",
    network,
    ...flags,
    image,
    "probe",
    "serve",
    "80",
    name,
  ]);
  await until(`${name} serves`, async () => (await host().ok(["logs", name])).includes("serving"));
  return addressOf(name);
}

async function addressOf(name: string): Promise<string> {
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  return (await host().ok(["inspect", "-f", format, name])).trim();
}

async function idOf(network: string): Promise<string> {
  return (await host().ok(["network", "inspect", "-f", "{{.Id}}", network])).trim();
}

/** What a container in the network is told by whoever is at port 80 there. */
async function fetch(network: string, address: string, patience = "3000"): Promise<string> {
  const command = ["probe", "fetch", address, "80", patience];
  return (await host().rt(["run", "--rm", "--network", network, image, ...command])).stdout.trim();
}

test("neighbours reach each other, the host and the world, which sees the host", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "shop"]);
  expect(await serve("web", "shop")).toBe("10.5.0.2");
  expect(await fetch("shop", "10.5.0.2")).toBe("web to 10.5.0.3");
  expect(await fetch("shop", worldAddress)).toBe("hello from the world to 192.0.2.2");
  expect((await host().inHost([await probeBinary(), "fetch", "10.5.0.2", "80"])).trim()).toBe(
    "web to 10.5.0.1",
  );
  const seen = await host().ok(["exec", "web", "sh", "-c", "probe net; ip route; tail -n 1 /etc/hosts"]);
  expect(seen).toContain("interface eth0 up - 1500\n");
  expect(seen).toContain("address eth0 10.5.0.2/24\n");
  expect(seen).not.toContain("address eth0 fe80");
  expect(seen).toContain("default via 10.5.0.1 dev eth0");
  expect(seen).toMatch(/10\.5\.0\.2\t[0-9a-f]{12}\n$/);
  await host().ok(["rm", "-f", "web"]);
  const flags = ["--add-host", "box:host-gateway", "--add-host", "db=10.9.9.9", "--hostname", "me"];
  const command = ["run", "--rm", "--network", "shop", ...flags, image, "tail", "-n", "3", "/etc/hosts"];
  expect(await host().ok(command)).toBe("10.5.0.2\tme\n10.5.0.1\tbox\n10.9.9.9\tdb\n");
  await host().ok(["network", "rm", "shop"]);
});

test("a network is a fence: others do not reach it, nor does the world by a route; an internal one leads nowhere", async () => {
  for (const network of ["front", "back"]) await host().ok(["network", "create", network]);
  await host().ok(["network", "create", "--internal", "vault"]);
  const [web, secret] = [await serve("web", "front"), await serve("secret", "vault")];
  const nothing = "error ETIMEDOUT connect";
  const [fromBack, fromVault, toVault, outOfVault] = await Promise.all([
    fetch("back", web, "500"),
    fetch("vault", web, "500"),
    fetch("front", secret, "500"),
    fetch("vault", worldAddress, "500"),
  ]);
  expect([fromBack, toVault]).toEqual([nothing, nothing]);
  // Without a default route.
  expect([fromVault, outOfVault]).toEqual(["error ENETUNREACH connect", "error ENETUNREACH connect"]);
  expect(await fetch("vault", secret)).toMatch(/^secret to 172/);
  await host().inWorld(["ip", "route", "add", `${web}/32`, "via", "192.0.2.2"]);
  const probe = [await probeBinary(), "fetch", web, "80", "500"];
  await expect(host().inWorld(probe)).rejects.toThrow("ended with 1");
  await host().inWorld(["ip", "route", "del", `${web}/32`]);
  await host().ok(["rm", "-f", "web", "secret"]);
  await host().ok(["network", "rm", "front", "back", "vault"]);
});

test("IPv6: neighbours, the host and the world, and no way into another network; no router is believed", async () => {
  for (const network of ["six", "other"]) await host().ok(["network", "create", "--ipv6", network]);
  await serve("web", "six");
  const format = "{{.NetworkSettings.Networks.six.GlobalIPv6Address}}";
  const address = (await host().ok(["inspect", "-f", format, "web"])).trim();
  expect(address).toMatch(/^fd[0-9a-f:]+::2$/);
  expect(await fetch("six", address)).toMatch(/^web to fd[0-9a-f:]+:0003$/);
  expect(await fetch("six", "2001:db8::1")).toBe(
    "hello from the world to 2001:0db8:0000:0000:0000:0000:0000:0002",
  );
  expect(await fetch("other", address, "500")).toBe("error ETIMEDOUT connect");
  const seen = await host().inHost([await probeBinary(), "fetch", address, "80"]);
  expect(seen).toMatch(/^web to fd[0-9a-f:]+:0001\n$/);
  const settings = ["accept_ra", "autoconf"].map((name) => `/proc/sys/net/ipv6/conf/eth0/${name}`);
  expect(await host().ok(["exec", "web", "cat", ...settings])).toBe("0\n0\n");
  expect(await host().ok(["exec", "web", "tail", "-n", "1", "/etc/hosts"])).toStartWith(`${address}\t`);
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "rm", "six", "other"]);
});

test("without IPv4: neighbours, the host and the world, and an interface that has nothing else", async () => {
  await host().ok(["network", "create", "--ipv4=false", "--ipv6", "six"]);
  await serve("web", "six");
  const format = "{{.NetworkSettings.Networks.six.GlobalIPv6Address}}";
  const address = (await host().ok(["inspect", "-f", format, "web"])).trim();
  expect(await addressOf("web")).toBe("");
  const seen = await host().ok(["exec", "web", "sh", "-c", "probe net; ip route; ip -6 route"]);
  expect(seen.match(/^address eth0 .*$/gm)).toEqual([expect.stringMatching(/ fd[0-9a-f:]+\/64$/)]);
  expect(seen.match(/^default .*$/gm)).toHaveLength(1);
  expect(await fetch("six", address)).toMatch(/^web to fd[0-9a-f:]+:0003$/);
  expect(await fetch("six", "2001:db8::1")).toBe(
    "hello from the world to 2001:0db8:0000:0000:0000:0000:0000:0002",
  );
  expect(await fetch("six", worldAddress)).toBe("error ENETUNREACH connect");
  const { EnableIPv4, EnableIPv6 } = JSON.parse(await host().ok(["network", "inspect", "six"]))[0];
  expect([EnableIPv4, EnableIPv6]).toEqual([false, true]);
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "rm", "six"]);
});

test("a container that has another's network has its interface and its files", async () => {
  expect(await serve("web", "bridge")).toBe("172.17.0.2");
  const command = ["sh", "-c", "probe net; tail -n 1 /etc/hosts; probe fetch 127.0.0.1 80"];
  const seen = await host().ok(["run", "--rm", "--network", "container:web", image, ...command]);
  expect(seen).toContain("address eth0 172.17.0.2/16\n");
  expect(seen).toContain("\n172.17.0.2\t");
  expect(seen).toEndWith("web to 127.0.0.1\n");
  await host().ok(["rm", "-f", "web"]);
});

test("what a program sends first arrives: it is not begun before its way is open", async () => {
  // A first packet that is lost is sent again after a second.
  for (let round = 0; round < 25; round++)
    expect(await fetch("bridge", worldAddress, "900")).toBe("hello from the world to 192.0.2.2");
});

test("what its policy starts again has its address again", async () => {
  const command = ["sh", "-c", "ip -4 -o address show eth0; exit 1"];
  await host().ok([
    "run",
    "-d",
    "--name",
    "again",
    "--restart",
    "on-failure:2",
    "--network",
    "bridge",
    image,
    ...command,
  ]);
  await until("it has ended three times", async () => {
    const state = await host().ok(["inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "again"]);
    return state === "exited 2\n";
  });
  const lines = (await host().ok(["logs", "again"])).trim().split("\n");
  expect(lines.map((line) => /inet (\S+)/.exec(line)?.[1])).toEqual(Array(3).fill("172.17.0.2/16"));
  await host().ok(["rm", "again"]);
});

test("a bridge that somebody took away is back with a reload, and so are its ports and the fence", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "shop"]);
  expect(await serve("web", "shop")).toBe("10.5.0.2");
  const [bridge] = (await host().links()).filter((name) => name.startsWith("rt-"));
  await host().inHost(["ip", "link", "del", bridge!]);
  const reach = () => host().inHost(["timeout", "5", probe, "fetch", "10.5.0.2", "80", "2000"]);
  const probe = await probeBinary();
  await expect(reach()).rejects.toThrow("ended with 1");
  await host().ok(["network", "reload"]);
  expect(await reach()).toBe("web to 10.5.0.1\n");
  expect(await host().ok(["exec", "web", "probe", "fetch", worldAddress, "80"])).toContain("to 192.0.2.2");
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "rm", "shop"]);
});

test("the default network has its own subnet and bridge; prune takes them away, and the next container brings them back", async () => {
  await host().ok(["network", "create", "shop"]);
  expect(await serve("web", "bridge")).toBe("172.17.0.2");
  expect(await host().links()).toContain("rt0");
  const { NetworkSettings } = JSON.parse(await host().ok(["inspect", "web"]))[0];
  expect(NetworkSettings).toMatchObject({
    IPAddress: "172.17.0.2",
    Gateway: "172.17.0.1",
    IPPrefixLen: 16,
    MacAddress: "02:42:ac:11:00:02",
  });
  const id = (await host().ok(["network", "ls", "-q", "--no-trunc", "-f", "name=^bridge$"])).trim();
  expect(NetworkSettings.Networks.bridge.NetworkID).toBe(id);
  const named = ["ps", "--format", "{{.Names}} {{.Networks}}", "-f"];
  for (const filter of ["bridge", id, id.slice(0, 12)])
    expect(await host().ok([...named, `network=${filter}`])).toBe("web bridge\n");
  for (const filter of ["shop", "none", "nosuch", ""])
    expect(await host().ok([...named, `network=${filter}`])).toBe("");
  expect(await host().ok(["network", "prune", "-f"])).toBe("Deleted Networks:\nshop\n\n");
  const told = ["events", "--since", "1h", "--until", "0s", "-f", "network=shop", "--format", "{{.Action}}"];
  expect(await host().ok(told)).toContain("create\ndestroy\n");
  expect(await host().links()).toContain("rt0");
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "prune", "-f"]);
  expect(await host().links()).toEqual([]);
  expect(await fetch("bridge", worldAddress)).toBe("hello from the world to 192.0.2.2");
});

test("a restart keeps the address; what does not run gives it up when all others are taken", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/29", "small"]);
  const names = ["aa", "bb", "cc", "dd", "ee"];
  for (const name of names) await serve(name, "small");
  expect(await addressOf("cc")).toBe("10.5.0.4");
  const full = await host().rt(["run", "--rm", "--network", "small", image, "true"]);
  expect(oneLine(full.stderr)).toContain(
    "no available IPv4 addresses on this network's address pools: small (",
  );
  expect(full.code).toBe(125);
  await host().ok(["restart", "-t", "0", "cc"]);
  expect(await addressOf("cc")).toBe("10.5.0.4");
  await host().ok(["stop", "-t", "0", "bb", "cc"]);
  expect(await addressOf("cc")).toBe("");
  expect(await serve("ff", "small", "--ip", "10.5.0.4")).toBe("10.5.0.4");
  expect(await serve("gg", "small")).toBe("10.5.0.3");
  const start = await host().rt(["start", "bb"]);
  expect(start.stderr).toContain("no available IPv4 addresses");
  await host().ok(["rm", "-f", "gg"]);
  await host().ok(["start", "bb"]);
  expect(await addressOf("bb")).toBe("10.5.0.3");
  await host().ok(["rm", "-f", ...names, "ff"]);
  await host().ok(["network", "rm", "small"]);
});

test("an address, a MAC and other names that were asked for", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/16", "--ip-range", "10.5.7.0/24", "lab"]);
  expect(await host().ok(["run", "--rm", "--network", (await idOf("lab")).slice(0, 7), image, "true"])).toBe(
    "",
  );
  const flags = ["--ip", "10.5.0.99", "--mac-address", "02-42-0A-05-00-99", "--network-alias", "db"];
  expect(await serve("web", "lab", ...flags)).toBe("10.5.0.99");
  const { NetworkSettings } = JSON.parse(await host().ok(["inspect", "web"]))[0];
  expect(NetworkSettings.Networks.lab).toMatchObject({
    ...{ IPAMConfig: { IPv4Address: "10.5.0.99" }, Aliases: ["db"], MacAddress: "02:42:0a:05:00:99" },
    ...{ Gateway: "10.5.7.0", IPPrefixLen: 16 },
  });
  expect(NetworkSettings.Networks.lab.DNSNames).toContain("db");
  expect(await host().ok(["exec", "web", "cat", "/sys/class/net/eth0/address"])).toBe("02:42:0a:05:00:99\n");
  expect(await fetch("lab", "10.5.0.99")).toBe("web to 10.5.7.1");
  for (const [asked, text] of [
    ["10.5.0.99", "address 10.5.0.99 is already in use on this network: container web has it"],
    ["10.5.7.0", "address 10.5.7.0 is already in use on this network"],
    ["10.6.0.1", "no configured subnet contains the IP address 10.6.0.1: network lab has 10.5.0.0/16"],
    [
      "10.5.255.255",
      "address 10.5.255.255 cannot be a container's: it is the first or the last of 10.5.0.0/16",
    ],
  ] as const) {
    const { stderr, code } = await host().rt([
      "run",
      "--rm",
      "--network",
      "lab",
      "--ip",
      asked,
      image,
      "true",
    ]);
    expect(oneLine(stderr)).toEndWith(text);
    expect(code).toBe(125);
  }
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "rm", "lab"]);
});

test("what cannot be made, found or removed: one line each, docker's status", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/16", "lab"]);
  await serve("web", "lab");
  const id = (await host().ok(["network", "inspect", "-f", "{{.Id}}", "lab"])).trim();
  for (const [argv, text] of [
    [["create", "lab"], "network with name lab already exists"],
    [["create", "host"], "operation is not permitted on predefined host network"],
    [["create", "../lab"], 'invalid network name "../lab"'],
    [["create", "--subnet", "10.5.3.0/24", "x"], "Pool overlaps with other one on this address space"],
    [["create", "--subnet", "10.6.0.1/16", "x"], "it should be 10.6.0.0/16"],
    [["create", "--subnet", "10.6.0.0", "x"], 'invalid subnet "10.6.0.0"'],
    [["create", "--ipv4=false", "x"], "IPv4 or IPv6 must be enabled"],
    [["create", "--ipv4=false", "--subnet", "10.6.0.0/24", "x"], "the network is to be without IPv4"],
    [["create", "--gateway", "10.6.0.1", "x"], "must have a corresponding subnet"],
    [
      ["create", "--subnet", "10.6.0.0/16", "--gateway", "10.7.0.1", "x"],
      "no matching subnet for gateway 10.7.0.1",
    ],
    [["create", "-o", "com.docker.network.driver.mtu=1", "x"], "want 68 to 65535 bytes"],
    [["create", "-o", "com.docker.network.bridge.name=a/b", "x"], "want the name of an interface"],
    [["create", "-d", "overlay", "x"], "could not find plugin overlay"],
    [["rm", "nosuch"], "network nosuch not found"],
    [["rm", "bridge"], "bridge is a pre-defined network and cannot be removed"],
    [["rm", "lab"], 'network lab has active endpoints (name:"web"'],
    [["inspect", "nosuch"], "network nosuch not found"],
  ] as const) {
    const { stderr, code } = await host().rt(["network", ...argv]);
    expect([oneLine(stderr), code]).toEqual([expect.stringContaining(text), 1]);
  }
  expect((await host().rt(["network", "inspect", id.slice(0, 12)])).code).toBe(0);
  const none = (await host().ok(["network", "inspect", "-f", "{{.Id}}", "none"])).trim();
  const byId = await host().rt(["run", "--rm", "--network", none.slice(0, 12), image, "true"]);
  expect(oneLine(byId.stderr)).toEndWith("is asked for by its name: --network none");
  expect(byId.code).toBe(125);
  await host().ok(["rm", "-f", "web"]);
  expect(await host().ok(["network", "rm", id.slice(0, 12)])).toBe(`${id.slice(0, 12)}\n`);
  expect(await host().ok(["network", "rm", "-f", "nosuch"])).toBe("");
});

test("where /proc/sys is read-only that is told, and no bridge is left that hears its containers", async () => {
  const binary = join(host().dir, "rt-read-only");
  const words = 'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$@"';
  const enter = [...host().enter.host, "unshare", "-m", "sh", "-c", `'${words}'`, "sh"].join(" ");
  writeFileSync(binary, `#!/bin/sh\nexec ${enter} ${rtBinary} "$@"\n`, { mode: 0o755 });
  await host().ok(["network", "create", "-o", "com.docker.network.bridge.name=lab0", "lab"]);
  const { code, stderr } = await host().rt(["run", "--rm", "--network", "lab", image, "true"], { binary });
  expect([code, oneLine(stderr)]).toEqual([
    125,
    expect.stringMatching(/network lab: cannot write \/proc\/sys\/net\/.*; use --network none or host$/),
  ]);
  expect(await host().inHost(["ip", "-o", "link"])).not.toContain("lab0");
  await host().ok(["network", "rm", "lab"]);
});

test("an interface of somebody else's is not taken, nor touched", async () => {
  const create = ["network", "create", "-o", "com.docker.network.bridge.name=br9", "lab"];
  await host().ok(create);
  await host().inHost(["ip", "link", "add", "br9", "type", "bridge"]);
  const { stderr, code } = await host().rt(["run", "--rm", "--network", "lab", image, "true"]);
  expect(oneLine(stderr)).toContain("the interface br9 is there already, and is not this network's");
  expect(code).toBe(125);
  await host().ok(["network", "rm", "lab"]);
  // Nor is it fenced in.
  for (const name of ["br9", "lo", "up0", "all", "default"]) {
    const again = await host().rt(create.map((word) => word.replace("br9", name)));
    expect(oneLine(again.stderr)).toStartWith(
      `the interface ${name} is there already, and is not a network's`,
    );
    expect(again.code).toBe(1);
  }
  await host().inHost(["ip", "link", "del", "br9"]);
});
