/**
 * Volumes that several containers share: what a start copies into one while another container, which has it already, swaps
 * its directories and files for links (CVE-2018-15664's kind).
 */
import { expect } from "bun:test";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { helperCommand } from "../../../src/layer/helper.ts";
import { copyTree, removeTree, treeUsage } from "../../../src/layer/tree.ts";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { type Canary, plantCanary } from "../../support/canary.ts";
import { run } from "../../support/command.ts";
import { probeBinary } from "../../support/probe.ts";
import { rounds, soakTimeoutMs } from "../../support/soak.ts";
import { Transcript, until } from "../../support/wait.ts";
import { directory, file, hostileImage, symlink } from "./hostile.ts";

const { test, host } = containerTests(["strace", "setpriv"]);

const dataOf = (name: string) => join(host().root, "volumes", name, "_data");

/** A volume that is a mount: it is seeded in place. */
async function ownFileSystem(name: string): Promise<string> {
  await host().ok(["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", name]);
  return name;
}

/** Start `seeder` with the volume `usual` times; the volume is empty before each, and the canary whole after each. */
async function race(
  volume: string,
  seeder: string,
  racer: readonly string[],
  usual: number,
  canary: Canary,
): Promise<void> {
  const flags = ["-w", "/data", "-v", `${volume}:/data:nocopy`];
  await using attacker = await running(host(), ["probe", ...racer], flags);
  await attacker.client.stdout.waitFor("ready");
  for (const _ of rounds(usual)) {
    const { code, stderr } = await host().rt(["run", "--rm", "-v", `${volume}:/data`, seeder, "true"]);
    // In place, what somebody has put in the way is met, and refused.
    const isRefused = volume.endsWith("-own") && /: (ELOOP|EOPNOTSUPP|ENOTDIR|EEXIST|ENOENT)\n$/.test(stderr);
    expect([isRefused ? 0 : code, isRefused ? "" : stderr]).toEqual([0, ""]);
    expect(readdirSync(dataOf(volume)).length).toBeGreaterThan(0);
    await canary.check();
    const script = "rm -rf /data/* /data/.[!.]*";
    await until("the volume is empty", async () => {
      await host().rt(["exec", attacker.name, "sh", "-c", script]); // rm fails where the racer was faster
      return readdirSync(dataOf(volume)).length === 0;
    });
  }
}

test(
  "hard links of a seed that lead through a directory of the volume link nothing of the host",
  async () => {
    const canary = await plantCanary(host().dir, "canary-links");
    const between = [0, 1, 2, 3].flatMap((index) => [
      directory(`data/m${index}`),
      ...Array.from({ length: 500 }, (_, each) => file(`data/m${index}/${each}`, "x")),
    ]);
    const members = [
      directory("data", 0o777),
      directory("data/a"),
      file("data/a/file", "of the image"),
      ...between,
      directory("data/z"),
      { name: "data/z/secret", type: "1", link: "data/a/file" },
    ];
    const seeder = await hostileImage(host(), "seed-links", { members });
    for (const volume of ["linked", await ownFileSystem("linked-own")])
      await race(volume, seeder, ["seed-linker", canary.dir, "a/file", "z/secret"], 8, canary);
  },
  soakTimeoutMs(120_000) * 2,
);

test(
  "the modes of a seed are not given to what a link in the volume points to",
  async () => {
    const canary = await plantCanary(host().dir, "canary-modes");
    const fifos = Array.from({ length: 1500 }, (_, each) => ({
      name: `data/p${each}`,
      type: "6",
      mode: 0o6777,
    }));
    const seeder = await hostileImage(host(), "seed-modes", {
      members: [directory("data", 0o777), ...fifos],
    });
    for (const volume of ["moded", await ownFileSystem("moded-own")])
      await race(volume, seeder, ["seed-chmodder", join(canary.dir, "secret"), "p"], 5, canary);
  },
  soakTimeoutMs(120_000) * 2,
);

test("two starts at once seed a volume once, and both see all of it", async () => {
  const members = [
    directory("data", 0o750),
    ...Array.from({ length: 300 }, (_, each) => file(`data/${each}`, "x")),
  ];
  const seeder = await hostileImage(host(), "seed-twice", { members });
  const counts = await Promise.all(
    Array.from({ length: 6 }, () =>
      host().ok([
        "run",
        "--rm",
        "-v",
        "twice:/data",
        seeder,
        "sh",
        "-c",
        "ls /data | busybox wc -l; stat -c %a /data",
      ]),
    ),
  );
  expect(new Set(counts)).toEqual(new Set(["300\n750\n"]));
  expect(readdirSync(join(dataOf("twice"), ".."))).toEqual(["_data"]);
});

