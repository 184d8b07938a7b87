/** What every driver keeps to that joins containers to networks: see src/network/driver.ts. */
import { expect } from "bun:test";
import { image } from "../../cli/world.ts";
import type { NetworkHost } from "../../support/network-host.ts";
import { until } from "../../support/wait.ts";
import { type DriverCase, newLinks } from "./cases.ts";

type Test = (what: string, body: (host: NetworkHost) => Promise<unknown>) => void;

/** @param test on a host without networks and containers; what is left afterwards is a failure */
export function networkContract(each: DriverCase, test: Test): void {
  reaching(each, test);
  lives(each, test);
  refusals(each, test);
}

function reaching(each: DriverCase, test: Test): void {
  test("an interface that is up, its addresses and nothing else, and the default routes", async (host) => {
    await create(host, each, "net", each.outside);
    const seen = await inside(host, "net", "probe net; ip route; ip -6 route");
    const { four, six } = each.first;
    const addresses = seen.match(/^address eth0 .*$/gm)!;
    expect(addresses).toHaveLength(2);
    expect(addresses[0]).toStartWith(`address eth0 ${four}/24`);
    expect(seen).toContain("interface eth0 up - 1500\n");
    expect(seen).toContain("interface lo up");
    expect(defaultRoutes(seen)).toEqual(each.routes);
    const { MacAddress, IPAddress, GlobalIPv6Address } = await endpoint(host, "net");
    expect([IPAddress, GlobalIPv6Address]).toEqual([four, six]);
    expect(MacAddress !== "").toBe(each.hasMacs);
    await host.ok(["rm", "-f", "held"]);
    await host.ok(["network", "rm", "net"]);
  });

  test("neighbours, and the world, which sees the container or the host; an internal one leads nowhere", async (host) => {
    for (const line of each.world) await host.inWorld(["ip", ...line.split(" ")]);
    await create(host, each, "net", each.outside);
    await serve(host, "web", "net");
    const { four, six } = each.first;
    expect(await fetch(host, "net", four)).toMatch(/^web to /);
    expect(await fetch(host, "net", six)).toMatch(/^web to /);
    const own = await host.ok(["exec", "web", "probe", "fetch", "192.0.2.1", "80", "3000"]);
    expect(own.trim()).toBe(`world to ${each.seenAs?.four ?? four}`);
    const own6 = await host.ok(["exec", "web", "probe", "fetch", "2001:db8::1", "80", "3000"]);
    expect(own6.trim()).toMatch(each.seenAs ? `world to ${each.seenAs.six}` : /^world to [0-9a-f:]+$/);
    await host.ok(["rm", "-f", "web"]);
    await host.ok(["network", "rm", "net"]);
    await create(host, each, "vault", ["--internal", ...each.beside]);
    await serve(host, "secret", "vault");
    const { IPAddress } = await endpoint(host, "vault", "secret");
    expect(await fetch(host, "vault", IPAddress)).toMatch(/^secret to /);
    expect(await fetch(host, "vault", "192.0.2.1")).toBe("error ENETUNREACH connect");
    await host.ok(["rm", "-f", "secret"]);
    await host.ok(["network", "rm", "vault"]);
    for (const line of each.world) await host.inWorld(["ip", ...line.replace("add", "del").split(" ")]);
  });

  test("the size of packets is the option's", async (host) => {
    const mtu = ["-o", "com.docker.network.driver.mtu=1280"];
    await create(host, each, "net", [...each.outside, ...mtu]);
    expect(await host.ok([...run("net"), "cat", "/sys/class/net/eth0/mtu"])).toBe("1280\n");
    await host.ok(["network", "rm", "net"]);
  });
}

