/**
 * A container whose namespaces are joined may be anybody's: what it puts in its files, in its memory and in the way of the one
 * that joins gets it nothing of the host's, and nothing of the other's that the other does not share.
 */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { facts, factsNamed } from "../../support/probe.ts";
import { until } from "../../support/wait.ts";

const { test, host } = containerTests();
const tracing = ["--cap-add", "SYS_PTRACE"];

/** Joining `name` so, in one line of refusal; nothing is left. */
async function refusal(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await host().rt(["run", "--rm", ...argv, image, "cat", "/etc/hosts"]);
  expect([code, stdout]).toEqual([125, ""]);
  return oneLine(stderr);
}

const moved = (then: string) => `mv /etc /was && ${then} && exec sleep 1000`;

const traps: [string, string[], string, string][] = [
  ["/etc is a link to the host's by a magic link", [], moved("ln -s /proc/self/root/etc /etc"), "/etc/"],
  ["/etc climbs", [], moved("ln -s ../../../../../../etc /etc"), "/etc/"],
  [
    "a file of its own",
    [],
    moved("mkdir /etc && for x in hosts hostname resolv.conf; do echo mine > /etc/$x; done"),
    "has nothing mounted at /etc/",
  ],
  ["a link to a file of its own", [], moved("mkdir /etc && ln -s /x /etc/hosts"), "/etc/"],
  [
    "a fifo",
    [],
    moved("mkdir /etc && for x in hosts hostname resolv.conf; do mkfifo /etc/$x; done"),
    "/etc/",
  ],
  [
    "a link to a directory that it was given",
    ["-v", "/tmp:/data:ro"],
    moved("mkdir /etc && for x in hosts hostname resolv.conf; do ln -s /data /etc/$x; done"),
    "has nothing mounted at /etc/",
  ],
];

/** In a root that is an ordinary directory that of the image can be moved away, with what is mounted in it. */
const plainRoot = ["--storage-driver", "copy"];

for (const [number, [name, flags, script, wanted]] of traps.entries()) {
  test(`the files of its network: ${name}`, async () => {
    const canary = await plantCanary(host().dir, `canary-neighbour-${number}`);
    await using container = await running(host(), ["sh", "-c", script], [...plainRoot, ...flags]);
    await until(
      "it has moved its files",
      async () => (await host().rt(["exec", container.name, "test", "-e", "/was"])).code === 0,
    );
    await until("it has put others there", async () =>
      (await host().ok(["top", container.name])).includes("sleep 1000"),
    );
    expect(await refusal(`--network=container:${container.name}`)).toContain(wanted);
    await canary.check();
  });
}

test("a pid that is somebody else's by now is refused", async () => {
  await using container = await running(host());
  const file = join(host().state, "containers", container.id, "pid");
  const before = readFileSync(file, "utf8");
  // A process of the host's, with a start time that is not its own.
  try {
    writeFileSync(file, before.replace(/^init .*$/m, `init ${process.pid} 1`));
    for (const kind of ["network", "pid", "uts", "cgroupns"]) {
      expect(await refusal(`--${kind}=container:${container.name}`)).toContain("cannot start container");
    }
    const { code, stdout, stderr } = await host().rt(["exec", container.name, "echo", "in"]);
    expect([code === 0, stdout, oneLine(stderr)]).toEqual([false, "", expect.any(String)]);
  } finally {
    writeFileSync(file, before);
  }
});

test("one that traces whoever is born in its pid namespace gets nothing of the host's", async () => {
  const volume = join(host().dir, "of-another");
  mkdirSync(volume);
  const needles = [host().dir, "/of-another"];
  await using container = await running(host(), ["probe", "watch-joins", "1", ...needles], tracing);
  await container.client.stdout.waitFor("ready");
  const stdout = container.client.stdout;
  await until("one is watched from its birth to its program", async () => {
    const flags = ["--rm", "-v", `${volume}:/data`, "--pid", `container:${container.name}`];
    await host().rt(["run", ...flags, image, "probe", "exit", "0"]);
    return stdout.text.includes("done");
  });
  const seen = stdout.text;
  const own = (each: string) => /^\d+ (file|directory|character) own$/.test(each);
  const foreign = factsNamed(seen, "fd").filter((each) => !own(each));
  // The null device of its own root, its output, and the channel to the monitor, which believes nothing.
  const kinds = foreign.map((each) => each.split(" ")[1]).sort();
  expect(
    kinds.filter((kind) => !["character", "file", "directory", "pipe", "socket"].includes(kind!)),
  ).toEqual([]);
  expect(kinds.filter((kind) => kind === "socket")).toHaveLength(1);
  const caps = facts(await host().ok(["run", "--rm", image, "probe", "caps"]));
  const status = facts(factsNamed(seen, "status").join("\n").replaceAll(":\t", " "));
  for (const set of ["CapPrm", "CapEff", "CapBnd"]) {
    expect([set, status.get(set)]).toEqual([set, caps.get(set)?.split(" ")[0]]);
  }
  expect(status.get("Seccomp")).toBe("2");
  expect(factsNamed(seen, "environment")).toEqual(["0"]);
  expect(factsNamed(seen, "needle")).toEqual([]);
});