test("a container that has the volume sees what another start brings, and keeps what it wrote", async () => {
  const members = [directory("data", 0o755), file("data/one", "of the image"), directory("data/two")];
  const seeder = await hostileImage(host(), "seed-seen", { members });
  await using first = await running(host(), ["sleep", "60"], ["-v", "seen:/data:nocopy"]);
  await host().ok(["run", "--rm", "-v", "seen:/data", seeder, "true"]);
  expect(await host().ok(["exec", first.name, "sh", "-c", "ls /data; cat /data/one"])).toBe(
    "one\ntwo\nof the image",
  );
  await host().ok(["exec", first.name, "sh", "-c", "echo mine > /data/one"]);
  await host().ok(["run", "--rm", "-v", "seen:/data", seeder, "true"]);
  expect(await host().ok(["exec", first.name, "cat", "/data/one"])).toBe("mine\n");
});

/** A layout of a driver with one layer, for rt-layer by itself. */
function driver(name: string): { root: string; layer: string; hex: string } {
  const hex = "a".repeat(64);
  const root = join(host().dir, name);
  const layer = join(root, "committed", hex, "diff");
  mkdirSync(join(root, "tmp"), { recursive: true });
  mkdirSync(join(layer, "data/sub"), { recursive: true });
  for (const each of ["1", "2", "3"]) writeFileSync(join(layer, "data", each), each);
  return { root, layer, hex };
}

