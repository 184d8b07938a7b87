/** Names in networks: 127.0.0.11 in each container, answered by its monitor. */
import { afterAll, afterEach, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DnsAnswer, type DnsKind, question, readAnswer } from "../support/dns-message.ts";
import { networkTools } from "../support/network-host.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { goodServer, inContainers, type NamesHost, namesHost, oddServers } from "./names-world.ts";
import { image, nothingLeft } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", "dnsmasq", ...networkTools] });

let made: NamesHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await namesHost();
}, 120_000);

/** Containers, networks, and what was written of either. */
afterEach(async () => {
  if (!made) return;
  const all = (await host().ok(["ps", "-aq"])).trim();
  if (all !== "") await host().ok(["rm", "-f", ...all.split("\n")]);
  await nothingLeft(host());
  await host().ok(["network", "prune", "-f"]);
  expect(readdirSync(join(host().env.RT_STATE!, "networks"))).toEqual([]);
});

afterAll(async () => await made?.[Symbol.asyncDispose]());

const ok = (...answers: string[]) => ({ code: "NOERROR", truncated: false, answers });
const failed = { code: "SERVFAIL", truncated: false, answers: [] };

async function ask(container: string, name: string, kind: DnsKind = "A", options = {}) {
  const answer = await host().ask(container, name, kind, options);
  return answer && { code: answer.code, truncated: answer.truncated, answers: answer.answers };
}

const lab = ["--network", "lab"];

test("a container is found by its names, in any case, with and without the network's", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "lab"]);
  const id = await host().container("Web", ...lab, "--network-alias", "www", "--hostname", "box");
  await host().container("four", "--network", "bridge", "--dns", goodServer);
  for (const name of [
    "web",
    "WEB",
    "www",
    "box",
    id.slice(0, 12),
    "web.lab",
    "Www.LAB",
    `${id.slice(0, 12)}.lab`,
  ])
    expect([name, await ask("Web", name)]).toEqual([name, ok("10.5.0.2")]);
  expect(await ask("Web", "web", "AAAA")).toEqual(ok("fd050000000000000000000000000002"));
  expect(await ask("Web", "2.0.5.10.in-addr.arpa", "PTR")).toEqual(ok("web.lab"));
  const nibbles = `2.${"0.".repeat(27)}5.0.d.f.ip6.arpa`;
  expect(await ask("Web", nibbles, "PTR")).toEqual(ok("web.lab"));
  // It is there, and has nothing of that kind.
  for (const kind of ["MX", "TXT", "SRV", "HTTPS"] as const)
    expect(await ask("Web", "web", kind)).toEqual(ok());
  expect(await ask("four", "four", "AAAA")).toEqual(ok());
  // Neighbours are those of the same network.
  expect(await ask("four", "web")).toEqual(failed);
  const first = await host().ask("Web", "web", "A");
  expect(first).toMatchObject({ id: 0x1234, ttls: [1] });
});

test("the resolv.conf of a container in a network leads to us, and to nobody else", async () => {
  const conf = "nameserver 192.0.2.1\nsearch example.org test\noptions edns0\n";
  await host().containerWith(conf, "web", "--network", "bridge");
  expect(await host().ok(["exec", "web", "cat", "/etc/resolv.conf"])).toBe(
    "nameserver 127.0.0.11\nsearch example.org test\noptions edns0 ndots:0\n",
  );
  expect(await host().ok(["exec", "web", "nslookup", "one.test"])).toContain("192.0.2.50");
});

test("what the user wants of resolv.conf goes before what the host has, in a network and in none", async () => {
  const conf = "nameserver 192.0.2.1\nsearch example.org\noptions edns0\n";
  const own = [
    "--dns-search",
    "lab.test",
    "--dns-search=test",
    "--dns-option",
    "ndots:2",
    "--dns-opt=rotate",
  ];
  const lines = "search lab.test test\noptions ndots:2 rotate\n";
  const read = (name: string) => host().ok(["exec", name, "cat", "/etc/resolv.conf"]);
  await host().containerWith(conf, "web", "--network", "bridge", ...own);
  expect(await read("web")).toBe(`nameserver 127.0.0.11\n${lines}`);
  // As it says so.
  expect(await ask("web", "one")).toEqual(ok());
  await host().containerWith(conf, "alone", "--network", "none", ...own);
  expect(await read("alone")).toBe(`nameserver 192.0.2.1\n${lines}`);
  await host().containerWith(conf, "nowhere", "--network", "bridge", "--dns-search", ".");
  expect(await read("nowhere")).toBe("nameserver 127.0.0.11\noptions edns0 ndots:0\n");
  await host().containerWith(conf, "plain", "--network", "none");
  expect(await read("plain")).toBe(conf);
});

