/** What somebody says of user namespaces, and what it comes to: maps of containers, ids that are one's own, and lines for mistakes. */
import { Database } from "bun:sqlite";
import { describe, expect } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, remains, statusOf } from "./world.ts";

const { test, host } = containerTests(["unshare", "mount"]);

/** `rt create` answers an id; the container lives until `remove`. */
async function created(flags: readonly string[]): Promise<string> {
  return (await host().ok(["create", ...flags, image], { timeoutMs: 240_000 })).trim();
}

const remove = (...ids: string[]) => host().ok(["rm", ...ids]);

interface Maps {
  UidMap: string[];
  GidMap: string[];
}

async function mapsOf(id: string): Promise<Maps> {
  return JSON.parse(await host().ok(["inspect", "-f", "{{json .HostConfig.IDMappings}}", id])) as Maps;
}

async function mapped(flags: readonly string[]): Promise<Maps> {
  const id = await created(flags);
  const maps = await mapsOf(id);
  await remove(id);
  return maps;
}

/** Whose ids the store has on record, or leased. */
function heldIds(): number {
  using database = new Database(join(host().root, "db.sqlite"), { readonly: true });
  const count = (sql: string) => (database.query(sql).get() as { n: number }).n;
  return (
    count("SELECT count(*) AS n FROM container_ids") +
    count("SELECT count(*) AS n FROM lease_items WHERE item GLOB 'ids:*'")
  );
}

async function withConfig(text: string, act: () => Promise<void>): Promise<void> {
  const directory = join(host().env.XDG_CONFIG_HOME!, "rt");
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "config.toml");
  writeFileSync(file, text);
  try {
    await act();
  } finally {
    rmSync(file);
  }
}