test("killed at any step, seeding leaves a volume that is empty or becomes complete", async () => {
  const { root, hex } = driver("killed");
  const complete = ["1", "2", "3", "sub"];
  const calls = ["mkdirat", "renameat2", "unlinkat", "fchown", "fchmod"];
  const command = (verb: string, args: Record<string, string>) =>
    helperCommand(verb, args).map((word) => word.replace("/proc/self/", `/proc/${process.pid}/`));
  let kills = 0;
  for (const call of calls) {
    for (let step = 1; step < 12; step++) {
      const volume = join(host().dir, `killed-${call}-${step}`);
      mkdirSync(join(volume, "_data"), { recursive: true });
      const place = { parent: volume, name: "_data" };
      const seed = command("seed", { ...place, path: "/data", root, leaf: "diff", layers: hex });
      const inject = ["strace", "-qq", "-o", "/dev/null", "-e", `inject=${call}:signal=SIGKILL:when=${step}`];
      const child = Bun.spawn([...inject, ...seed], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
      await child.exited;
      if (child.signalCode !== "SIGKILL") break; // there is no such step
      kills += 1;
      const crashed = existsSync(join(volume, "_data.seeded"));
      await run(command("seed", place));
      expect([call, step, readdirSync(volume)]).toEqual([call, step, ["_data"]]);
      const found = readdirSync(join(volume, "_data")).sort();
      if (crashed) expect(found).toEqual(complete);
      else expect([[], complete]).toContainEqual(found);
      await run(seed);
      expect(readdirSync(join(volume, "_data")).sort()).toEqual(complete);
      expect(statSync(join(volume, "_data/sub")).isDirectory()).toBe(true);
    }
  }
  expect(kills).toBeGreaterThan(15);
}, 240_000);

test("device nodes of an image are not seeded", async () => {
  const members = [
    directory("data", 0o777),
    { name: "data/disk", type: "4", mode: 0o666, device: { major: 254, minor: 0 } },
    { name: "data/zero", type: "3", mode: 0o666, device: { major: 1, minor: 5 } },
    { name: "data/fifo", type: "6", mode: 0o666 },
    file("data/file", ""),
  ];
  const seeder = await hostileImage(host(), "seed-devices", { members });
  expect(await host().ok(["run", "--rm", "-v", "devices:/data", seeder, "ls", "/data"])).toBe("fifo\nfile\n");
});

test("copies, sizes and removals of a tree whose directories turn into links stay in it", async () => {
  const canary = await plantCanary(host().dir, "canary-trees");
  const tree = join(host().dir, "raced");
  mkdirSync(join(tree, "inner/a/sub"), { recursive: true });
  for (let each = 0; each < 50; each++) writeFileSync(join(tree, "inner/a/sub", `${each}`), "small");
  writeFileSync(join(tree, "inner/a/file"), "small");
  symlinkSync(canary.dir, join(tree, "inner/b"));
  const racer = Bun.spawn([await probeBinary(), "racer", join(tree, "inner/a"), join(tree, "inner/b")], {
    stdout: "pipe",
  });
  const said = new Transcript();
  void said.drain(racer.stdout);
  try {
    await said.waitFor("ready");
    const end = Date.now() + 6_000;
    let turns = 0;
    for (; Date.now() < end; turns++) {
      const to = join(host().dir, `copy-${turns}`);
      mkdirSync(to);
      try {
        await copyTree(tree, to);
      } catch (error) {
        // What was a directory when it was listed, and is a link now.
        expect(String(error)).toMatch(/^RtError: cannot (open|list|read)/);
      }
      const inner = join(to, "inner/a");
      if (lstatSync(inner, { throwIfNoEntry: false })?.isDirectory())
        expect(existsSync(join(inner, "secret"))).toBe(false);
      await treeUsage(tree);
      await removeTree(join(host().dir, `copy-${turns}`));
    }
    expect(turns).toBeGreaterThan(3);
    await canary.check();
    // Against the racer itself: it ends when both names are gone.
    await until("the tree is removed", async () => {
      await removeTree(join(tree, "inner")).catch(() => undefined);
      return !existsSync(join(tree, "inner"));
    });
    await canary.check();
  } finally {
    racer.kill("SIGKILL");
    await racer.exited;
  }
}, 240_000);

test("hard links are copied by descriptor, without CAP_DAC_READ_SEARCH too", async () => {
  const from = join(host().dir, "links-from");
  mkdirSync(join(from, "below"), { recursive: true });
  writeFileSync(join(from, "one"), "");
  linkSync(join(from, "one"), join(from, "below/two"));
  for (const [index, prefix] of [[], ["setpriv", "--bounding-set", "-dac_read_search"]].entries()) {
    const to = join(host().dir, `links-to-${index}`);
    mkdirSync(to);
    const command = helperCommand("copy", { from, to });
    await run([...prefix, ...command.map((word) => word.replace("/proc/self/", `/proc/${process.pid}/`))]);
    expect(statSync(join(to, "below/two"))).toMatchObject({ ino: statSync(join(to, "one")).ino, nlink: 2 });
  }
});

test("rt-layer works in a chroot, without the capabilities that it does not need", async () => {
  const { root, hex } = driver("confined");
  const tree = join(host().dir, "confined-tree");
  mkdirSync(join(tree, "gone"), { recursive: true });
  mkdirSync(join(tree, "to"));
  mkdirSync(join(tree, "volume/_data"), { recursive: true });
  const verbs: Record<string, Record<string, string>> = {
    copy: { from: join(root, "committed"), to: join(tree, "to") },
    usage: { path: tree },
    remove: { parent: tree, name: "gone" },
    settle: { committed: join(root, "committed") },
    "probe-overlay": { directory: tree },
    seed: { parent: join(tree, "volume"), name: "_data", path: "/data", root, leaf: "diff", layers: hex },
  };
  for (const [verb, args] of Object.entries(verbs)) {
    const trace = join(host().dir, `trace-${verb}`);
    const command = helperCommand(verb, args).map((word) =>
      word.replace("/proc/self/", `/proc/${process.pid}/`),
    );
    await run([
      "strace",
      "-f",
      "-qq",
      "-e",
      "trace=chroot,capset,getdents64,mkdirat,unlinkat",
      "-o",
      trace,
      ...command,
    ]);
    const lines = (await Bun.file(trace).text()).split("\n").map((line) => line.replace(/^\d+ +/, ""));
    const first = (pattern: RegExp) => lines.findIndex((line) => pattern.test(line));
    expect([verb, lines[first(/^chroot/)]]).toEqual([verb, expect.stringMatching(/^chroot\("\."\) += 0$/)]);
    const dropped = lines[first(/^capset/)]!;
    expect([verb, dropped]).toEqual([
      verb,
      expect.not.stringMatching(/CAP_(SYS_PTRACE|KILL|NET|SYS_RAWIO|SYS_MODULE|SETUID)/),
    ]);
    const work = first(/^(getdents64|mkdirat|unlinkat)/);
    expect([verb, work === -1 || work > first(/^capset/)]).toEqual([verb, true]);
  }
});

test("a missing source of -v is made without following a link that a container puts there", async () => {
  const canary = await plantCanary(host().dir, "canary-source");
  const shared = join(host().dir, "shared-source");
  mkdirSync(shared);
  symlinkSync(join(canary.dir, "new"), join(shared, "dangling"));
  const { code } = await host().rt(["run", "--rm", "-v", `${join(shared, "dangling")}:/data`, image, "true"]);
  expect(code).toBe(125);
  await canary.check();
});

test("a VOLUME of the image that is a link out, or lies behind one, brings nothing of the host (CVE-2022-23648)", async () => {
  const canary = await plantCanary(host().dir, "canary-volume");
  const up = "../".repeat(20);
  for (const [index, link] of [
    canary.dir,
    `${up}${canary.dir}`,
    "/proc/1/root",
    "/proc/self/cwd",
    "data",
  ].entries()) {
    const hostile = await hostileImage(host(), `volume-link-${index}`, {
      members: [symlink("data", link), directory("d"), symlink("d/up", link)],
      config: { Volumes: { "/data": {}, "/d/up/sub": {}, "/d/up": {} } },
    });
    const mounts = [[], ["-v", `taken-${index}:/data`], ["-v", `taken-${index}:/d/up/sub`]];
    for (const flags of mounts) {
      const script = "cat /data/* /data/sub/deep/* /d/up/* /d/up/sub/* /d/up/sub/deep/*; echo end";
      const { stdout, code, stderr } = await host().rt([
        "run",
        "--rm",
        ...flags,
        hostile,
        "sh",
        "-c",
        script,
      ]);
      if (code === 0) expect(stdout).toBe("end\n");
      else expect([code, oneLine(stderr)]).toEqual([125, expect.any(String)]);
    }
    const volume = dataOf(`taken-${index}`);
    if (existsSync(volume)) expect(readdirSync(volume)).toEqual([]);
  }
  await canary.check();
}, 240_000);