test("the resolver of the C library finds names, with search domains and without", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "--subnet", "fd05::/64", "lab"]);
  await host().containerWith(`nameserver ${goodServer}\nsearch absent.test test\n`, "web", ...lab);
  // RT_TEST_RESOLVER: another program that prints the addresses of a name.
  for (const resolver of ["getent ahosts", process.env.RT_TEST_RESOLVER ?? ""].filter(Boolean)) {
    const find = (name: string) =>
      host().asContainer("web", `${resolver} ${name} | cut -d" " -f1 | sort -u | tr "\\n" " "`);
    expect([resolver, await find("web")]).toEqual([resolver, "10.5.0.2 fd05::2 "]);
    expect([resolver, await find("WEB.lab")]).toEqual([resolver, "10.5.0.2 fd05::2 "]);
    expect([resolver, await find("four.test")]).toEqual([resolver, "192.0.2.51 "]);
    expect([resolver, await find("nobody.test")]).toEqual([resolver, ""]);
    // The search domains are tried in their order; by musl only for names with fewer dots than ndots, which is 0.
    if (resolver.startsWith("getent")) expect(await find("four")).toBe("192.0.2.51 ");
    // By TCP, as they are too many. musl takes 48 at most.
    expect((await find("lots.test")).split(" ").length).toBeGreaterThan(48);
  }
  expect(await host().asContainer("web", "getent hosts 10.5.0.2")).toContain("web.lab");
}, 240_000);

test("all who have an alias are told, in no order", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "lab"]);
  for (const name of ["a1", "b2", "c3"]) await host().container(name, ...lab, "--network-alias", "all");
  const seen = new Set<string>();
  await until("every one of them was the first", async () => {
    const { answers } = (await host().ask("a1", "all", "A"))!;
    expect(answers.toSorted()).toEqual(["10.5.0.2", "10.5.0.3", "10.5.0.4"]);
    seen.add(answers[0]!);
    return seen.size === 3;
  });
});

test("what a real server says is handed on as it is", async () => {
  await host().container("web", "--network", "bridge", "--dns", goodServer);
  const questions: [string, DnsKind][] = [
    ["one.test", "A"],
    ["one.test", "AAAA"],
    ["ONE.test", "A"],
    ["four.test", "AAAA"],
    ["one.test", "MX"],
    ["one.test", "TXT"],
    ["_web._tcp.test", "SRV"],
    ["alias.test", "A"],
    ["alias.test", "CNAME"],
    ["nobody.test", "A"],
    ["nobody.test", "TXT"],
    ["big.test", "TXT"],
    ["lots.test", "A"],
    ["50.2.0.192.in-addr.arpa", "PTR"],
  ];
  for (const [name, kind] of questions) {
    for (const options of [{}, { edns: 1232 }, { edns: 4096 }, { tcp: true }, { tcp: true, edns: 1232 }]) {
      const asked = [question(name, kind, options)];
      const [direct] = await host().send("web", asked, { ...options, server: goodServer });
      const [led] = await host().send("web", asked, options);
      if (name === "lots.test") {
        // Of those that it has it takes others each time.
        const counted = (hex: string | null | undefined) => hex?.length;
        expect([options, counted(led)]).toEqual([options, counted(direct)]);
        continue;
      }
      const read = (hex: string | null | undefined) => hex && sorted(readAnswer(Buffer.from(hex, "hex")));
      expect([name, kind, options, read(led)]).toEqual([name, kind, options, read(direct)]);
      // What is beside the answer comes in any order.
      if (kind !== "SRV") expect([name, led]).toEqual([name, direct!]);
    }
  }
  const big = await host().ask("web", "big.test", "TXT");
  expect(big).toMatchObject({ truncated: true });
  expect((await host().ask("web", "big.test", "TXT", { tcp: true }))!.answers[0]!.length).toBeGreaterThan(
    4000,
  );
});

