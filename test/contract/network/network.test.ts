import { afterAll, expect } from "bun:test";
import { busyboxHost, image, nothingLeft } from "../../cli/world.ts";
import { type NetworkHost, networkHost, networkTools } from "../../support/network-host.ts";
import { needs } from "../../support/root.ts";
import { until } from "../../support/wait.ts";
import { cases, hasKind, newLinks } from "./cases.ts";
import { networkContract } from "./network.ts";

const gated = needs({ root: true, tools: ["busybox", "tar", ...networkTools] });

let made: NetworkHost | undefined;

gated.beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.serveInWorld(80, "world");
}, 120_000);

afterAll(async () => await made?.[Symbol.asyncDispose]());

function test(what: string, body: (host: NetworkHost) => Promise<unknown>): void {
  gated.test(what, async () => {
    const host = made!;
    try {
      await body(host);
      expect(await host.ok(["network", "ls", "-q", "-f", "type=custom"])).toBe("");
      await until("no interface is left", async () => (await newLinks(host)).length === 0);
    } finally {
      await nothingLeft(host);
      const names = (await host.ok(["network", "ls", "-q", "-f", "type=custom"])).trim();
      if (names !== "") await host.ok(["network", "rm", ...names.split("\n")]);
    }
  });
}

// Where the kernel has none of its interfaces test/vm/networks.test.ts has another one.
for (const each of cases)
  if (hasKind(each.kind)) networkContract(each, (what, body) => test(`${each.name}: ${what}`, body));

test("host and none: one network of each, which a container has as its network namespace", async (host) => {
  for (const [asked, known] of [
    ["host", "host"],
    ["none", "null"],
    ["null", "null"],
  ]) {
    const { stderr, code } = await host.rt(["network", "create", "-d", asked!, "net"]);
    const text = `only one instance of "${known}" network is allowed`;
    expect([stderr, code]).toEqual([expect.stringContaining(text), 1]);
  }
  const links = ["sh", "-c", "ls /sys/class/net"];
  const seen = (network: string) => host.ok(["run", "--rm", "--network", network, image, ...links]);
  expect((await seen("none")).split(/\s+/).filter(Boolean)).toEqual(["lo"]);
  const own = await host.inHost(["readlink", "/proc/self/ns/net"]);
  const theirs = await host.ok(["run", "--rm", "--network", "host", image, "readlink", "/proc/self/ns/net"]);
  expect(theirs).toBe(own);
});