/** With these files in /etc, as nobody else sees them. */
async function withFiles(files: Record<string, string>, args: readonly string[]) {
  const directory = join(host().dir, "etc");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const script = `mount -t overlay overlay -o lowerdir=${directory}:/etc /etc && exec "$0" "$@"`;
  const child = Bun.spawn(["unshare", "-m", "sh", "-c", script, rtBinary, ...args], {
    ...{ env: host().env, stdout: "pipe", stderr: "pipe" },
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { stdout, stderr, code: await child.exited };
}

test("each container has ids of its own, from its creation to its removal", async () => {
  const [a, b] = [await created(["--userns", "auto"]), await created(["--userns", "auto:size=1000"])];
  expect(await mapsOf(a)).toEqual({ UidMap: ["0:2000683008:65536"], GidMap: ["0:2000683008:65536"] });
  expect(await mapsOf(b)).toEqual({ UidMap: ["0:2000748544:1000"], GidMap: ["0:2000748544:1000"] });
  expect(await host().ok(["inspect", "-f", "{{.HostConfig.UsernsMode}}", a])).toBe("auto\n");
  await remove(a);
  const c = await created(["--userns", "auto:uidmapping=5:7:2"]);
  expect(await mapsOf(c)).toEqual({
    UidMap: ["0:2000683008:5", "5:7:2", "7:2000683013:65529"],
    GidMap: ["0:2000683008:65536"],
  });
  await remove(b, c);
  expect(heldIds()).toBe(0);
});

test("a hundred at once: no id is two containers'", async () => {
  const ids = await Promise.all(Array.from({ length: 100 }, () => created(["--userns", "auto"])));
  const firsts = new Set<number>();
  for (const id of ids) firsts.add(Number((await mapsOf(id)).UidMap[0]?.split(":")[1]));
  expect(firsts.size).toBe(100);
  expect([...firsts].every((first) => first % 65_536 === 0)).toBe(true);
  await remove(...ids);
  expect(heldIds()).toBe(0);
}, 300_000);

test("what is not made in the end has no ids: a name that is taken, a mount that is not there", async () => {
  const first = await created(["--name", "taken", "--userns", "auto"]);
  const before = heldIds();
  const bad = [
    ["--name", "taken"],
    ["--mount", "type=bind,src=/nowhere,dst=/x"],
  ];
  for (const flags of bad) {
    const { code } = await host().rt(["create", "--userns", "auto", ...flags, image]);
    expect([flags, code, heldIds()]).toEqual([flags, 125, before]);
  }
  await remove(first);
});

test("who dies while he makes one takes none with him", async () => {
  for (let delay = 0; delay < 200; delay += 20) {
    const child = Bun.spawn([rtBinary, "create", "--userns", "auto", image], {
      ...{ env: host().env, stdout: "ignore", stderr: "ignore" },
    });
    await Bun.sleep(delay);
    child.kill("SIGKILL");
    await child.exited;
  }
  const left = (await host().ok(["ps", "-aq"])).trim().split("\n").filter(Boolean);
  // The first free ones are found again, whoever has leased them.
  const id = await created(["--userns", "auto"]);
  const [first = "0"] = (await mapsOf(id)).UidMap.map((range) => range.split(":")[1]!);
  expect((Number(first) - 2_000_683_008) / 65_536).toBeLessThanOrEqual(left.length);
  await remove(id, ...left);
  // What is as young as that is taken for somebody's who is just making it.
  await until("nothing of them is left", async () => {
    await host().ok(["ps", "-aq"]);
    return remains(host()).length === 0;
  });
});

test("maps as they are written", async () => {
  expect(await mapped(["--uidmap", "0:100000:65536"])).toEqual({
    UidMap: ["0:100000:65536"],
    GidMap: ["0:100000:65536"],
  });
  expect(await mapped(["--uidmap", "0:100000:1000,1000:5:1", "--gidmap", "0:200000:65536"])).toEqual({
    UidMap: ["0:100000:1000", "1000:5:1"],
    GidMap: ["0:200000:65536"],
  });
  expect(await mapped(["--uidmap", "0:100000:100", "--uidmap", "+5:@7:1", "--uidmap", "g5000:8"])).toEqual({
    UidMap: ["0:100000:5", "5:7:1", "6:100006:94"],
    GidMap: ["0:100000:5", "5:7:1", "6:100006:94", "5000:8:1"],
  });
});

test("another's namespace, and his ids while either lives", async () => {
  const a = await created(["--name", "one", "--userns", "auto"]);
  const b = await created(["--name", "two", "--userns", "container:one"]);
  expect(await mapsOf(b)).toEqual(await mapsOf(a));
  expect(await host().ok(["inspect", "-f", "{{.HostConfig.UsernsMode}}", b])).toBe(`container:${a}\n`);
  await remove(a);
  const c = await created(["--userns", "auto"]);
  expect(await mapsOf(c)).not.toEqual(await mapsOf(b));
  const { stderr, code } = await host().rt(["start", "two"]);
  expect([oneLine(stderr), code]).toEqual([expect.stringContaining("No such container"), 1]);
  await remove(b, c);
  const plain = await created(["--name", "plain"]);
  const beside = await created(["--userns", "container:plain"]);
  expect(await host().ok(["inspect", "-f", "{{json .HostConfig}}", beside])).not.toContain("IDMappings");
  await remove(plain, beside);
});

test("by a name of /etc/subuid and /etc/subgid", async () => {
  const files = {
    subuid: "# ours\nweb:300000:1000\n0:5:5\nweb:400000:64536\n",
    subgid: "web:500000:65536\nwww:600000:70000\n",
  };
  const map = async (flags: readonly string[]) => {
    const { stdout, stderr, code } = await withFiles(files, ["create", ...flags, image]);
    expect([stderr, code]).toEqual(["", 0]);
    const maps = await mapsOf(stdout.trim());
    await remove(stdout.trim());
    return maps;
  };
  expect(await map(["--subuidname", "web"])).toEqual({
    UidMap: ["0:300000:1000", "1000:400000:64536"],
    GidMap: ["0:500000:65536"],
  });
  expect((await map(["--subuidname", "web", "--subgidname", "www"])).GidMap).toEqual(["0:600000:70000"]);
  // root's, by his number
  expect((await map(["--subuidname", "root", "--subgidname", "web"])).UidMap).toEqual(["0:5:5"]);
});

test("ids of the user containers, where there is one; few of them go to many", async () => {
  const few = "containers:700000:3000\n";
  const create = (more: readonly string[] = []) =>
    withFiles({ subuid: few, subgid: few }, ["create", "--userns", "auto", ...more, image]);
  const [a, b] = [await create(), await create()];
  expect((await mapsOf(a.stdout.trim())).UidMap).toEqual(["0:700000:1024", "65534:701024:1"]);
  expect((await mapsOf(b.stdout.trim())).UidMap).toEqual(["0:701025:1024", "65534:702049:1"]);
  const none = await create();
  expect([oneLine(none.stderr), none.code]).toEqual([
    expect.stringMatching(
      /^no ids for --userns auto: it takes 1025 users, and 950 of 3000 are free \(\/etc\/subuid\), others are those of [a-z_]+, [a-z_]+: remove containers, or ask for fewer with auto:size=N$/,
    ),
    125,
  ]);
  const small = await create(["--userns", "auto:size=950"]);
  expect((await mapsOf(small.stdout.trim())).GidMap).toEqual(["0:702050:950"]);
  await remove(...[a, b, small].map(({ stdout }) => stdout.trim()));
  const half = await withFiles({ subuid: few, subgid: "" }, ["create", "--userns", "auto", image]);
  expect([oneLine(half.stderr), half.code]).toEqual([
    expect.stringContaining('/etc/subgid has no ids for "containers"'),
    125,
  ]);
});

test("what others have in /etc/subuid or /etc/passwd is not rt's to give", async () => {
  const files = {
    subuid: "lxd:2000683008:131072\n",
    subgid: "",
    passwd: "root:x:0:0::/:/bin/sh\nodd:x:2000814085:0::/:/bin/sh\n",
  };
  const { stdout } = await withFiles(files, ["create", "--userns", "auto", image]);
  expect(await mapsOf(stdout.trim())).toEqual({
    UidMap: ["0:2000814086:65536"],
    GidMap: ["0:2000683008:65536"],
  });
  await remove(stdout.trim());
});

test("the configuration gives one to each that names none", async () => {
  await withConfig('userns = "auto:size=2000"\nuserns-ids = "3000000:10000"\n', async () => {
    expect(await mapped([])).toEqual({ UidMap: ["0:3000000:2000"], GidMap: ["0:3000000:2000"] });
    expect(await host().ok(["info", "-f", "{{.SecurityOptions}}"])).toContain("name=userns");
    const own = await created(["--userns", "host", "--privileged"]);
    expect(await host().ok(["inspect", "-f", "{{json .HostConfig}}", own])).not.toContain("IDMappings");
    await remove(own);
    expect((await mapped(["--uidmap", "0:100000:65536"])).UidMap).toEqual(["0:100000:65536"]);
    for (const [flags, words] of [
      [["--privileged"], "privileged mode is incompatible with user namespaces"],
      [["--pid", "host"], "cannot share the host PID namespace when user namespaces are enabled"],
      [["--network", "host"], "cannot share the host's network namespace when user namespaces are enabled"],
    ] as const) {
      const { stderr, code } = await host().rt(["create", ...flags, image]);
      expect([oneLine(stderr), code]).toEqual([
        `${words}: the configuration gives each container its own; --userns=host is for one that is to have the host's`,
        125,
      ]);
    }
  });
  for (const [text, words] of [
    ['userns = "auto:size=x"', 'invalid userns of the configuration "auto:size=x": size "x"'],
    ['userns-ids = "0:5"', 'userns-ids must be "FIRST:COUNT", with numbers from 1 to 4294967294'],
  ] as const)
    await withConfig(text, async () => {
      const { stderr, code } = await host().rt(["create", image]);
      expect([oneLine(stderr), code]).toEqual([expect.stringContaining(words), 125]);
    });
});

describe("a mistake is one line, and nothing is made", () => {
  const bad: [flags: string[], words: string][] = [
    [["--userns", "Auto"], "want host, auto, keep-id, nomap, private, container:NAME or ns:PATH"],
    [["--userns", "auto:"], '"" is not an option'],
    [["--userns", "auto:size=0"], "size must be at least 1"],
    [["--userns", "auto:size=4294967295"], "want a number from 0 to 4294967294"],
    [["--userns", "auto:size=4294967294"], "no ids for --userns auto: it takes 4294967294 users"],
    [["--userns", "auto:size=1,size=1"], "size is said twice"],
    [["--userns", "auto:subuid=1"], 'unknown option "subuid"'],
    [["--userns", "auto:uidmapping=0"], '"0": want [+][u|g]CONTAINER'],
    [["--userns", "auto:uidmapping=u0:1:1"], 'bad mapping "u0:1:1"'],
    [["--userns", "auto:uidmapping=0:1:5,uidmapping=4:9:1"], "user 4 of the container is mapped twice"],
    [
      ["--userns", "auto:size=10", "--user", "11"],
      "the program is to be user 11, who is not in the container's map",
    ],
    [["--userns", "keep-id"], "--userns keep-id is for an ordinary user"],
    [["--userns", "keep-id:uid=x"], "want a number"],
    [["--userns", "nomap"], "--userns nomap is for an ordinary user"],
    [["--userns", "private"], "--userns private needs a map"],
    [["--userns", "container:"], "want host, auto"],
    [["--userns", "container:nobody"], "No such container: nobody"],
    [["--userns", "ns:here"], "want host, auto"],
    [["--userns", "ns:/nowhere"], "there is no user namespace"],
    [["--userns", "ns:/etc/passwd"], "there is no user namespace"],
    [["--userns", "ns:/proc/self/ns/net"], "no process is in there"],
    [["--userns", "a\nb"], "control character"],
    [["--userns", "auto", "--uidmap", "0:1:1"], "conflicting options: --userns auto and --uidmap"],
    [["--userns", "host", "--subuidname", "web"], "conflicting options: --userns host and --uidmap"],
    [["--userns", "container:x", "--gidmap", "0:1"], "conflicting options: --userns container and --uidmap"],
    [["--uidmap", ""], "want [+][u|g]CONTAINER:[@]HOST[:SIZE]"],
    [["--uidmap", "0"], "want [+][u|g]CONTAINER"],
    [["--uidmap", "0:1:0"], "want [+][u|g]CONTAINER"],
    [["--uidmap", "0:4294967295"], "want [+][u|g]CONTAINER"],
    [["--uidmap", "0:1:2:3"], "want [+][u|g]CONTAINER"],
    [["--uidmap", "x0:1:1"], "want [+][u|g]CONTAINER"],
    [["--uidmap", "0:-1:1"], "want [+][u|g]CONTAINER"],
    [["--gidmap", "0:1:4294967295"], "want [+][u|g]CONTAINER"],
    [["--uidmap", "1:100000:5"], "the container's user 0, its root's, is not in the map"],
    [["--uidmap", "0:1:5", "--gidmap", "5:1:5"], "the container's group 0, its root's, is not in the map"],
    [["--uidmap", "g0:1:5"], "the container's user 0, its root's, is not in the map"],
    [["--uidmap", "0:1:5", "--uidmap", "4:100:5"], "user 4 of the container is mapped twice"],
    [["--uidmap", "0:1:5", "--uidmap", "5:3:5"], "user 3 of the host would be two users of the container"],
    [
      ["--uidmap", "0:100000:5", "--user", "7:0"],
      "the program is to be user 7, who is not in the container's map",
    ],
    [["--subuidname", "no such"], 'no ids for "no such"'],
    [["--subuidname", "x\u001b[31m"], "control character"],
    [["--subgidname", "nobody-here"], 'has no ids for "nobody-here": add a line such as'],
  ];
  for (const [flags, words] of bad)
    test(JSON.stringify(flags.join(" ")).slice(1, -1), async () => {
      const { stdout, stderr, code } = await host().rt(["create", ...flags, image]);
      expect([stdout, oneLine(stderr), code]).toEqual(["", expect.stringContaining(words), 125]);
      expect(heldIds()).toBe(0);
    });
});

test("nonsense of others in /etc/subuid keeps nobody from his ids", async () => {
  const nonsense = "foo:bar\n \n:1:1\na b:1:1\n\u001b[31m:1:1\n";
  const files = { subuid: `${nonsense}web:300000:1000\n`, subgid: `${nonsense}web:300000:1000\n` };
  for (const flags of [
    ["--userns", "auto"],
    ["--subuidname", "web"],
  ]) {
    const { stdout, stderr, code } = await withFiles(files, ["create", ...flags, image]);
    expect([stderr, code]).toEqual(["", 0]);
    await remove(stdout.trim());
  }
  const shared = { subuid: `containers:bar\n${nonsense}`, subgid: "" };
  const { stderr, code } = await withFiles(shared, ["create", "--userns", "auto", image]);
  expect([oneLine(stderr), code]).toEqual([
    '/etc/subuid: line 1: "containers:bar" is not NAME:FIRST:COUNT, with numbers up to 4294967294',
    125,
  ]);
});

test("a line of who is asked for that is nonsense is named", async () => {
  const bad = ["web", "web:1", "web:1:0", "web:4294967295:1", "web:1:1:1", "web:0x1:1"];
  for (const line of bad) {
    const subuid = `web:100000:65536\n${line}\n`;
    const { stderr, code } = await withFiles({ subuid }, ["create", "--subuidname", "web", image]);
    expect([oneLine(stderr), code]).toEqual([
      expect.stringMatching(/^\/etc\/subuid: line 2: ".*" is not NAME:FIRST:COUNT/),
      125,
    ]);
  }
  const twice = "web:100000:10\nweb:100009:10\n";
  const { stderr } = await withFiles({ subuid: twice, subgid: twice }, [
    "create",
    "--subuidname",
    "web",
    image,
  ]);
  expect(oneLine(stderr)).toBe('/etc/subuid: two of the ranges of "web" overlap');
  const huge = "web:1:1\n".repeat(9 << 20);
  const large = await withFiles({ subuid: huge }, ["create", "--subuidname", "web", image]);
  expect(oneLine(large.stderr)).toBe("the file /etc/subuid is larger than 64 MiB");
});

test("it stays what it is: rename, update, and a document of it makes another", async () => {
  const id = await created(["--name", "old", "--userns", "auto:size=2000"]);
  const before = await mapsOf(id);
  await host().ok(["rename", "old", "new"]);
  await host().ok(["update", "--pids-limit", "50", "new"]);
  expect(await mapsOf("new")).toEqual(before);
  expect(await statusOf(host(), "new")).toBe("created");
  await remove("new");
});
