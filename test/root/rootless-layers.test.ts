/**
 * Images in an ordinary user's store: with subordinate ids everything is whose it is to be, with one id everything is his, and
 * what it should be is noted beside it (zig-native/layer/ids.zig).
 */
import { afterAll, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../support/command.ts";
import { LayoutWriter } from "../support/layout.ts";
import { asOrdinary, type Maps, ordinaryNeeds, ordinaryUser as user } from "../support/ordinary.ts";
import { type OrdinaryUser, ordinaryUser } from "../support/ordinary-user.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive, type Member, member, paxRecords } from "../support/tar.ts";
import { treeNeeds } from "../support/tree.ts";

const tools = [...ordinaryNeeds.tools, ...treeNeeds.tools, "newuidmap", "setcap", "getcap"];
const { test } = needs({ root: true, tools });
const project = resolve(import.meta.dir, "../..");
const kinds: readonly Maps[] = ["many", "single"];

const place = mkdtempSync(join(scratchDirectory(), "rt-rootless-layers-"));
chmodSync(place, 0o755);
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Where he finds the runtime of the tests and the checkout, in mounts of his own: they may lie in root's home. */
const [bun, checkout] = [join(place, "bun"), join(place, "checkout")];
writeFileSync(bun, "");
mkdirSync(checkout);

/** What root's own run of these tests looks like, in such a namespace. */
for (const maps of kinds)
  for (const file of ["test/contract/snapshot.test.ts", "test/root/unpack-breakout.test.ts"])
    test(`${file} in a user namespace of ${maps === "many" ? "65,537 ids" : "one id"}`, async () => {
      // A short name: it is in links of archives whose headers have room for a hundred bytes.
      const scratch = mkdtempSync(join(scratchDirectory(), "rl-"));
      const home = mkdtempSync(join(place, "home-"));
      for (const each of [scratch, home]) chownSync(each, user, user);
      const env = { RT_TEST_SCRATCH: scratch, RT_TEST_REQUIRE: "1", HOME: home };
      const command = [bun, "test", "--timeout", "120000", join(checkout, file)];
      const seen = [[process.execPath, bun] as const, [project, checkout] as const];
      const { code, stderr } = await asOrdinary(command, { maps, env, cwd: checkout, seen });
      expect(stderr.split("\n").filter((line) => /^\(fail\)|^error:/.test(line))).toEqual([]);
      expect(code).toBe(0);
      // Nothing is left of trees whose owners are others.
      expect(readdirSync(scratch)).toEqual([]);
      rmSync(scratch, { recursive: true });
    }, 600_000);

const dir = (name: string, rest: Partial<Member> = {}): Member => ({ name, type: "5", mode: 0o755, ...rest });
const file = (name: string, rest: Partial<Member> = {}): Member => ({ name, content: name, ...rest });
const device = (name: string): Member => ({ name, type: "3", device: { major: 1, minor: 3 } });
/** cap_net_raw+ep, revision 2, as an archive has it. */
const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

const layers = [
  archive(
    dir("./"),
    ...[dir("usr", { uid: 3, gid: 4 }), dir("closed", { mode: 0o500, uid: 7 }), dir("hidden"), dir("gone")],
    file("usr/su", { mode: 0o4755, gid: 8 }),
    file("usr/theirs", { mode: 0o640, uid: 33, gid: 33 }),
    { name: "usr/also-theirs", type: "1", link: "usr/theirs" },
    ...[
      file("closed/nobody-reads", { mode: 0, uid: 9 }),
      file("hidden/old"),
      file("gone/x"),
      file("was-file"),
    ],
    { name: "link", type: "2", link: "usr", uid: 12 },
    paxRecords({ "SCHILY.xattr.security.capability": capability }),
    member(file("usr/ping", { mode: 0o755 })),
    device("null"),
    { name: "null-too", type: "1", link: "null" },
  ),
  archive(
    ...[dir("hidden"), file("hidden/.wh..wh..opq", { content: "" }), file("hidden/new", { uid: 5 })],
    ...[file(".wh.gone", { content: "" }), device("was-file")],
  ),
];

async function layout(name: string, parts: readonly Uint8Array[]): Promise<string> {
  const at = join(place, name);
  if (existsSync(at)) return `oci:${at}:image`;
  const writer = new LayoutWriter(at);
  await writer.image("image", { layers: parts, config: { Cmd: ["/none"] }, compression: "gzip" });
  await writer.close();
  await run(["chmod", "-R", "a+rX", at]);
  return `oci:${at}:image`;
}

/** "MODE UID:GID NAME" of each entry, as GNU tar lists it. */
async function listed(path: string): Promise<string[]> {
  const lines = await run(["tar", "--numeric-owner", "-tvf", path]);
  return lines
    .trim()
    .split("\n")
    .map((line) => line.replace(/ +/g, " ").split(" "))
    .map(([mode, owner, , , , ...name]) => `${mode} ${owner!.replace("/", ":")} ${name.join(" ")}`);
}

const wanted = [
  "drwxr-xr-x 3:4 usr/",
  "-rwsr-xr-x 0:8 usr/su",
  "dr-x------ 7:0 closed/",
  "---------- 9:0 closed/nobody-reads",
  "-rw-r--r-- 5:0 hidden/new",
  "-rwxr-xr-x 0:0 usr/ping",
];

/** Either name of the two may come first. */
const isTheirs = (line: string) => /^[-h]rw-r----- 33:33 usr\/(also-)?theirs( link to .*)?$/.test(line);

async function pulled(him: OrdinaryUser): Promise<void> {
  const { code, stderr } = await him.rt(["pull", "-q", await layout("honest", layers)]);
  expect([code, stderr.split("\n").filter((line) => line.includes("left out"))]).toEqual([
    0,
    [expect.stringMatching(/^rt: 3 device nodes are left out: an ordinary user can make none/)],
  ]);
}

for (const maps of kinds) {
  const options = { subordinates: maps === "many" };

  test(`${maps}: what comes out of an image is what went in, but for its devices`, async () => {
    await using him = await ordinaryUser(options);
    await pulled(him);
    const image = (await him.ok(["images", "-q"])).trim();
    expect(await him.ok(["info", "-f", "{{.Driver}}"])).toBe("overlay\n");
    await him.ok(["create", "--name", "box", "--network", "none", image]);
    const exported = join(him.home, "exported.tar");
    await him.ok(["export", "-o", exported, "box"]);
    const found = await listed(exported);
    expect(found).toEqual(expect.arrayContaining(wanted));
    expect(found.filter(isTheirs)).toHaveLength(2);
    expect(found.filter((line) => /null|was-file|gone|hidden\/old/.test(line))).toEqual([]);
    // Whoever unpacks it as root has the capability again, and nothing that says how it was kept.
    const tree = join(place, `tree-${maps}`);
    mkdirSync(tree);
    await run(["tar", "-C", tree, "--xattrs", "--xattrs-include=*", "-xpf", exported]);
    expect(await run(["getcap", join(tree, "usr/ping")])).toMatch(/ cap_net_raw=ep\n$/);
    expect(await run(["getfattr", "-R", "-d", "-m", "^user", "--absolute-names", tree])).toBe("");
    expect(await him.ok(["system", "check"])).toContain("all is as it was written");
  });

  test(`${maps}: a commit has the owners of the image, and cp brings some of its own`, async () => {
    await using him = await ordinaryUser(options);
    await pulled(him);
    const image = (await him.ok(["images", "-q"])).trim();
    await him.ok(["create", "--name", "box", "--network", "none", image]);
    const own = join(him.home, "own.tar");
    await Bun.write(own, archive(file("usr/mine", { uid: 44, gid: 45, mode: 0o2750 }), device("usr/zero")));
    const { code, stderr } = await him.run(["sh", "-c", `exec "$0" cp - box:/ < ${own}`, him.binary]);
    expect([code, stderr]).toEqual([0, expect.stringContaining("1 device nodes were left out")]);
    expect(await him.ok(["diff", "box"])).toBe("C /usr\nA /usr/mine\n");
    await him.ok(["commit", "box", "made"]);
    const layer = JSON.parse(await him.ok(["inspect", "-f", "{{json .RootFS.Layers}}", "made"])).at(-1);
    const blob = join(him.home, ".local/share/rt/content/blobs", layer.replace(":", "/"));
    expect((await listed(blob)).sort()).toEqual([
      ...["-rwxr-s--- 44:45 usr/mine", "drwxr-xr-x 0:0 ./", "drwxr-xr-x 3:4 usr/"],
    ]);
  });

  test(`${maps}: rmi takes away what belongs to others, and prune leaves nothing`, async () => {
    await using him = await ordinaryUser(options);
    await pulled(him);
    const image = (await him.ok(["images", "-q"])).trim();
    const committed = join(him.home, ".local/share/rt/snapshots/overlay/committed");
    expect(readdirSync(committed)).toHaveLength(2);
    const owners = (await run(["find", committed, "-printf", "%U\n"])).trim().split("\n");
    const his = new Set(owners.map(Number));
    expect([...his].every((uid) => uid === him.uid)).toBe(maps === "single");
    await him.ok(["rmi", image]);
    await him.ok(["system", "prune", "-a", "-f"]);
    expect(readdirSync(committed)).toEqual([]);
    expect(readdirSync(join(committed, "../tmp"))).toEqual([]);
    expect(readdirSync(join(him.dir, "tmp"))).toEqual([]);
  });
}

test("an owner beyond the maps is one line that names the file and him, and nothing is left", async () => {
  await using him = await ordinaryUser();
  const far = await layout("far", [archive(dir("var"), file("var/x", { uid: 70_000 }))]);
  const { code, stderr } = await him.rt(["pull", "-q", far]);
  expect([code, stderr]).toEqual([
    125,
    expect.stringMatching(
      /^rt: layer sha256:[0-9a-f]{64}: \/var\/x belongs to the user 70000, and 65537 ids are mapped: add a range to \/etc\/subuid, or do it as root\n$/,
    ),
  ]);
  expect(await him.ok(["images", "-q"])).toBe("");
  // With one id there is a place for everybody.
  await using alone = await ordinaryUser({ subordinates: false });
  expect(await alone.rt(["pull", "-q", far])).toMatchObject({ code: 0 });
});

test("an archive says nothing of what we keep: with one id its own note is left out", async () => {
  await using him = await ordinaryUser({ subordinates: false });
  const record = paxRecords({ "SCHILY.xattr.user.containers.override_stat": "0:0:4777" });
  const lying = await layout("lying", [
    archive(record, member(file("f", { uid: 6 })), record, member(file("g"))),
  ]);
  await him.ok(["pull", "-q", lying]);
  const image = (await him.ok(["images", "-q"])).trim();
  await him.ok(["create", "--name", "box", "--network", "none", image]);
  const out = join(him.home, "out.tar");
  await him.ok(["export", "-o", out, "box"]);
  expect(await listed(out)).toEqual(expect.arrayContaining(["-rw-r--r-- 6:0 f", "-rw-r--r-- 0:0 g"]));
});

test("without attributes the copy driver works, and owners are forgotten aloud", async () => {
  await using him = await ordinaryUser({ subordinates: false });
  const data = join(him.home, "data");
  mkdirSync(data);
  await run(["mount", "-t", "ramfs", "none", data]);
  try {
    chownSync(data, him.uid, him.gid);
    const rt = (...words: string[]) => him.rt(["--root", data, ...words]);
    const { code, stderr } = await rt("pull", "-q", await layout("honest", layers));
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/keeps no attributes: of \d+ files nobody will know/),
    ]);
    expect((await rt("info", "-f", "{{.Driver}}")).stdout).toBe("copy\n");
    const [tree] = readdirSync(join(data, "snapshots/copy/committed"));
    const at = join(data, "snapshots/copy/committed", tree!, "rootfs");
    expect(statSync(join(at, "usr")).uid).toBe(him.uid);
    expect(readFileSync(join(at, "usr/su"), "utf8")).toBe("usr/su");
  } finally {
    await run(["umount", data]);
  }
});