function sorted({ answers, ...rest }: DnsAnswer) {
  return { ...rest, answers: answers.toSorted() };
}

test("a server that says nothing useful is followed by the next; the last word is SERVFAIL", async () => {
  const flags = oddServers.flatMap((server) => ["--dns", server]);
  await host().container("web", "--network", "bridge", ...flags);
  await host().container("one", "--network", "bridge", "--dns", oddServers[0], "--dns", goodServer);
  const absent = ["192.0.2.77", "192.0.2.78"].flatMap((server) => ["--dns", server]);
  await host().container("nobody", "--network", "bridge", ...absent, "--dns", goodServer);
  for (const tcp of [false, true]) {
    const options = { tcp };
    expect(await ask("web", "good.odd", "A", options)).toEqual(ok("192.0.2.99"));
    expect(await ask("web", "nxdomain.odd", "A", options)).toMatchObject({ code: "NXDOMAIN" });
    for (const name of ["servfail.odd", "refused.odd"])
      expect(await ask("web", name, "A", options)).toEqual(failed);
    // The third knows it, and says so while a usual client still waits.
    expect(await ask("nobody", "one.test", "A", { ...options, wait_ms: 5000 })).toEqual(ok("192.0.2.50"));
  }
  for (const name of ["silent", "wrongid", "question", "garbage", "loop", "other"])
    expect([name, await ask("one", `${name}.odd`, "A", { wait_ms: 30_000 })]).toMatchObject([
      name,
      { code: expect.stringMatching(/REFUSED|SERVFAIL/) },
    ]);
  for (const name of ["wrongid", "question", "loop", "cut"])
    expect([name, await ask("one", `${name}.odd`, "A", { tcp: true, wait_ms: 30_000 })]).not.toMatchObject([
      name,
      ok("192.0.2.99"),
    ]);
  // Nobody's ids and ports are those of the program, or those of before.
  const asked = [
    ...host()
      .asked(oddServers[0])
      .matchAll(/^udp \S+ (\d+) (\d+)$/gm),
  ];
  expect(asked.length).toBeGreaterThan(8);
  expect(new Set(asked.map(([, port]) => port)).size).toBeGreaterThan(asked.length / 2);
  expect(new Set(asked.map(([, , id]) => id)).size).toBeGreaterThan(asked.length / 2);
  // More than the program takes.
  expect(await ask("web", "large.odd")).toEqual({ code: "NOERROR", truncated: true, answers: [] });
  expect((await ask("web", "large.odd", "A", { edns: 4096 }))!.answers).toHaveLength(120);
  expect((await ask("web", "text.odd", "TXT", { tcp: true }))!.answers[0]).toHaveLength(8000);
}, 240_000);

test("the host's servers are asked from the host, the user's from the container", async () => {
  await host().inHost(["ip", "address", "add", "127.0.0.53/32", "dev", "lo"]);
  await host().serveOnHost("127.0.0.53");
  await host().containerWith("nameserver 127.0.0.53\n", "web", "--network", "bridge");
  expect(await ask("web", "good.odd")).toEqual(ok("192.0.2.99"));
  await host().container("own", "--network", "bridge", "--dns", goodServer);
  expect(await ask("own", "one.test")).toEqual(ok("192.0.2.50"));
  // In there nobody is at this address.
  await host().container("inside", "--network", "bridge", "--dns", "127.0.0.53");
  expect(await ask("inside", "good.odd")).toEqual(failed);
  expect(host().asked("127.0.0.53")).toContain("udp 127.0.0.53 ");
});

test("an internal network asks nobody, and knows its own", async () => {
  await host().ok(["network", "create", "--internal", "--subnet", "10.5.0.0/24", "lab"]);
  await host().containerWith(`nameserver ${oddServers[1]}\n`, "web", ...lab);
  expect(await ask("web", "web")).toEqual(ok("10.5.0.2"));
  expect(await ask("web", "good.inside")).toEqual(failed);
  expect(await ask("web", "good.inside", "A", { tcp: true })).toEqual(failed);
  expect(host().asked(oddServers[1])).not.toContain("inside");
});

