/** Ways that are narrower than a container's own interface: the host's own, and one further on. */
import { afterAll, afterEach, expect } from "bun:test";
import { run } from "../support/command.ts";
import { type NetworkHost, networkHost, networkTools, newNetwork } from "../support/network-host.ts";
import { needs, tool } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { busyboxHost, image, nothingLeft } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "nft", "ss", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.ok(["network", "create", "--ipv6", "shop"]);
}, 120_000);

afterEach(async () => {
  if (made) await nothingLeft(host());
});

afterAll(async () => await made?.[Symbol.asyncDispose]());

const busybox = tool("busybox")!;

/** What the world may send in one segment to a container that has just connected. */
async function segmentTo(address: string, port: string): Promise<number> {
  const served = host().inWorld([busybox, "nc", "-l", "-p", port, "-e", busybox, "cat"]);
  const sockets = () => host().inWorld(["ss", "-tin", "sport", "=", `:${port}`]);
  await until("somebody listens", async () => (await host().inWorld(["ss", "-ltn"])).includes(`:${port} `));
  await host().ok(["exec", "-d", "one", "sh", "-c", `mkfifo /tmp/f; nc ${address} ${port} 0<>/tmp/f`]);
  let found: string | undefined;
  await until("they are connected", async () => {
    found = /ESTAB[\s\S]*? mss:(\d+)/.exec(await sockets())?.[1];
    return found !== undefined;
  });
  await host().ok(["exec", "one", "killall", "nc"]);
  await served;
  await host().ok(["rm", "-f", "one"]);
  return Number(found);
}

const headers = { four: 40, six: 60, timestamps: 12 };

test("where the host's own way is narrower connections begin with segments that fit it", async () => {
  await host().inHost(["ip", "link", "set", "up0", "mtu", "1400"]);
  const one = ["run", "-d", "--name", "one", "--network", "shop", image, "sleep", "1000"];
  await host().ok(one);
  expect(await segmentTo("192.0.2.1", "9001")).toBe(1400 - headers.four - headers.timestamps);
  await host().ok(one);
  expect(await segmentTo("2001:db8::1", "9002")).toBe(1400 - headers.six - headers.timestamps);
  await host().inHost(["ip", "link", "set", "up0", "mtu", "1500"]);
});

test("a narrow way behind a router: what it says to the host reaches the container that has sent too much", async () => {
  await using far = await newNetwork();
  const inFar = (command: readonly string[]) => run([...far.enter, ...command]);
  const [, pid] = /\/proc\/(\d+)\//.exec(far.enter.join(" "))!;
  for (const line of [
    `ip link add far0 mtu 1280 type veth peer name far1 mtu 1280 netns ${pid}`,
    "ip address add 203.0.113.1/24 dev far0",
    "ip link set far0 up",
    "sysctl -qw net.ipv4.ip_forward=1",
  ])
    await host().inWorld(line.split(" "));
  for (const line of [
    "address add 203.0.113.2/24 dev far1",
    "link set far1 up",
    "route add default via 203.0.113.1",
  ])
    await inFar(["ip", ...line.split(" ")]);
  await host().ok(["run", "-d", "--name", "one", "--network", "shop", image, "sleep", "1000"]);
  const [chunk, chunks] = [65_536, 16];
  const listen = `f=/tmp/rt-mtu-$$; ${busybox} mkfifo $f; ${busybox} nc -l -p 9003 0<>$f | ${busybox} wc -c; rm $f`;
  const served = inFar(["sh", "-c", listen]);
  await until("somebody listens", async () => (await inFar(["ss", "-ltn"])).includes(":9003 "));
  const send = `dd if=/dev/zero bs=${chunk} count=${chunks} 2>/dev/null | nc 203.0.113.2 9003`;
  await host().ok(["exec", "one", "sh", "-c", send]);
  expect(Number(await served)).toBe(chunk * chunks);
  await host().ok(["rm", "-f", "one"]);
});
