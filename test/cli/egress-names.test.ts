/** Names among the destinations that a container may have: what they lead to is reached, as it is now, and nothing else is asked. */
import { afterAll, expect } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { networkTools } from "../support/network-host.ts";
import { needs, searchPath } from "../support/root.ts";
import { Transcript, until } from "../support/wait.ts";
import { type NamesHost, namesHost } from "./names-world.ts";
import { image } from "./world.ts";

const { test, beforeAll } = needs({
  root: true,
  tools: ["busybox", "tar", "dnsmasq", "nft", ...networkTools],
});

let made: NamesHost | undefined;
const host = () => made!;
const server = "192.0.2.21";
const script = resolve(import.meta.dir, "../support/changing-dns-server.ts");
const stack = new AsyncDisposableStack();
let asked = new Transcript();

/** What names lead to, from here on. */
function say(names: Record<string, readonly string[]>): void {
  writeFileSync(join(host().dir, "names.json"), JSON.stringify(names));
}

const places = ["192.0.2.31", "192.0.2.32", "192.0.2.33"] as const;

beforeAll(async () => {
  made = await namesHost();
  for (const address of [server, ...places])
    await made.inWorld(["ip", "address", "add", `${address}/24`, "dev", "up1"]);
  for (const port of [80, 81]) await made.serveInWorld(port, `hello ${port}`);
  say({});
  const command = [...made.enter.world, process.execPath, script, server, join(made.dir, "names.json")];
  const child = Bun.spawn(command, { stdout: "pipe", env: { ...process.env, PATH: searchPath } });
  stack.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  asked = new Transcript();
  void asked.drain(child.stdout);
  await asked.waitFor("serving");
  await made.ok(["network", "create", "--subnet", "10.27.0.0/24", "--subnet", "fd27::/64", "lab"]);
}, 120_000);

afterAll(async () => {
  await made?.rt(["rm", "-f", "told"]);
  await stack.disposeAsync();
  await made?.[Symbol.asyncDispose]();
});

/** A container that may go to these alone. */
async function run(...allowed: string[]): Promise<void> {
  await host().rt(["rm", "-f", "told"]);
  const flags = allowed.flatMap((each) => ["--egress-allow", each]);
  await host().containerWith(`nameserver ${server}\n`, "told", "--network", "lab", ...flags);
}

async function reached(address: string, port = 80, patience_ms = 20_000): Promise<string> {
  const command = ["exec", "told", "probe", "fetch", address, `${port}`, `${patience_ms}`];
  const { stdout } = await host().rt(command);
  return stdout
    .trim()
    .replace(/ to .*/, "")
    .replace(/^error (\w+) .*/, "$1");
}

async function resolved(name: string, tcp = false): Promise<string[] | string> {
  const answer = await host().ask("told", name, "A", { tcp });
  return answer!.code === "NOERROR" ? answer!.answers.sort() : answer!.code;
}

const refused = "ECONNREFUSED";

test("a name that is allowed is followed, also to where it leads later; other names are nobody's", async () => {
  say({ "web.example": [places[0]], "other.example": [places[1]] });
  await run("web.example:80");
  expect(await reached(places[0])).toBe(refused);
  expect(await resolved("other.example")).toBe("NXDOMAIN");
  expect(asked.text).not.toContain("other.example");
  expect(await resolved("WEB.example")).toEqual([places[0]]);
  expect([await reached(places[0]), await reached(places[0], 81)]).toEqual(["hello 80", refused]);
  say({ "web.example": [places[1], places[2], "2001:db8::1"] });
  expect(await resolved("web.example")).toEqual([places[1], places[2]]);
  for (const place of places.slice(1))
    expect([await reached(place), await reached(place, 81)]).toEqual(["hello 80", refused]);
  expect(await reached("2001:db8::1")).toBe(refused);
  expect((await host().ask("told", "web.example", "AAAA"))!.answers).toHaveLength(1);
  expect(await reached("2001:db8::1")).toBe("hello 80");
  // Nor can it ask by itself.
  expect(await reached(server, 53)).toBe(refused);
});

test("all below a name, by TCP too; and it is learnt before the answer is there", async () => {
  say({ "a.b.example": [places[0]], "b.example": [places[1]], "bb.example": [places[2]] });
  await run("*.b.example");
  expect([await resolved("b.example"), await resolved("bb.example")]).toEqual(["NXDOMAIN", "NXDOMAIN"]);
  expect(await resolved("a.b.example", true)).toEqual([places[0]]);
  expect([await reached(places[0]), await reached(places[0], 81)]).toEqual(["hello 80", "hello 81"]);
  expect(await reached(places[1])).toBe(refused);
});

