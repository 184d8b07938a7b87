/** Sets, maps and rules of nftables as we write them, as nft(8) reads them; and what comes and goes in them. */
import { expect } from "bun:test";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { needs } from "../support/root.ts";

const { test } = needs({ root: true, tools: ["nft", "unshare"] });

const made = `table ip t {
	comment "c"
	map ports {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		elements = { 127.0.0.1 . udp . 80 : 10.0.0.2 . 80 }
	}

	set ranges {
		type ipv4_addr . inet_proto . inet_service
		flags interval,timeout
		elements = { 10.0.0.0/8 . tcp . 80-99 }
	}

	set seen {
		type ipv4_addr
		size 100
		flags dynamic,timeout
		timeout 1m
	}

	chain in {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local dnat ip to ip daddr . meta l4proto . th dport map @ports
	}

	chain out {
		type filter hook forward priority filter; policy accept;
		jump aside
		counter packets 0 bytes 0 reject with icmpx port-unreachable
	}

	chain raw {
		type filter hook prerouting priority raw; policy accept;
		notrack
		meta mark set 0x00000001
	}

	chain aside {
		update @seen { ip saddr timeout 5s }
		ip daddr . meta l4proto . th dport != @ranges reject with tcp reset
		udp dport 80-90 accept
	}
}
`;

test("they are what nft would have made, and elements come and go as a whole", async () => {
  const program = join(import.meta.dir, "firewall-elements.ts");
  const output = await run(["unshare", "-n", process.execPath, program]);
  const steps = new Map(output.split(/^# /m).slice(1).map(stepOf));
  const elements = (step: string) =>
    [...steps.get(step)!.matchAll(/([\d.]+) \. (\w+) \. (\d+) : /g)]
      .map(([, ...key]) => key.join(" "))
      .sort();
  expect(steps.get("made")).toBe(made);
  expect(elements("changed")).toEqual(["127.0.0.1 udp 2", "127.0.0.1 udp 80"]);
  expect(elements("also without a table")).toEqual(["127.0.0.1 udp 2", "127.0.0.1 udp 5"]);
  expect(steps.get("also without a table")).toEndWith("\n}\nnot-found\n");
  expect(elements("many")).toHaveLength(5002);
  expect(elements("none of them")).toEqual(["127.0.0.1 udp 2", "127.0.0.1 udp 5"]);
}, 240_000);

function stepOf(text: string): [string, string] {
  const end = text.indexOf("\n");
  return [text.slice(0, end), text.slice(end + 1)];
}
