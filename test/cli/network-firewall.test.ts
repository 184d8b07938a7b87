/** The fence around the networks, as nft(8) shows it; and what becomes of it when somebody else flushes all rules. */
import { afterAll, expect } from "bun:test";
import { type NetworkHost, networkHost, networkTools, worldAddress } from "../support/network-host.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { busyboxHost, image } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "nft", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.serveInWorld(80, "hello");
}, 120_000);

afterAll(async () => await made?.[Symbol.asyncDispose]());

/** Without what is different each time. */
async function rules(): Promise<string> {
  const text = await host().inHost(["nft", "list", "ruleset"]);
  return text
    .replace(/rt-networks-[0-9a-f]{8}/g, "TABLE")
    .replace(/comment "\d+ [0-9a-f]{32}"/g, 'comment "…"')
    .replace(/veth[0-9a-f]{11}/g, "PORT")
    .replace(/\b\d{5,10}\b/g, "GROUP");
}

/** The table of IPv4, and who may speak from which port. */
async function fences(): Promise<string[]> {
  const text = await rules();
  const tables = text.split(/^(?=table )/m);
  expect(tables.map((table) => table.split(" {")[0]!).sort()).toEqual(
    [...["table bridge TABLE", "table ip TABLE", "table ip6 TABLE"]].sort(),
  );
  return sorted(tables.find((table) => table.startsWith("table ip "))!);
}

async function speakers(): Promise<string[]> {
  const found = (await rules()).matchAll(/"PORT" \. (\S+)(?: \. (\S+?))?,?\s/g);
  return [...found].map(([, mac, address = ""]) => `${mac} ${address}`).sort();
}

const ofWeb = ["02:42:0a:05:00:02 ", "02:42:0a:05:00:02 10.5.0.2", "02:42:0a:05:00:02 fe80::42:aff:fe05:2"];

const fence = `table ip TABLE {
	comment "…"
	set bridges {
		type ifname
		elements = { "front",
			     "vault" }
	}

	set ports {
		type devgroup
		elements = { GROUP,
			     GROUP }
	}

	set internal {
		type ifname
		elements = { "vault" }
	}

	set same {
		type ifname . ifname
		elements = { "front" . "front",
			     "vault" . "vault" }
	}

	set strangers {
		type ifname . ifname
	}

	set open {
		type ifname
	}

	set trusted {
		type ifname . ifname
	}

	set unprotected {
		type ifname
	}

	set gateways {
		type ipv4_addr
		elements = { 10.5.0.1, 10.6.0.1 }
	}

	set homes {
		type ifname . ipv4_addr
		elements = { "front" . 10.5.0.1,
			     "vault" . 10.6.0.1 }
	}

	set aloof {
		type ifname
	}

	map published {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
	}

	map anywhere {
		type inet_proto . inet_service : ipv4_addr . inet_service
	}

	set handed {
		type ipv4_addr . inet_proto . inet_service
	}

	set handed-anywhere {
		type inet_proto . inet_service
	}

	set linked {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
	}

	set answers {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
	}

	chain loopback {
		type filter hook prerouting priority raw; policy accept;
		iifname @bridges ip daddr 127.0.0.0/8 drop
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 accept
		fib daddr type != local accept
		dnat ip to ip daddr . meta l4proto . th dport map @published
		dnat ip to meta l4proto . th dport map @anywhere
	}

	chain output {
		type nat hook output priority -100; policy accept;
		fib daddr type != local accept
		dnat ip to ip daddr . meta l4proto . th dport map @published
		dnat ip to meta l4proto . th dport map @anywhere
	}

	chain refuse {
		reject with tcp reset
		reject with icmp admin-prohibited
	}

	chain entry {
		type filter hook prerouting priority raw; policy accept;
		iifgroup @ports iifname != @bridges drop
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		tcp flags syn / syn,rst iifname @bridges tcp option maxseg size set rt mtu
		tcp flags syn / syn,rst oifname @bridges tcp option maxseg size set rt mtu
		iifname . oifname @strangers ip saddr . ip daddr . meta l4proto . th dport @linked accept
		iifname . oifname @strangers ip saddr . ip daddr . meta l4proto . th sport @answers accept
		iifname . oifname @strangers drop
		iifname . oifname @same accept
		iifname @internal drop
		oifname @internal drop
		ct state established,related accept
		iifname . oifname @trusted accept
		oifname @unprotected iifname != @bridges accept
		iifname @open oifname @open accept
		oifname @bridges ct status dnat accept
		oifname @bridges drop
	}

	chain input {
		type filter hook input priority filter; policy accept;
		iifname != @bridges accept
		ct state established,related accept
		iifname . ip daddr != @homes ip daddr @gateways jump refuse
		iifname @aloof jump refuse
		iifname @internal ip daddr . meta l4proto . th dport @handed jump refuse
		iifname @internal meta l4proto . th dport @handed-anywhere jump refuse
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.5.0.0/20 oifname != "front" masquerade
		ip saddr 10.5.0.0/20 oifname "front" ct status dnat masquerade
		ip saddr 127.0.0.0/8 oifname @bridges masquerade
	}
}
`;