test("no name leads to this host itself, or to the link", async () => {
  say({ "web.example": ["127.0.0.1", "169.254.169.254", "224.0.0.1", places[0]] });
  await run("web.example");
  expect(await resolved("web.example")).toContain(places[0]);
  const [table] = /rt-egress\S*/.exec(await host().inHost(["nft", "list", "tables"]))!;
  const set = await host().inHost(["nft", "list", "set", "ip", table!, "hosts"]);
  expect(
    [...set.matchAll(/ \. (\d[\d.]+) timeout (\S+)/g)].map(([, address, time]) => [address, time]),
  ).toEqual([[places[0], "1m30s"]]);
});

test("a name that leads to this host, or to what a port of it leads to, is reached by none who may go to that name", async () => {
  const own = host().spawn([
    "run",
    "--rm",
    "--name",
    "own",
    "--network",
    "host",
    image,
    "probe",
    "serve",
    "80",
    "own",
  ]);
  await using _ = own;
  await own.stdout.waitFor("serving");
  await host().ok(["network", "create", "--subnet", "10.28.0.0/24", "far"]);
  const far = ["--network", "far", "--ip", "10.28.0.2", "-p", "8080:81"];
  await host().ok(["run", "-d", "--name", "far", ...far, image, "probe", "serve", "81", "far"]);
  await until("it serves", async () => (await host().ok(["logs", "far"])).includes("serving"));
  const all = ["192.0.2.2", "10.27.0.1", "10.28.0.1", "10.28.0.2"];
  say({ "web.example": all });
  await run("web.example");
  expect(await resolved("web.example")).toEqual(all.toSorted());
  for (const address of all.slice(0, 3)) {
    expect([address, await reached(address)]).toEqual([address, refused]);
    expect([address, await reached(address, 8080, 500)]).not.toEqual([address, "far"]);
  }
  // Whoever means the host says so.
  await run("192.0.2.2:80", "10.28.0.2:81");
  expect([await reached("192.0.2.2"), await reached("192.0.2.2", 8080)]).toEqual(["own", "far"]);
  await host().ok(["rm", "-f", "far", "own", "told"]);
  await host().ok(["network", "rm", "far"]);
});

test("what was learnt goes with the container, so that whoever has its address next has to ask", async () => {
  say({ "web.example": [places[0]] });
  await run("web.example");
  await resolved("web.example");
  expect(await reached(places[0])).toBe("hello 80");
  await run("web.example");
  expect(await reached(places[0])).toBe(refused);
  await resolved("web.example");
  await until("it is reached", async () => (await reached(places[0])) === "hello 80");
});

test("servers that the user names are asked from the host, as its own way to them is closed", async () => {
  say({ "web.example": [places[0]] });
  await host().rt(["rm", "-f", "told"]);
  await host().container("told", "--network", "lab", "--dns", server, "--egress-allow", "web.example");
  expect(await resolved("web.example")).toEqual([places[0]]);
  expect([await reached(places[0]), await reached(server, 53)]).toEqual(["hello 80", refused]);
});

test("names of its own network are found, and with addresses alone no name is asked of anybody", async () => {
  say({ "web.example": [places[0]] });
  await run(places[0]);
  expect(await resolved("told")).toHaveLength(1);
  expect(await resolved("web.example")).toBe("NXDOMAIN");
  expect(await reached(places[0])).toBe("hello 80");
});

test("what cannot be let through is told to nobody, and the names go on", async () => {
  say({ "web.example": [places[0]] });
  await host().rt(["rm", "-f", "told"]);
  await host().container("told", "--network", "lab", "--dns", server, "--egress-allow", "web.example");
  const [table] = /rt-egress\S*/.exec(await host().inHost(["nft", "list", "tables"]))!;
  await host().inHost(["nft", "delete", "table", "ip", table!]);
  const monitor = await host().monitorOf("told");
  const descriptors = () => readdirSync(`/proc/${monitor}/fd`).length;
  const few = descriptors();
  for (const tcp of [false, true, true]) expect(await resolved("web.example", tcp)).toBe("SERVFAIL");
  await until("neither end of a connection is left", () => descriptors() === few);
  await host().ok(["network", "reload"]);
  for (const tcp of [true, false]) expect(await resolved("web.example", tcp)).toEqual([places[0]]);
  expect(await reached(places[0])).toBe("hello 80");
});
