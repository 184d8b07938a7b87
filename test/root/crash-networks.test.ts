/** A hundred at once in one network, and starts that are cut short anywhere: nobody has another's address, and nothing is left. */
import { afterAll, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxHost, image, remains } from "../cli/world.ts";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { cannotTrace, needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { patience, until } from "../support/wait.ts";

const { test, beforeAll } = needs({
  root: true,
  tools: ["busybox", "tar", "nft", ...networkTools],
  also: cannotTrace,
});

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.ok(["network", "create", "--subnet", "10.5.0.0/24", "crowd"]);
  await made.ok(["network", "create", "-d", "macvlan", "lan"]);
  await made.ok(["network", "create", "-o", "icc=false", "--subnet", "10.7.0.0/24", "strangers"]);
}, 120_000);

afterAll(async () => await made?.[Symbol.asyncDispose]());

/** Who may speak from which port, and go from there to where, as the firewall has it. */
async function stations(): Promise<string[]> {
  const text = await host().inHost(["nft", "list", "ruleset"]);
  return (text.match(/"veth\w+" \. [^\s,]+|10\.5\.0\.\d+ \. [\d.]+/g) ?? []).sort();
}

const starts = 100;

test(
  "a hundred starts at once: a hundred addresses",
  async () => {
    const command = [
      "run",
      "--rm",
      "-i",
      "--network",
      "crowd",
      image,
      "sh",
      "-c",
      "ip -4 -o address show eth0; cat >/dev/null",
    ];
    const clients = Array.from({ length: starts }, () => host().spawn(command));
    const found = await Promise.all(
      clients.map(async (client) => (await client.stdout.waitFor(/inet (10\.5\.0\.\d+)\/24/, 240_000))[1]!),
    );
    expect(new Set(found).size).toBe(starts);
    const inside = JSON.parse(await host().ok(["network", "inspect", "crowd"]))[0].Containers;
    expect(
      Object.values(inside)
        .map((each) => (each as { IPv4Address: string }).IPv4Address)
        .sort(),
    ).toEqual(found.map((address) => `${address}/24`).sort());
    for (const client of clients) client.closeStdin();
    expect(await Promise.all(clients.map(({ exited }) => exited))).toEqual(Array(starts).fill(0));
    await until("all interfaces are gone", async () => (await host().links()).length === 1, 60_000);
    expect(await stations()).toEqual([]);
  },
  300_000 * patience,
);

/** What there is to be made, and what of it stays: the network's own interface. */
const joining: readonly { what: string; flags: string[]; network: string }[] = [
  { what: "a bridge", flags: [], network: "crowd" },
  { what: "limits", flags: ["--bandwidth-up", "8mbit", "--bandwidth-down", "8mbit"], network: "crowd" },
  { what: "destinations", flags: ["--egress-allow", "192.0.2.0/24:80"], network: "crowd" },
  { what: "a way to another one", flags: ["--link", "linked"], network: "strangers" },
  { what: "a parent", flags: [], network: "lan" },
];

for (const { what, flags, network } of joining)
  test(
    `a start with ${what} that is killed right before each of its calls to the network leaves nothing with the next command`,
    () => killedEverywhere(network, flags),
    300_000 * patience,
  );

