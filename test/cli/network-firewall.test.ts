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
    .replace(/comment "1 [0-9a-f]{32}"/g, 'comment "…"');
}

const fence = `table ip TABLE {
	comment "…"
	set bridges {
		type ifname
		elements = { "front",
			     "vault" }
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

	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname . oifname @same accept
		iifname @internal drop
		oifname @internal drop
		ct state established,related accept
		oifname @bridges drop
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.5.0.0/20 oifname != "front" masquerade
	}
}
`;

test("its rules; and they are back with the next container, or a reload, after a flush", async () => {
  const named = (name: string) => ["-o", `com.docker.network.bridge.name=${name}`, name];
  await host().ok(["network", "create", "--subnet", "10.5.0.0/20", ...named("front")]);
  await host().ok(["network", "create", "--internal", ...named("vault")]);
  expect(await rules()).toBe("");
  const run = ["run", "-d", "--name", "web", "--network", "front", image, "probe", "serve", "80", "web"];
  await host().ok(run);
  await until("it serves", async () => (await host().ok(["logs", "web"])).includes("serving"));
  expect(sorted(await rules())).toEqual(sorted(fence));
  await host().inHost(["nft", "flush", "ruleset"]);
  const fetch = ["probe", "fetch", worldAddress, "80", "500"];
  // Nothing knows the way back to a container.
  expect((await host().rt(["exec", "web", ...fetch])).stdout).toBe("error ETIMEDOUT connect\n");
  await host().ok(["network", "reload"]);
  expect(sorted(await rules())).toEqual(sorted(fence));
  expect(await host().ok(["exec", "web", ...fetch])).toBe("hello to 192.0.2.2\n");
  await host().inHost(["nft", "flush", "ruleset"]);
  await host().ok(["run", "--rm", "--network", "vault", image, "true"]);
  expect(sorted(await rules())).toEqual(sorted(fence));
  await host().ok(["rm", "-f", "web"]);
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

/** The order of a set's elements is the kernel's. */
function sorted(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/^\s*(elements = \{ )?|[, }]*$/g, ""))
    .sort();
}