test("with ndots a name without a dot is nobody's but ours", async () => {
  await host().containerWith(`nameserver ${oddServers[0]}\noptions ndots:2\n`, "web", "--network", "bridge");
  expect(await ask("web", "good")).toEqual(ok());
  expect(await ask("web", "good.odd")).toEqual(ok("192.0.2.99"));
  expect(await host().ok(["exec", "web", "cat", "/etc/resolv.conf"])).toContain("options ndots:2\n");
});

test("a name goes with its container, however that ends, and follows when it is renamed", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "lab"]);
  await host().container("web", ...lab, "--dns", goodServer);
  for (const name of ["stopped", "killed", "gone"]) await host().container(name, ...lab);
  expect(await ask("web", "gone")).toEqual(ok("10.5.0.5"));
  await host().ok(["stop", "-t", "0", "stopped"]);
  expect(await ask("web", "stopped")).toEqual(failed);
  const [monitor, pid] = [await host().monitorOf("killed"), await host().pidOf("killed")];
  for (const each of [monitor, pid]) process.kill(each, "SIGKILL");
  await until("the monitor has gone", () => !existsSync(`/proc/${monitor}`));
  await host().ok(["ps"]);
  expect(await ask("web", "killed")).toEqual(failed);
  await host().ok(["rm", "-f", "gone"]);
  expect(await ask("web", "gone")).toEqual(failed);
  await host().ok(["start", "stopped"]);
  expect((await ask("web", "stopped"))!.answers).toHaveLength(1);
  await host().ok(["rename", "stopped", "again"]);
  expect((await ask("web", "again"))!.answers).toHaveLength(1);
  expect(await ask("web", "stopped")).toEqual(failed);
  expect(await ask("web", "web.lab")).toEqual(ok("10.5.0.2"));
});

test("names that somebody has taken away are back with a reload", async () => {
  await host().container("web", "--network", "bridge", "--dns", goodServer);
  const directory = join(host().env.RT_STATE!, "networks");
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
  expect(await ask("web", "web")).toEqual(failed);
  await host().ok(["network", "reload"]);
  expect((await ask("web", "web"))!.answers).toHaveLength(1);
});

test("what cannot be told to one is told to all others by a reload", async () => {
  const directory = join(host().env.RT_STATE!, "networks");
  for (const name of ["web", "other"])
    await host().container(name, "--network", "bridge", "--dns", goodServer);
  for (const [odd, sound] of [
    ["web", "other"],
    ["other", "web"],
  ] as const) {
    const id = (await host().ok(["inspect", "-f", "{{.Id}}", odd])).trim();
    const inTheWay = join(host().env.RT_STATE!, "containers", id, "resolver.new");
    mkdirSync(inTheWay);
    for (const name of readdirSync(directory)) rmSync(join(directory, name));
    expect((await host().rt(["network", "reload"])).code).not.toBe(0);
    expect((await ask(sound, sound))!.answers).toHaveLength(1);
    rmSync(inTheWay, { recursive: true });
  }
});

test("a container that is connected is found there, and finds others, until it is disconnected", async () => {
  await host().ok(["network", "create", "--subnet", "10.5.0.0/24", "lab"]);
  await host().ok(["network", "create", "--internal", "--subnet", "10.6.0.0/24", "back"]);
  await host().container("web", ...lab, "--dns", goodServer);
  await host().container("db", "--network", "back", "--dns", goodServer);
  expect(await ask("web", "db")).not.toEqual(ok("10.6.0.2"));
  await host().ok(["network", "connect", "--alias", "front", "--link", "db:store", "back", "web"]);
  expect(await ask("web", "db")).toEqual(ok("10.6.0.2"));
  expect(await ask("web", "store")).toEqual(ok("10.6.0.2"));
  expect(await ask("web", "web.back")).toEqual(ok("10.6.0.3"));
  for (const name of ["web", "front"]) expect([name, await ask("db", name)]).toEqual([name, ok("10.6.0.3")]);
  expect(await ask("web", "one.test")).toEqual(ok("192.0.2.50"));
  await host().ok(["network", "disconnect", "back", "web"]);
  expect(await ask("web", "store")).not.toEqual(ok("10.6.0.2"));
  expect(await ask("db", "front")).toEqual(failed);
  expect(await ask("web", "web")).toEqual(ok("10.5.0.2"));
});