async function killedEverywhere(network: string, flags: readonly string[]): Promise<void> {
  const isLinked = network === "strangers";
  if (isLinked)
    await host().ok([
      ...["run", "-d", "--name", "linked", "--expose", "80", "--network", network, image, "sleep", "1000"],
    ]);
  const others = isLinked ? 1 : 0;
  const containers = remains(host()).length;
  const admitted = await stations();
  const before = (await host().links()).length;
  const trace = join(host().dir, `calls-${network}-${flags.length}`);
  const tracer = join(import.meta.dir, "../support/crash-at.ts");
  const command = ["run", "-d", "--name", "sample", "--network", network, ...flags, image, "sleep", "1000"];
  const { RT_ROOT, RT_STATE } = host().env;
  const attempt = (role: string, index: number) =>
    host().inHost([
      ...["env", `RT_ROOT=${RT_ROOT}`, `RT_STATE=${RT_STATE}`, "sh", "-c", '"$@" || true', "sh"],
      ...[process.execPath, tracer, trace, "client", role, String(index), rtBinary, ...command],
    ]);
  await attempt("-", 0);
  await host().ok(["rm", "-f", "sample"]);
  // With another one there its bridge is, too. The end of what has just gone may be there for a moment yet.
  const settled = async () => {
    const links = await host().links();
    return isLinked || !links.some((name) => name.startsWith("veth")) ? { count: links.length } : undefined;
  };
  const own = isLinked ? before : (await until("its end has gone", settled)).count;
  const calls = readFileSync(trace, "utf8").split("\n");
  const points = calls.flatMap(
    (line) => /^client (\d+) (?:setns|sendto|sendmsg|rename\w*)\b/.exec(line)?.[1] ?? [],
  );
  expect(points.length).toBeGreaterThan(flags.length > 0 ? 10 : 5);
  for (const point of points) {
    await attempt("client", Number(point));
    await host().ok(["ps", "-a"]);
    await host().rt(["rm", "-f", "sample"]);
    await until(`nothing is left of ${point}`, async () => {
      const { Containers } = JSON.parse(await host().ok(["network", "inspect", network]))[0];
      const isEmpty = Object.keys(Containers).length === others && remains(host()).length === containers;
      // What somebody wrote beside a file, and did not put in its place, goes with the last one's.
      const named = readdirSync(join(RT_STATE!, "networks")).filter(
        (name) => !isLinked || name.length === 64,
      );
      const isBare = named.length === others && (await host().links()).length === own;
      return isEmpty && isBare && Bun.deepEquals(await stations(), admitted);
    });
  }
  if (isLinked) await host().ok(["rm", "-f", "linked"]);
}

