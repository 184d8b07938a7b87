/** Who reaches whom: containers of a network that are not to know each other, other networks, and the host with its services. */
import { afterAll, expect } from "bun:test";
import { type NetworkHost, networkHost, networkTools, worldAddress } from "../support/network-host.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { busyboxHost, image, oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;
const services = ["web", "far", "own"];

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.serveInWorld(80, "hello");
  await serve("own", "host");
}, 120_000);

afterAll(async () => {
  if (made) await made.rt(["rm", "-f", ...services]);
  await made?.[Symbol.asyncDispose]();
});

async function serve(name: string, network: string, ...rest: string[]): Promise<void> {
  const command = ["probe", "serve", "80", name];
  await host().ok(["run", "-d", "--name", name, "--network", network, ...rest, image, ...command]);
  await until("it serves", async () => (await host().ok(["logs", name])).includes("serving"));
}

/** What somebody in the network gets at an address. */
async function fetch(network: string, address: string, patience_ms = 10_000): Promise<string> {
  const command = ["probe", "fetch", address, "80", `${patience_ms}`];
  const { stdout } = await host().rt(["run", "--rm", "--network", network, image, ...command]);
  return meant(stdout);
}

async function fromWorld(address: string, patience = "10000"): Promise<string> {
  const command = ["sh", "-c", '"$@" || true', "sh", await probeBinary(), "fetch", address, "80", patience];
  return meant(await host().inWorld(command));
}

/** Whose answer it is, or the errno. */
function meant(text: string): string {
  return text
    .trim()
    .replace(/ to .*/, "")
    .replace(/^error /, "");
}

async function withNetworks(networks: Record<string, string[]>, act: () => Promise<void>): Promise<void> {
  for (const [name, flags] of Object.entries(networks))
    await host().ok(["network", "create", ...flags, name]);
  await act();
  await host().rt(["rm", "-f", "web", "far"]);
  await host().ok(["network", "rm", ...Object.keys(networks)]);
}

/** Nothing of what is sent comes back. */
async function isSilent(network: string, ...addresses: string[]): Promise<void> {
  for (const address of addresses)
    expect([address, await fetch(network, address, 500)]).toEqual([address, "ETIMEDOUT connect"]);
}

const both = (number: number) => ["--subnet", `10.${number}.0.0/24`, "--subnet", `fd${number}::/64`];

test("the network of strangers: the gateway and the world are reached, neighbours are not", async () => {
  const icc = ["-o", "com.docker.network.bridge.enable_icc=false"];
  await withNetworks({ lab: [...both(15), ...icc] }, async () => {
    await serve("web", "lab", "--ip", "10.15.0.2");
    await isSilent("lab", "10.15.0.2", "fd15::2");
    expect(await fetch("lab", worldAddress)).toBe("hello");
    expect(await fetch("lab", "10.15.0.1")).toBe("own");
    expect(await fetch("lab", "fd15::1")).toBe("own");
    // Nor by way of the gateway.
    const script = "ip route add 10.15.0.2/32 via 10.15.0.1; exec probe fetch 10.15.0.2 80 500";
    const command = ["--cap-add", "NET_ADMIN", image, "sh", "-c", script];
    const { stdout } = await host().rt(["run", "--rm", "--network", "lab", ...command]);
    expect(stdout).toBe("error ETIMEDOUT connect\n");
  });
});

test("neighbours do reach each other, by both families", async () => {
  await withNetworks({ lab: both(15) }, async () => {
    await serve("web", "lab", "--ip", "10.15.0.2");
    expect(await fetch("lab", "10.15.0.2")).toBe("web");
    expect(await fetch("lab", "fd15::2")).toBe("web");
  });
});

test("a network to which the host is closed: refused at once at all of its addresses, and the world is reached", async () => {
  await withNetworks({ lab: [...both(15), "-o", "rt.host-access=false"] }, async () => {
    await serve("web", "lab", "--ip", "10.15.0.2");
    for (const address of ["10.15.0.1", "192.0.2.2", "fd15::1", "2001:db8::2"])
      expect([address, await fetch("lab", address)]).toEqual([address, "ECONNREFUSED connect"]);
    expect(await fetch("lab", worldAddress)).toBe("hello");
    expect(await fetch("lab", "10.15.0.2")).toBe("web");
    // The host itself reaches them.
    expect(await host().ok(["exec", "own", "probe", "fetch", "10.15.0.2", "80"])).toContain("web to");
    expect(await host().ok(["exec", "own", "probe", "fetch", "fd15::2", "80"])).toContain("web to");
  });
});

