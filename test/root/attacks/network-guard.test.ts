/**
 * A container that sends whatever it likes: nothing of what it says in the name of a neighbour, of the gateway or of a router
 * comes to anybody. Each frame is followed by one that is true, so that it is known when it would have come; and in a network that
 * does without the guard all of them do come.
 */
import { afterAll, expect } from "bun:test";
import { busyboxHost, image } from "../../cli/world.ts";
import { advertisement, arp, frame, hexOf, icmp6, router, solicitation, udp } from "../../support/frames.ts";
import { type NetworkHost, networkHost, networkTools } from "../../support/network-host.ts";
import { needs } from "../../support/root.ts";
import { until } from "../../support/wait.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "nft", ...networkTools] });

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
}, 120_000);

afterAll(async () => await made?.[Symbol.asyncDispose]());

const mac = (last: number) => `02:42:0a:05:00:0${last}`;
const [gateway, victim, own] = ["10.5.0.1", "10.5.0.2", "10.5.0.3"];
const [gateway6, victim6, own6, link6] = ["fd05::1", "fd05::2", "fd05::3", "fe80::42:aff:fe05:3"];
const [from, all6, routers6] = [mac(3), "ff02::1", "33:33:00:00:00:01"];
const six = { from, to: routers6, target: all6 };

const lies: [string, string, string?][] = [
  ["its neighbour's address is here, in an answer", arp({ from, ip: victim })],
  ["in a question", arp({ from, ip: victim, operation: 1 })],
  ["the gateway's address is here", arp({ from, ip: gateway })],
  ["under its own frame, another's MAC", arp({ from, sender: mac(9), ip: own })],
  ["another's frame", arp({ from: mac(9), sender: from, ip: own })],
  ["an answer from nobody", arp({ from, ip: "0.0.0.0" })],
  ["a question from nobody, with another's MAC", arp({ from, sender: mac(9), ip: "0.0.0.0", operation: 1 })],
  [
    "an address of another length",
    frame(from, mac(2), 0x0806, [0, 1, 8, 0, 6, 16, 0, 2, ...Array(30).fill(1)]),
  ],
  ["half of a question", frame(from, mac(2), 0x0806, [0, 1, 8, 0, 6, 4, 0, 2])],
  [
    "in a tag of priority",
    arp({ from, ip: victim, operation: 2, asks: "10.5.0.9", tag: 0 }),
    arp({ from, ip: victim, operation: 2, asks: "10.5.0.9" }),
  ],
  [
    "in a tag of a VLAN",
    udp({ from, source: victim, target: gateway, text: "tagged", tag: 5 }),
    udp({ from, source: victim, target: gateway, text: "tagged" }),
  ],
  ["its neighbour's source", udp({ from, source: victim, target: gateway, text: "spoof" })],
  ["a foreign source", udp({ from, source: "192.0.2.77", target: gateway, text: "spoof" })],
  ["its own source by another's MAC", udp({ from: mac(2), source: own, target: gateway, text: "spoof" })],
  ["no source", udp({ from, source: "0.0.0.0", target: "255.255.255.255", ports: [68, 67] })],
  ["an offer of DHCP", udp({ from, source: own, target: "255.255.255.255", ports: [67, 68], text: "offer" })],
  ["its neighbour's source, of IPv6", udp({ ...six, source: victim6, text: "spoof" })],
  ["its neighbour's address of the link", udp({ ...six, source: "fe80::42:aff:fe05:2", text: "spoof" })],
  ["an answer of DHCP, of IPv6", udp({ ...six, source: own6, ports: [547, 546], text: "offer" })],
  ["its neighbour's address is here, of IPv6", advertisement({ ...six, source: own6 }, victim6, from)],
  ["the same from the neighbour's address", advertisement({ ...six, source: victim6 }, victim6, from)],
  [
    "the gateway's is, from the address of the link",
    advertisement({ ...six, source: link6 }, gateway6, from),
  ],
  ["it is a router", router({ ...six, source: link6 })],
  ["the gateway says so", router({ ...six, source: "fe80::42:aff:fe05:1" })],
  ["there is a better way", icmp6({ ...six, source: link6 }, 137, Array(36).fill(0))],
  ["nobody says something", udp({ ...six, source: "::", text: "nobody" })],
  ["nobody answers", advertisement({ ...six, source: "::" }, own6, from)],
  ["nobody asks, by another's MAC", solicitation({ ...six, from: mac(9), source: "::" }, victim6)],
  ["the tree of bridges", frame(from, "01:80:c2:00:00:00", 38, [0x42, 0x42, 3, ...Array(35).fill(0)])],
  ["neither IP nor ARP", frame(from, "ff:ff:ff:ff:ff:ff", 0x88b5, Array(50).fill(7))],
];