/** Its interfaces, as it sees them, and as the documents have them. */
async function joinedTo(name: string): Promise<{ inside: string; documents: string; hosts: string }> {
  const lines = (await host().ok(["exec", name, "ip", "-o", "-4", "address"])).split("\n");
  const seen = lines.flatMap((line) => /inet (10\.\S+)\//.exec(line)?.[1] ?? []);
  const format = "{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}";
  const shown = (await host().ok(["inspect", "-f", format, name])).trim().split("\n");
  const hosts = (await host().ok(["exec", name, "cat", "/etc/hosts"])).split("\n");
  const own = hosts.flatMap((line) => /^(10\.\S+)\t/.exec(line)?.[1] ?? []);
  const sorted = (list: string[]) => list.sort().join(" ");
  return { inside: sorted(seen), documents: sorted(shown), hosts: sorted(own) };
}

test(
  "a connection that is killed right before each of its calls is made or not made with the next command, and so is its end",
  async () => {
    const second = (await host().ok(["network", "create", "--subnet", "10.6.0.0/24", "second"])).trim();
    const bridge = `rt-${second.slice(0, 12)}`;
    await host().ok(["run", "-d", "--name", "sample", "--network", "crowd", image, "sleep", "1000"]);
    const trace = join(host().dir, "calls");
    const tracer = join(import.meta.dir, "../support/crash-at.ts");
    const { RT_ROOT, RT_STATE } = host().env;
    const attempt = (verb: string, role: string, index: number) =>
      host().inHost([
        ...["env", `RT_ROOT=${RT_ROOT}`, `RT_STATE=${RT_STATE}`, "sh", "-c", '"$@" || true', "sh"],
        ...[process.execPath, tracer, trace, "client", role, String(index)],
        ...[rtBinary, "network", verb, "second", "sample"],
      ]);
    const [first] = (await joinedTo("sample")).inside.split(" ");
    const both = `${first} 10.6.0.2`;
    for (const [verb, other] of [
      ["connect", "disconnect"],
      ["disconnect", "connect"],
    ] as const) {
      await attempt(verb, "-", 0);
      const calls = readFileSync(trace, "utf8").split("\n");
      const points = calls.flatMap((line) => /^client (\d+) /.exec(line)?.[1] ?? []);
      expect(points.length).toBeGreaterThan(20);
      const found = new Set<string>();
      await host().ok(["network", other, "second", "sample"]);
      for (const point of points) {
        await attempt(verb, "client", Number(point));
        await host().ok(["ps"]);
        const { inside, documents, hosts } = await joinedTo("sample");
        expect([point, documents, hosts]).toEqual([point, inside, inside]);
        expect([first, both]).toContain(inside);
        // Its name there is where it is.
        const isNamed = existsSync(join(RT_STATE!, "networks", second));
        expect([point, isNamed]).toEqual([point, inside === both]);
        found.add(inside);
        const veths = (await host().links()).filter((name) => name.startsWith("veth"));
        expect(veths).toHaveLength(inside.split(" ").length);
        const isDone = (inside === both) === (verb === "connect");
        if (isDone) await host().ok(["network", other, "second", "sample"]);
      }
      expect(found.size).toBe(2);
      // What the other one begins with.
      await host().ok(["network", verb, "second", "sample"]);
    }
    await host().ok(["rm", "-f", "sample"]);
    await host().ok(["network", "rm", "second"]);
    await until("the bridge is gone", async () => !(await host().links()).includes(bridge));
  },
  600_000 * patience,
);

test(
  "a start that is killed at any moment leaves no address, no interface, no container",
  async () => {
    for (let round = 0; round < 30; round++) {
      const client = host().spawn(["run", "--rm", "--network", "crowd", image, "true"]);
      await Bun.sleep(round * 6);
      await client[Symbol.asyncDispose]();
    }
    await until(
      "everything is gone",
      async () => {
        expect((await host().rt(["ps", "-aq"])).code).toBe(0);
        return remains(host()).length === 0 && (await host().links()).every((name) => /^(rt|dm)-/.test(name));
      },
      60_000,
    );
    expect(await stations()).toEqual([]);
    expect(await host().ok(["ps", "-aq"])).toBe("");
    // The first address is free again.
    const command = ["run", "--rm", "--network", "crowd", image, "ip", "-4", "-o", "address", "show", "eth0"];
    expect(await host().ok(command)).toContain("10.5.0.2/24");
  },
  120_000 * patience,
);

test(
  "a new name that is killed right before each of its calls is in the documents and in the network with the next command, or in neither",
  async () => {
    await host().ok(["run", "-d", "--name", "sample", "--network", "crowd", image, "sleep", "1000"]);
    const trace = join(host().dir, "calls-rename");
    const tracer = join(import.meta.dir, "../support/crash-at.ts");
    const { RT_ROOT, RT_STATE } = host().env;
    const attempt = (role: string, index: number) =>
      host().inHost([
        ...["env", `RT_ROOT=${RT_ROOT}`, `RT_STATE=${RT_STATE}`, "sh", "-c", '"$@" || true', "sh"],
        ...[process.execPath, tracer, trace, "client", role, String(index)],
        ...[rtBinary, "rename", "sample", "other"],
      ]);
    const { Id } = JSON.parse(await host().ok(["network", "inspect", "crowd"]))[0];
    const names = join(RT_STATE!, "networks");
    await attempt("-", 0);
    const calls = readFileSync(trace, "utf8").split("\n");
    const points = calls.flatMap(
      (line) => /^client (\d+) (?:p?write\w*|rename\w*|unlink\w*)\b/.exec(line)?.[1] ?? [],
    );
    expect(points.length).toBeGreaterThan(5);
    const seen = new Set<string>();
    for (const point of points) {
      await host().rt(["rename", "other", "sample"]);
      await attempt("client", Number(point));
      const shown = (await host().ok(["ps", "--format", "{{.Names}}"])).trim();
      const [, , named] = readFileSync(join(names, Id), "latin1").trim().split(" ");
      expect([point, named]).toEqual([point, shown]);
      expect([point, existsSync(join(names, "renaming"))]).toEqual([point, false]);
      seen.add(shown);
    }
    expect([...seen].sort()).toEqual(["other", "sample"]);
    await host().rt(["rm", "-f", "sample", "other"]);
  },
  300_000 * patience,
);