test("what waits for the program of an --init remembers nothing of the host's", async () => {
  const volume = join(host().dir, "of-this-one");
  mkdirSync(volume);
  // Of each of its mappings what can be read, word for word.
  const read = `for range in $(cut -d' ' -f1 /proc/1/maps); do
      at=$((0x\${range%-*} / 4096)); dd if=/proc/1/mem bs=4096 skip=$at count=$((0x\${range#*-} / 4096 - at)) 2>/dev/null
    done | strings`;
  for (const kind of [[], ["-t"]]) {
    const flags = ["--init", ...kind, ...tracing, "-v", `${volume}:/data`];
    await using container = await running(host(), ["sleep", "1000"], flags);
    const words = await host().ok(["exec", container.name, "sh", "-c", read]);
    expect(words).toContain("rt-reaper");
    expect(words.split("\n").filter((word) => word.includes(host().dir) || word.includes("of-this"))).toEqual(
      [],
    );
  }
});

test("one that takes over whoever is born there: the monitors signal nobody but their own, and go", async () => {
  await using victim = Bun.spawn(["sleep", "1000"]);
  await using container = await running(host(), ["probe", "usurp-joins", `${victim.pid}`], tracing);
  await container.client.stdout.waitFor("ready");
  const join = ["run", "--rm", "--pid", `container:${container.name}`, image, "probe", "exit", "0"];
  for (let round = 0; round < 40; round++) {
    const { stderr } = await host().rt(join, { timeoutMs: 30_000 });
    expect(stderr).not.toMatch(/(?!\n)\p{Cc}|\u202e|internal fault|Killed/u);
  }
  expect(victim.exitCode).toBeNull();
  expect(await host().ok(["ps", "-q", "-f", `name=^${container.name}$`])).not.toBe("");
  victim.kill();
}, 120_000);

test("owners that are mapped take a process of ours, over which a container's root would have all capabilities", async () => {
  const canary = await plantCanary(host().dir, "canary-map");
  const mapped = join(host().dir, "mapped");
  mkdirSync(mapped);
  const look = `test -e $p/root${canary.file} && echo seen >> /seen`;
  const script = `echo ready; while :; do for p in /proc/[0-9]*; do ${look}; done; done`;
  const flags = ["-v", `${mapped}:/m:idmap=uids=0-1000-1;gids=0-1000-1`];
  for (const [rights, joined] of [
    [[], true],
    [tracing, true],
    [["--pid", "host"], false],
  ] as const) {
    await using watcher = await running(host(), ["sh", "-c", script], rights);
    await watcher.client.stdout.waitFor("ready");
    const neighbour = joined ? ["--pid", `container:${watcher.name}`] : [];
    for (let round = 0; round < 20; round++)
      await host().ok(["run", "--rm", ...neighbour, ...flags, image, "true"]);
    const { stdout } = await host().rt(["exec", watcher.name, "cat", "/seen"]);
    expect([rights, stdout]).toEqual([rights, ""]);
  }
  await canary.check();
}, 120_000);

test("who reads a tree has few capabilities, and is in nobody's sight for that", async () => {
  await host().ok(["run", "--name", "read", image, "touch", "/mark-of-the-tree"]);
  const look = "test -e $p/root/mark-of-the-tree && echo seen >> /seen";
  const script = `echo ready; while :; do for p in /proc/[0-9]*; do ${look}; done; done`;
  await using watcher = await running(
    host(),
    ["sh", "-c", script],
    ["--pid", "host", "--cap-add", "DAC_READ_SEARCH"],
  );
  await watcher.client.stdout.waitFor("ready");
  for (let round = 0; round < 20; round++) await host().ok(["cp", "read:/bin", "-"]);
  const { stdout } = await host().rt(["exec", watcher.name, "cat", "/seen"]);
  expect(stdout).toBe("");
  await host().ok(["rm", "read"]);
});