const truths: [string, string][] = [
  ["its own address is here", arp({ from, ip: own })],
  ["it asks", arp({ from, ip: own, asks: victim, operation: 1 })],
  ["whether an address is free", arp({ from, ip: "0.0.0.0", asks: "10.5.0.9", operation: 1 })],
  ["from its address of IPv6", udp({ ...six, source: own6, text: "true" })],
  ["from that of the link", udp({ ...six, source: link6, text: "true" })],
  ["its own of IPv6 is here", advertisement({ ...six, source: own6 }, own6, from)],
  ["whether one of IPv6 is free", solicitation({ ...six, source: "::" }, "fd05::9")],
  ["it listens", icmp6({ ...six, source: "::" }, 143, [0, 0, 0, 0])],
];

/** Everything is sent, and what its neighbour has seen of it is told by name. */
async function seen(network: string, rest: readonly string[]): Promise<Set<string>> {
  await host().ok([
    ...["network", "create", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64"],
    ...["-o", "com.docker.network.bridge.name=lab", ...rest, network],
  ]);
  const join = (address: string) => ["--cap-add", "NET_RAW", "--network", network, "--ip", address, image];
  const watch = ["probe", "capture", "eth0", "100"];
  await using watcher = host().spawn(["run", "--rm", "--name", "watcher", ...join(victim), ...watch]);
  await watcher.stdout.waitFor("capturing");
  const attacker = ["run", "-d", "--name", "attacker", "--cap-add", "NET_ADMIN"];
  await host().ok([...attacker, ...join(own), "sleep", "1000"]);
  const send = (...frames: string[]) =>
    host().ok(["exec", "attacker", "probe", "send-frames", "eth0", ...frames]);
  const found = new Set<string>();
  for (const [index, [name, sent, wanted = sent]] of [...lies, ...truths].entries()) {
    const then = udp({ from, source: own, target: gateway, text: `then ${index}` });
    const before = watcher.stdout.text.length;
    await send(sent, then);
    await until("the next one has come", () => watcher.stdout.text.includes(hexOf(`then ${index}`)));
    if (watcher.stdout.text.slice(before).includes(wanted)) found.add(name);
  }
  await host().ok(["rm", "-f", "attacker", "watcher"]);
  await host().ok(["network", "rm", network]);
  return found;
}

test("what is true comes, and nothing else", async () => {
  expect([...(await seen("guarded", []))]).toEqual(truths.map(([name]) => name));
}, 120_000);

test("without the guard all of it comes", async () => {
  expect([...(await seen("unguarded", ["-o", "rt.guard=false"]))]).toEqual(
    [...lies, ...truths].map(([name]) => name),
  );
}, 120_000);

test("a frame to an address of the bridges' own protocols is no way into the host past what is said of the network", async () => {
  await host().ok([
    ...["network", "create", "--subnet", "10.5.0.0/24", "-o", "rt.host-access=false"],
    ...["-o", "com.docker.network.bridge.name=lab", "closed"],
  ]);
  const attacker = [
    "run",
    "-d",
    "--name",
    "attacker",
    "--cap-add",
    "NET_RAW",
    "--network",
    "closed",
    "--ip",
    own,
  ];
  await host().ok([...attacker, image, "sleep", "1000"]);
  const bridge = /ether (\S+)/.exec(await host().inHost(["ip", "link", "show", "lab"]))![1]!;
  const asides = ["00", "03", "0e"].map((last) => `01:80:c2:00:00:${last}`);
  const datagram = (to: string) => udp({ from, to, source: own, target: gateway, text: "aside" });
  const advert = (to: string) => router({ from, to, source: link6, target: all6 });
  const send = (frames: string[]) =>
    host().ok(["exec", "attacker", "probe", "send-frames", "eth0", ...frames]);
  /** Datagrams for which nobody waits, and what is said of routers: all that has come into the host. */
  const arrived = async () => {
    const [four, six] = [
      await host().inHost(["cat", "/proc/net/snmp"]),
      await host().inHost(["cat", "/proc/net/snmp6"]),
    ];
    return [
      Number(/^Udp: \d+ (\d+)/m.exec(four)![1]),
      Number(/^Icmp6InRouterAdvertisements\s+(\d+)/m.exec(six)![1]),
    ];
  };
  const [datagrams, routers] = await arrived();
  await send([bridge, ...asides].flatMap((to) => [datagram(to), advert(to)]));
  const tables = await host().inHost(["nft", "list", "tables"]);
  const table = /table ip (\S+)/.exec(tables)![1]!;
  // It is this rule that keeps them out.
  for (const family of ["ip", "ip6"]) await host().inHost(["nft", "flush", "chain", family, table, "entry"]);
  await send([datagram(asides[2]!), advert(asides[2]!)]);
  await until("they come", async () => {
    const [four, six] = await arrived();
    return four! > datagrams! && six! > routers!;
  });
  expect(await arrived()).toEqual([datagrams! + 1, routers! + 1]);
  await host().ok(["rm", "-f", "attacker"]);
  await host().ok(["network", "rm", "closed"]);
});

test("who says in a frame to the bridges' own addresses that it is its neighbour gets nothing of what is for that one", async () => {
  await host().ok([
    ...["network", "create", "--subnet", "10.5.0.0/24", "-o", "com.docker.network.bridge.name=lab", "lab"],
  ]);
  const join = (address: string) => ["--cap-add", "NET_RAW", "--network", "lab", "--ip", address, image];
  await host().ok(["run", "-d", "--name", "web", ...join(victim), "probe", "serve", "80", "web"]);
  await until("it serves", async () => (await host().ok(["logs", "web"])).includes("serving"));
  await host().ok(["run", "-d", "--name", "attacker", ...join(own), "sleep", "1000"]);
  await host().ok(["exec", "attacker", "probe", "fetch", victim, "80"]);
  const learnt = async () =>
    (await host().inHost(["bridge", "fdb", "show", "br", "lab"]))
      .split("\n")
      .filter((line) => line.startsWith(mac(2)) || line.startsWith(mac(9)))
      .map((line) => line.split(" ").slice(0, 3).join(" "));
  const before = await learnt();
  expect(before).toHaveLength(1);
  const frames = ["00", "02", "03", "0e", "0f"].flatMap((last) =>
    [mac(2), mac(9)].map((of) => frame(of, `01:80:c2:00:00:${last}`, 0x88cc, Array(50).fill(0))),
  );
  // Nor does the host take it for one of its neighbours.
  const questions = ["03", "0e"].flatMap((last) =>
    ["10.5.0.77", "10.9.0.77", gateway].map((ip) =>
      arp({ from, to: `01:80:c2:00:00:${last}`, ip, asks: "192.0.2.2", operation: 1 }),
    ),
  );
  await host().ok(["exec", "attacker", "probe", "send-frames", "eth0", ...frames, ...questions]);
  // It is known when they have come by.
  await host().ok(["exec", "attacker", "probe", "fetch", victim, "80"]);
  expect(await learnt()).toEqual(before);
  expect(await host().inHost(["ip", "neigh", "show"])).not.toMatch(/\.77 |veth/);
  await host().ok(["rm", "-f", "web", "attacker"]);
  await host().ok(["network", "rm", "lab"]);
});

test("who takes its neighbour's address or MAC, or the gateway's, is nobody until it has its own again", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "lab"]);
  const join = (address: string) => ["--network", "lab", "--ip", address, image];
  await host().ok(["run", "-d", "--name", "web", ...join(victim), "probe", "serve", "80", "web"]);
  await host().ok([
    "run",
    "-d",
    "--name",
    "attacker",
    "--cap-add",
    "NET_ADMIN",
    "--cap-add",
    "NET_RAW",
    ...join(own),
    "probe",
    "serve",
    "80",
    "thief",
  ]);
  await host().ok(["run", "-d", "--name", "client", ...join("10.5.0.4"), "sleep", "1000"]);
  for (const name of ["web", "attacker"])
    await until("it serves", async () => (await host().ok(["logs", name])).includes("serving"));
  const get = (name: string, address: string, patience_ms = 10_000) =>
    host().rt(["exec", name, "probe", "fetch", address, "80", `${patience_ms}`]);
  const change = (script: string) => host().ok(["exec", "attacker", "sh", "-ec", script]);
  expect((await get("attacker", victim)).stdout).toBe(`web to ${own}\n`);
  const { stdout } = await get("client", own);
  expect(stdout).toBe("thief to 10.5.0.4\n");
  for (const [address, script] of [
    [victim, `ip address flush dev eth0; ip address add ${victim}/24 dev eth0`],
    [gateway, `ip address flush dev eth0; ip address add ${gateway}/24 dev eth0`],
  ] as const) {
    await change(script);
    expect((await get("attacker", "10.5.0.4", 300)).stdout).toBe("error ETIMEDOUT connect\n");
    expect((await get("client", address, address === victim ? 10_000 : 300)).stdout).not.toContain("thief");
  }
  await change(
    `ip address flush dev eth0; ip address add ${own}/24 dev eth0; ip link set eth0 address ${mac(2)}`,
  );
  expect((await get("attacker", victim, 300)).stdout).toBe("error ETIMEDOUT connect\n");
  expect((await get("client", victim)).stdout).toBe("web to 10.5.0.4\n");
  await change(`ip link set eth0 address ${mac(3)}`);
  expect((await get("attacker", victim)).stdout).toBe(`web to ${own}\n`);
  await host().ok(["rm", "-f", "web", "attacker", "client"]);
  await host().ok(["network", "rm", "lab"]);
}, 240_000);