test("published ports of a closed container are reached all the same: by the world, the host, neighbours and itself", async () => {
  const closed = [...both(15), "-o", "rt.host-access=false"];
  await withNetworks({ lab: closed, other: both(16) }, async () => {
    const published = ["-p", "8080:80", "--egress-allow", "none"];
    await serve("web", "lab", ...published);
    const fetchPort = (address: string) => ["probe", "fetch", address, "8080", "10000"];
    expect(meant(await host().inWorld([await probeBinary(), ...fetchPort("192.0.2.2").slice(1)]))).toBe(
      "web",
    );
    expect(meant(await host().ok(["exec", "own", ...fetchPort("127.0.0.1")]))).toBe("web");
    for (const [network, address] of [
      ["lab", "10.15.0.1"],
      ["lab", "192.0.2.2"],
      ["other", "10.16.0.1"],
    ] as const) {
      const got = await host().ok(["run", "--rm", "--network", network, image, ...fetchPort(address)]);
      expect([network, address, meant(got)]).toEqual([network, address, "web"]);
    }
    expect(meant(await host().ok(["exec", "web", ...fetchPort("192.0.2.2")]))).toBe("web");
  });
});

test("a network reaches neither another's containers nor the host at another's address, whatever routes it makes", async () => {
  await withNetworks({ lab: both(15), other: both(16) }, async () => {
    await serve("web", "lab", "--ip", "10.15.0.2");
    await serve("far", "other", "--ip", "10.16.0.2");
    await isSilent("lab", "10.16.0.2", "fd16::2");
    for (const address of ["10.16.0.1", "fd16::1"])
      expect([address, await fetch("lab", address)]).toEqual([address, "ECONNREFUSED connect"]);
    for (const address of ["10.15.0.1", "fd15::1"])
      expect([address, await fetch("lab", address)]).toEqual([address, "own"]);
    const script = "ip route add 10.16.0.0/24 via 10.15.0.1; exec probe fetch 10.16.0.2 80 500";
    const command = ["--cap-add", "NET_ADMIN", image, "sh", "-c", script];
    const { stdout } = await host().rt(["run", "--rm", "--network", "lab", ...command]);
    expect(stdout).toBe("error ETIMEDOUT connect\n");
  });
});

test("networks that are not isolated reach each other, and only those", async () => {
  const open = ["-o", "isolate=false"];
  await withNetworks(
    { lab: [...both(15), ...open], other: [...both(16), ...open], third: both(17) },
    async () => {
      await serve("far", "other", "--ip", "10.16.0.2");
      expect(await fetch("lab", "10.16.0.2")).toBe("far");
      expect(await fetch("lab", "fd16::2")).toBe("far");
      await isSilent("third", "10.16.0.2");
    },
  );
});

test("an internal network reaches nothing outside in either family, and the world does not reach it", async () => {
  await withNetworks({ vault: [...both(15), "--internal"], other: both(16) }, async () => {
    await serve("web", "vault", "--ip", "10.15.0.2");
    await serve("far", "other", "--ip", "10.16.0.2");
    const routes = "ip route add default via 10.15.0.1; ip -6 route add default via fd15::1;";
    const outside = [worldAddress, "2001:db8::1", "10.16.0.2", "fd16::2"];
    const script = `${routes} for x in ${outside.join(" ")}; do probe fetch $x 80 300; done`;
    const command = ["--cap-add", "NET_ADMIN", image, "sh", "-c", script];
    const { stdout } = await host().rt(["run", "--rm", "--network", "vault", ...command]);
    expect(stdout).toBe("error ETIMEDOUT connect\n".repeat(outside.length));
    expect(await fetch("vault", "10.15.0.2")).toBe("web");
    await host().inWorld(["ip", "route", "add", "10.15.0.0/24", "via", "192.0.2.2"]);
    expect(await fromWorld("10.15.0.2", "500")).toBe("ETIMEDOUT connect");
    await host().inWorld(["ip", "route", "delete", "10.15.0.0/24"]);
  });
});