test("its rules; and they are back with the next container, or a reload, after a flush", async () => {
  const named = (name: string) => ["-o", `com.docker.network.bridge.name=${name}`, name];
  await host().ok(["network", "create", "--subnet", "10.5.0.0/20", ...named("front")]);
  await host().ok(["network", "create", "--internal", "--subnet", "10.6.0.0/24", ...named("vault")]);
  expect(await rules()).toBe("");
  const run = ["run", "-d", "--name", "web", "--network", "front", image, "probe", "serve", "80", "web"];
  await host().ok(run);
  await until("it serves", async () => (await host().ok(["logs", "web"])).includes("serving"));
  expect(await fences()).toEqual(sorted(fence));
  expect(await speakers()).toEqual(ofWeb);
  await host().inHost(["nft", "flush", "ruleset"]);
  const fetch = ["probe", "fetch", worldAddress, "80", "500"];
  // Nothing knows the way back to a container.
  expect((await host().rt(["exec", "web", ...fetch])).stdout).toBe("error ETIMEDOUT connect\n");
  await host().ok(["network", "reload"]);
  expect(await fences()).toEqual(sorted(fence));
  expect(await speakers()).toEqual(ofWeb);
  expect(await host().ok(["exec", "web", ...fetch])).toBe("hello to 192.0.2.2\n");
  await host().inHost(["nft", "flush", "ruleset"]);
  await host().ok(["run", "--rm", "--network", "vault", image, "true"]);
  expect(await fences()).toEqual(sorted(fence));
  expect(await speakers()).toEqual(ofWeb);
  await host().ok(["rm", "-f", "web"]);
  expect(await speakers()).toEqual([]);
  await host().ok(["network", "rm", "front"]);
  expect(await rules()).not.toContain("front");
  await host().ok(["network", "rm", "vault"]);
  expect(await rules()).toBe("");
});

test("what another table drops stays dropped, and rules of others stay as they are", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "lab"]);
  const drop =
    "add table ip other; add chain ip other f { type filter hook forward priority 10; }; add rule ip other f drop";
  await host().inHost(["nft", drop]);
  const command = ["run", "--rm", "--network", "lab", image, "probe", "fetch", worldAddress, "80", "500"];
  expect((await host().rt(command)).stdout).toBe("error ETIMEDOUT connect\n");
  await host().inHost(["nft", "delete", "table", "ip", "other"]);
  expect(await host().ok(command)).toBe("hello to 192.0.2.2\n");
  await host().ok(["network", "rm", "lab"]);
  const own = await host().inHost([await probeBinary(), "fetch", worldAddress, "80"]);
  expect(own).toBe("hello to 192.0.2.2\n");
});

test("a firewall that drops what the host forwards is told of, when the fence is made", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "lab"]);
  const nft = (line: string) => host().inHost(["nft", line]);
  // As ufw, and docker with iptables, have it.
  await nft(
    "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
  );
  // None that packets on their way through meet, one that drops nothing, one of another family.
  await nft("add chain ip filter INPUT { type filter hook input priority 0; policy drop; }");
  await nft("add table ip open; add chain ip open f { type filter hook forward priority 0; policy accept; }");
  await nft("add table ip6 six; add chain ip6 six f { type filter hook forward priority 0; policy drop; }");
  const said =
    "rt: warning: chain FORWARD of table filter drops what this host forwards: IPv4 of networks leads out, and in by ports, as far as its rules let that through\n";
  const run = ["run", "--rm", "--network", "lab", image, "true"];
  const told = async (argv: readonly string[]) => {
    const { code, stderr } = await host().rt(argv);
    return [code, stderr];
  };
  expect(await told(run)).toEqual([0, said]);
  expect(await told(run)).toEqual([0, ""]);
  await host().ok(["run", "-d", "--name", "web", "--network", "lab", image, "sleep", "1000"]);
  expect(await told(["network", "reload"])).toEqual([0, said]);
  await nft("delete table ip filter");
  expect(await told(["network", "reload"])).toEqual([0, ""]);
  // One for both families.
  await nft(
    "add table inet both; add chain inet both f { type filter hook forward priority 0; policy drop; }",
  );
  expect(await told(["network", "reload"])).toEqual([
    0,
    said.replace("FORWARD of table filter", "f of table both"),
  ]);
  await nft("delete table inet both; delete table ip open; delete table ip6 six");
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "rm", "lab"]);
});

/** The order of a set's elements is the kernel's. */
function sorted(text: string): string[] {
  return text
    .replaceAll(", ", ",\n")
    .split("\n")
    .map((line) => line.replace(/^\s*(elements = \{ )?|[, }]*$/g, ""))
    .sort();
}
