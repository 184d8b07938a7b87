/** The network of `rt init`, in namespaces: a machine's end of a link, and at its other end a server of DHCP, or none. */
import { afterAll, afterEach, expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { probeBinary } from "../support/probe.ts";
import { needs, searchPath, tool } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { Transcript, until } from "../support/wait.ts";
import { busyboxHost, image, nothingLeft } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "dnsmasq", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;

/** The machine's interface is as the kernel leaves it: down, without an address. */
async function bare(): Promise<void> {
  await host().inHost(["ip", "address", "flush", "dev", "up0"]);
  await host().inHost(["ip", "link", "set", "up0", "down", "mtu", "1500"]);
}

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await bare();
}, 120_000);

afterEach(async () => {
  if (!made) return;
  await nothingLeft(host());
  await bare();
});

afterAll(async () => await made?.[Symbol.asyncDispose]());

interface Started extends AsyncDisposable {
  output: Transcript;
  /** Of what it waits for, which for a machine is process 1; its own without that. */
  pid(): number;
}

function started(command: readonly string[], env: NodeJS.ProcessEnv = { PATH: searchPath }): Started {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env });
  const output = new Transcript();
  const drained = output.drain(child.stdout, child.stderr);
  const pid = () => {
    // unshare(1) waits, and does not hear a signal: its child is the one.
    const first = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
    return Number(first) || child.pid;
  };
  return {
    output,
    pid,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) process.kill(pid(), "SIGTERM");
      await Promise.all([child.exited, drained]);
    },
  };
}

/** Debian's dnsmasq at the other end. Leases are not kept: whoever has one is believed if it fits. */
function server(range: string, ...options: string[]): Started {
  return started([
    ...host().enter.world,
    tool("dnsmasq")!,
    ...["--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--conf-file=/dev/null", "--user=root"],
    ...["--port=0", "--interface=up1", "--bind-interfaces", "--leasefile-ro", "--dhcp-authoritative"],
    ...["--no-ping", "--pid-file=", `--dhcp-range=${range},2m`],
    ...options.map((each) => `--dhcp-option=${each}`),
  ]);
}

/** `table`: of [network]. The container says what it is told to, and waits for its end. */
function machine(table: string, script: string): Started {
  const file = join(host().dir, "init.toml");
  const container = `[[container]]\nname = "web"\nimage = "${image}"\nargs = ["--network=host"]\n`;
  const body = `trap 'exit 0' TERM\n${script}\nwhile :; do sleep 0.05; done`;
  writeFileSync(
    file,
    `[network]\ninterface = "up0"\n${table}\n${container}command = ["sh", "-c", '''${body}''']\n`,
  );
  const namespace = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];
  return started([...host().enter.host, ...namespace, rtBinary, "init", "--config", file], host().env);
}

const look = "ip -o -4 address show up0; ip route; ip link show up0; cat /etc/resolv.conf; echo looked";

test("what a server of DHCP says is configured: address, routes, name servers, search list, MTU", async () => {
  await using dhcp = server(
    "192.0.2.50,192.0.2.60",
    ...[
      "option:dns-server,192.0.2.53,192.0.2.54",
      "option:domain-search,one.example,two.example",
      "option:mtu,1400",
    ],
    ...["option:router,192.0.2.9", "121,198.18.0.0/15,192.0.2.1,0.0.0.0/0,192.0.2.2"],
  );
  await dhcp.output.waitFor("DHCP, IP range");
  await using own = machine("dhcp = true", look);
  await own.output.waitFor("looked");
  const text = own.output.text;
  const address = text.match(/^rt: up0 has (192\.0\.2\.\d+)\/24 from the DHCP server 192\.0\.2\.1$/m)?.[1];
  expect(text).toContain(`inet ${address}/24 brd 192.0.2.255`);
  expect(text).toMatch(/default via 192\.0\.2\.2 dev up0/);
  expect(text).toMatch(/198\.18\.0\.0\/15 via 192\.0\.2\.1 dev up0/);
  expect(text).not.toContain("192.0.2.9");
  expect(text).toContain("mtu 1400");
  expect(text).toContain("web | search one.example two.example\n");
  expect(text).toContain("web | nameserver 192.0.2.53\nweb | nameserver 192.0.2.54\n");
});