test("an internal network does not come to another's container by a port of the host that the monitor hands on", async () => {
  await withNetworks({ lab: [...both(15), "--internal"], other: ["--subnet", "10.16.0.0/24"] }, async () => {
    await serve("web", "other", "-p", "8080:80");
    for (const address of ["10.15.0.1", "fd15::1"]) {
      const command = ["run", "--rm", "--network", "lab", image, "probe", "fetch", address, "8080", "500"];
      expect([address, meant((await host().rt(command)).stdout)]).not.toEqual([address, "web"]);
    }
    // The port is open, to others.
    const others = ["run", "--rm", "--network", "own6", image, "probe", "fetch", "fd17::1", "8080"];
    await host().ok(["network", "create", ...both(17), "own6"]);
    expect(meant((await host().rt(others)).stdout)).toBe("web");
    await host().ok(["network", "rm", "own6"]);
    // And what the host has there itself is reached, as before.
    expect(await fetch("lab", "fd15::1")).toBe("own");
  });
});

test("one without a gateway, one whose ports are all open to the world, and interfaces that are trusted", async () => {
  const mode = (value: string) => ["-o", `com.docker.network.bridge.gateway_mode_ipv4=${value}`];
  const link = (name: string) => ["-o", `com.docker.network.bridge.name=${name}`];
  const networks = {
    alone: ["--internal", "--subnet", "10.15.0.0/24", ...mode("isolated"), ...link("alone0")],
    lab: ["--subnet", "10.16.0.0/24", ...mode("nat-unprotected")],
    kept: ["--subnet", "10.17.0.0/24", "-o", "com.docker.network.bridge.trusted_host_interfaces=up0"],
  };
  await withNetworks(networks, async () => {
    await serve("far", "alone");
    expect(await host().inHost(["ip", "-4", "-o", "address", "show", "alone0"])).toBe("");
    await host().ok(["rm", "-f", "far"]);
    await host().inWorld(["ip", "route", "add", "10.16.0.0/15", "via", "192.0.2.2"]);
    for (const [network, address] of [
      ["lab", "10.16.0.2"],
      ["kept", "10.17.0.2"],
    ] as const) {
      await serve("far", network, "--ip", address);
      expect([network, await fromWorld(address)]).toEqual([network, "far"]);
      await host().ok(["rm", "-f", "far"]);
    }
  });
});

test("the names of interfaces in containers; the bridge hears no router, and has no address where that is not wanted", async () => {
  const prefix = ["-o", "com.docker.network.container_iface_prefix=net"];
  const flags = [
    "-o",
    "com.docker.network.bridge.inhibit_ipv4=true",
    "-o",
    "com.docker.network.bridge.name=lab0",
  ];
  await withNetworks({ lab: ["--subnet", "10.15.0.0/24", ...prefix, ...flags] }, async () => {
    await host().ok(["run", "-d", "--name", "web", "--network", "lab", image, "sleep", "1000"]);
    expect(await host().ok(["exec", "web", "ip", "-4", "-o", "address"])).toContain(" net0 ");
    expect(await host().inHost(["ip", "-4", "-o", "address", "show", "lab0"])).toBe("");
    expect((await host().inHost(["cat", "/proc/sys/net/ipv6/conf/lab0/accept_ra"])).trim()).toBe("0");
    expect((await host().ok(["exec", "web", "cat", "/proc/sys/net/ipv6/conf/net0/accept_ra"])).trim()).toBe(
      "0",
    );
  });
});

test("options that cannot be are one line", async () => {
  for (const [option, wanted] of [
    ["icc=maybe", 'invalid option icc="maybe": want true or false'],
    ["isolate=x", 'invalid option isolate="x": want true, false or strict'],
    ["rt.host-access=", 'invalid option rt.host-access="": want true or false'],
    [
      "com.docker.network.bridge.host_binding_ipv4=fd00::1",
      'invalid option com.docker.network.bridge.host_binding_ipv4="fd00::1": want an address of IPv4',
    ],
    [
      "com.docker.network.bridge.gateway_mode_ipv4=routed",
      "option com.docker.network.bridge.gateway_mode_ipv4=routed is not there yet: it comes in a later version",
    ],
    [
      "com.docker.network.bridge.gateway_mode_ipv4=isolated",
      'invalid option com.docker.network.bridge.gateway_mode_ipv4="isolated": a network without a gateway is --internal',
    ],
    [
      "com.docker.network.container_iface_prefix=a/b",
      `invalid option com.docker.network.container_iface_prefix="a/b": want at most 12 letters of an interface's name`,
    ],
    ["vlan=7", "option vlan is not there yet: it comes in a later version"],
    ["bogus=1", "option bogus is none of the bridge driver's: rt network create --help has them"],
  ] as const) {
    const { code, stderr } = await host().rt(["network", "create", "-o", option, "bad"]);
    expect([code, oneLine(stderr)]).toEqual([1, wanted]);
  }
});