test("a program may have port 53 of all addresses, and its own rules", async () => {
  const serve = ["probe", "serve", "53", "mine"];
  await host().ok(["run", "-d", "--name", "web", "--network", "bridge", image, ...serve]);
  await until("it serves", async () => (await host().ok(["logs", "web"])).includes("serving"));
  const address = (await host().addressOf("web")).trim();
  expect(await ask("web", "web")).toEqual(ok(address));
  expect(await ask("web", "web", "A", { tcp: true })).toEqual(ok(address));
  const fetched = ["run", "--rm", "--network", "bridge", image, "probe", "fetch", address, "53", "3000"];
  expect(await host().ok(fetched)).toContain("mine");
  // Who shares the network shares its names.
  const joined = ["run", "--rm", "--network", "container:web", image];
  expect(await host().ok([...joined, "nslookup", "web"])).toContain(address);
  // Whoever takes the rule away in there has no names; the container goes on.
  await host().inHost([
    "nsenter",
    `--net=/proc/${await host().pidOf("web")}/ns/net`,
    "nft",
    "flush",
    "ruleset",
  ]);
  expect(await ask("web", "web", "A", { wait_ms: 500 })).toBeNull();
  expect(await host().ok(["exec", "web", "echo", "alive"])).toBe("alive\n");
});

test("nothing that a program sends stops, blocks or fattens the monitor", async () => {
  await host().container("web", "--network", "bridge", "--dns", oddServers[2]);
  const monitor = await host().monitorOf("web");
  const resident = () =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${monitor}/status`, "latin1"))![1]);
  const before = readdirSync(`/proc/${monitor}/fd`).length;
  const noise = Array.from({ length: 200 }, () =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() * 600)))),
  );
  await host().send("web", noise, { wait_ms: 200 });
  for (const each of noise.slice(0, 20)) await host().send("web", [each], { tcp: true, wait_ms: 20 });
  expect(resident()).toBeLessThan(512);
  const [malformed] = await host().send("web", [Buffer.from("12340100000100000000000003776562", "hex")]);
  expect(malformed!.slice(0, 8)).toBe("12348181");
  // Questions that nobody answers, more than are on their way at once: who asks for what is known here does not wait.
  const silent = Array.from({ length: 100 }, (_, id) => question(`silent.n${id}`, "A", { id }));
  const waiting = host().send("web", silent, { wait_ms: 20_000 });
  const peak: number[] = [];
  await until("they are on their way", () => {
    peak.push(resident());
    return host().asked(oddServers[2]).split("udp ").length > 60;
  });
  expect((await host().ok(["exec", "web", "nslookup", "web"])).toString()).toContain("Address: ");
  const answers = (await waiting).map((hex) => hex && readAnswer(Buffer.from(hex, "hex")).code);
  expect(new Set(answers)).toEqual(new Set(["SERVFAIL"]));
  expect(Math.max(...peak)).toBeLessThan(512);
  // Connections that say nothing, more than there may be, and then one that asks.
  const pid = await host().pidOf("web");
  const open = `import socket\nall=[]\nfor _ in range(40):\n  s=socket.create_connection(("${inContainers}",53)); all.append(s)\nprint("open")\n`;
  await host().inHost(["nsenter", `--net=/proc/${pid}/ns/net`, "python3", "-c", open]);
  expect((await ask("web", "web", "A", { tcp: true }))!.answers).toHaveLength(1);
  // Many at once over one connection.
  const many = Array.from({ length: 300 }, (_, id) => question("web", "A", { id }));
  const all = await host().send("web", many, { tcp: true });
  expect(all.map((hex) => hex && readAnswer(Buffer.from(hex, "hex")).id)).toEqual(many.map((_, id) => id));
  await until("all is let go", () => readdirSync(`/proc/${monitor}/fd`).length === before, 30_000);
  await until("it is as small as before", () => resident() < 400);
}, 240_000);