test("a lease is asked for anew, and one that the server takes back is given up for another", async () => {
  const times = ["58,3", "59,8", "6,192.0.2.53"];
  const before = readFileSync("/etc/resolv.conf", "utf8");
  await using own = machine("dhcp = true", look);
  const resolver = () => readFileSync(`/proc/${own.pid()}/root/etc/resolv.conf`, "utf8");
  {
    await using dhcp = server("192.0.2.50,192.0.2.50", ...times);
    await own.output.waitFor("up0 has 192.0.2.50/24", 30_000);
    await until("it is renewed", () => dhcp.output.text.split("DHCPACK(up1) 192.0.2.50").length > 2);
  }
  expect(resolver()).toBe("nameserver 192.0.2.53\n");
  {
    await using dhcp = server("192.0.2.50,192.0.2.50", "58,3", "59,8", "6,192.0.2.54", "26,1400");
    await until("the change is taken", () => resolver() === "nameserver 192.0.2.54\n", 90_000);
    expect(await host().inHost(["ip", "link", "show", "up0"])).toContain("mtu 1400");
    expect(dhcp.output.text).not.toContain("DISCOVER");
  }
  await using _ = server("192.0.2.70,192.0.2.70", ...times);
  await own.output.waitFor("up0 gives up 192.0.2.50: the server takes it back", 90_000);
  await own.output.waitFor("up0 has 192.0.2.70/24", 30_000);
  const addresses = await host().inHost(["ip", "-o", "-4", "address", "show", "up0"]);
  expect(addresses).toContain("192.0.2.70/24");
  expect(addresses).not.toContain("192.0.2.50");
  // This machine's own stays as it is.
  expect(readFileSync("/etc/resolv.conf", "utf8")).toBe(before);
});

/** Packets to port 68 of everybody, as many as there is time for: half of them from the server's port, as answers of others. */
function flood(): Started {
  const script = `
    const { createSocket } = require("node:dgram");
    // The server is at that port, too.
    const socket = createSocket({ type: "udp4", reuseAddr: true, reusePort: true });
    socket.on("error", () => {});
    socket.bind(67, "192.0.2.1", async () => {
      socket.setBroadcast(true);
      const bytes = new Uint8Array(1400).fill(7);
      console.log("flooding");
      for (;;) {
        for (let count = 0; count < 20; count++) socket.send(bytes, 68, "255.255.255.255");
        await Bun.sleep(1);
      }
    });`;
  return started([...host().enter.world, process.execPath, "-e", script]);
}

test("whoever floods the link with answers of others does not keep it from an address", async () => {
  await using noise = flood();
  await noise.output.waitFor("flooding");
  await using _ = server("192.0.2.50,192.0.2.50");
  await using own = machine("dhcp = true", look);
  await own.output.waitFor("looked");
  expect(own.output.text).toContain("up0 has 192.0.2.50/24 from the DHCP server 192.0.2.1");
  const counted = await host().inHost(["ip", "-s", "link", "show", "up0"]);
  expect(Number(/RX:.*\n *\d+ +(\d+)/.exec(counted)?.[1])).toBeGreaterThan(100);
});

test("without a server containers start all the same, and the address comes when there is one", async () => {
  await using own = machine("dhcp = true", "echo started");
  await own.output.waitFor("web | started", 30_000);
  const late = "no DHCP server answers on up0, which goes on asking";
  expect(own.output.text).toContain(`rt: the network is not there after 10 s: ${late}\n`);
  await using _ = server("192.0.2.50,192.0.2.50");
  await own.output.waitFor("up0 has 192.0.2.50/24", 60_000);
});

test("what the kernel has configured already is taken for ours", async () => {
  await host().inHost(["ip", "address", "add", "192.0.2.50/24", "dev", "up0"]);
  await host().inHost(["ip", "link", "set", "up0", "up"]);
  await host().inHost(["ip", "route", "add", "default", "via", "192.0.2.1"]);
  await using dhcp = server("192.0.2.50,192.0.2.50");
  await dhcp.output.waitFor("DHCP, IP range");
  await using own = machine("dhcp = true", look);
  await own.output.waitFor("looked");
  expect(own.output.text.match(/^web \| \d+: up0 +inet /gm)).toHaveLength(1);
  expect(own.output.text.match(/^web \| default /gm)).toHaveLength(1);
});

test("a signal does not wait for a server", async () => {
  await using own = machine("dhcp = true", "echo started");
  const isUp = async () => (await host().inHost(["ip", "link", "show", "up0"])).includes("state UP");
  await until("it asks", isUp);
  await own[Symbol.asyncDispose]();
  expect(own.output.text).toBe("");
});

test("an address of one's own, of both families, with gateways and name servers", async () => {
  await using own = machine(
    `address = ["192.0.2.10/24", "2001:db8::10/64"]
     gateway = ["192.0.2.1", "2001:db8::1"]
     dns = "192.0.2.53"
     search = ["one.example"]
     mtu = 1400`,
    `probe serve 80 web & ip -6 route; ${look}`,
  );
  await own.output.waitFor("looked");
  const { text } = own.output;
  expect(text).toContain("inet 192.0.2.10/24 brd 192.0.2.255");
  expect(text).toMatch(/default via 192\.0\.2\.1 dev up0/);
  expect(text).toMatch(/default via 2001:db8::1 dev up0/);
  expect(text).toContain("mtu 1400");
  expect(text).toContain("web | search one.example\nweb | nameserver 192.0.2.53\n");
  await own.output.waitFor("serving");
  const fetched = await host().inWorld([await probeBinary(), "fetch", "192.0.2.10", "80", "5000"]);
  expect(fetched).toBe("web to 192.0.2.1\n");
  // Containers' networks forward: it goes on listening to routers of IPv6.
  expect((await host().inHost(["cat", "/proc/sys/net/ipv6/conf/up0/accept_ra"])).trim()).toBe("2");
});