function lives(each: DriverCase, test: Test): void {
  test("a restart keeps the address and the MAC", async (host) => {
    await create(host, each, "net", each.outside);
    await serve(host, "web", "net");
    const before = await endpoint(host, "net", "web");
    await serve(host, "other", "net");
    await host.ok(["restart", "-t", "0", "web"]);
    expect(await endpoint(host, "net", "web")).toMatchObject({
      IPAddress: before.IPAddress,
      MacAddress: before.MacAddress,
    });
    await host.ok(["rm", "-f", "web", "other"]);
    await host.ok(["network", "rm", "net"]);
  });

  test("a container that runs joins it, has its default routes, and leaves it", async (host) => {
    await create(host, each, "net", each.outside);
    await host.ok(["network", "create", "--internal", "home"]);
    await host.ok(["run", "-d", "--name", "web", "--network", "home", image, "sleep", "1000"]);
    const look = ["exec", "web", "sh", "-c", "probe net; ip route; ip -6 route"];
    const before = await host.ok(look);
    expect(before).not.toContain("default");
    await host.ok(["network", "connect", "net", "web"]);
    const joined = await host.ok(look);
    expect(joined).toContain(`address eth1 ${each.first.four}/24`);
    expect(defaultRoutes(joined)).toEqual(each.routes.map((route) => route.replace("eth0", "eth1")));
    await host.ok(["network", "disconnect", "net", "web"]);
    expect(await host.ok(look)).toBe(before);
    await host.ok(["rm", "-f", "web"]);
    await host.ok(["network", "rm", "net", "home"]);
  });

  test("what somebody has taken away is back with a reload", async (host) => {
    await create(host, each, "net", each.beside);
    await serve(host, "web", "net");
    const { IPAddress, MacAddress } = await endpoint(host, "net", "web");
    const look = ["exec", "web", "sh", "-c", "probe net; ip route; ip -6 route"];
    const before = await host.ok(look);
    // A bridge, the host's end of a pair, the parent of an interface inside.
    for (const link of await newLinks(host)) {
      if (!(await newLinks(host)).includes(link)) continue;
      await host.inHost(["ip", "link", "del", link]);
      await host.ok(["network", "reload"]);
      expect(await newLinks(host)).toContain(link);
      expect(await host.ok(look)).toBe(before);
      expect(await fetch(host, "net", IPAddress)).toMatch(/^web to /);
      expect(await endpoint(host, "net", "web")).toMatchObject({ IPAddress, MacAddress });
    }
    await host.ok(["rm", "-f", "web"]);
    await host.ok(["network", "rm", "net"]);
  });

  test("a network in use stays; of one that is not nothing does", async (host) => {
    await create(host, each, "net", each.beside);
    expect(await newLinks(host)).toEqual([]);
    await host.ok([...run("net"), "true"]);
    await host.ok(["run", "-d", "--name", "web", "--network", "net", image, "sleep", "1000"]);
    const { stderr, code } = await host.rt(["network", "rm", "net"]);
    expect([stderr, code]).toEqual([expect.stringContaining("network net has active endpoints"), 1]);
    await host.ok(["rm", "-f", "web"]);
    await host.ok(["network", "prune", "-f"]);
    expect(await newLinks(host)).toEqual([]);
  });
}

function refusals(each: DriverCase, test: Test): void {
  test("what is no option of it is refused, and no network is made", async (host) => {
    for (const option of [
      "com.docker.network.driver.mtu=1",
      "com.docker.network.driver.mtu=x",
      "nosuch=1",
      "parent=../x",
      "parent=a/b",
      "parent=sixteen-letters-",
      "parent=.",
      "parent=lo",
      "parent=up0\n",
      "macvlan_mode=bridges",
      "ipvlan_mode=l4",
      "ipvlan_flag=\u001b[2J",
    ]) {
      const { stderr, code } = await host.rt(["network", "create", "-d", each.driver, "-o", option, "net"]);
      expect([option, stderr.trim().split("\n").length, code]).toEqual([option, 1, 1]);
      expect(stderr).not.toContain("\u001b");
    }
    expect(await host.ok(["network", "ls", "-q", "-f", "type=custom"])).toBe("");
  });
}

/** Without what this kernel says besides. */
function defaultRoutes(said: string): string[] {
  return (said.match(/^default .*$/gm) ?? []).map((line) => line.split(/ +(metric|scope|pref) /)[0]!.trim());
}

async function create(
  host: NetworkHost,
  { driver }: DriverCase,
  name: string,
  flags: readonly string[],
): Promise<void> {
  await host.ok(["network", "create", "-d", driver, ...flags, name]);
}

const run = (network: string) => ["run", "--rm", "--network", network, image];

/** What a script says in a container that stays there, called "held". */
async function inside(host: NetworkHost, network: string, script: string): Promise<string> {
  await host.ok(["run", "-d", "--name", "held", "--network", network, image, "sleep", "1000"]);
  return await host.ok(["exec", "held", "sh", "-c", script]);
}

interface Endpoint {
  IPAddress: string;
  GlobalIPv6Address: string;
  MacAddress: string;
}

async function endpoint(host: NetworkHost, network: string, name = "held"): Promise<Endpoint> {
  return JSON.parse(await host.ok(["inspect", name]))[0].NetworkSettings.Networks[network];
}

/** A container that answers "NAME to WHOEVER" at port 80. */
async function serve(host: NetworkHost, name: string, network: string): Promise<void> {
  await host.ok(["run", "-d", "--name", name, "--network", network, image, "probe", "serve", "80", name]);
  await until(`${name} serves`, async () => (await host.ok(["logs", name])).includes("serving"));
}

async function fetch(host: NetworkHost, network: string, address: string): Promise<string> {
  return (await host.rt([...run(network), "probe", "fetch", address, "80", "3000"])).stdout.trim();
}
