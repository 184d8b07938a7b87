/**
 * Files in and out of containers that mean no good (CVE-2018-15664, CVE-2019-14271): links out of the root, directories that
 * become links while we are in them, archives that lead out, programs and libraries that wait to be used.
 */
import { expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, pidOf, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { processesMentioning } from "../../support/leaks.ts";
import { rounds, soakTimeoutMs } from "../../support/soak.ts";
import { archive, type Member } from "../../support/tar.ts";
import { until } from "../../support/wait.ts";
import { hostileImage } from "./hostile.ts";

const { test, host } = containerTests();

/** Of what any file of the canary says. */
const song = /canary sings|deep down|nobody may read/;

/** Links are looked at, not followed. */
function textsBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const below = join(path, entry.name);
    if (entry.isDirectory()) return textsBelow(below);
    return entry.isFile() ? [readFileSync(below, "utf8")] : [];
  });
}

/** A directory of the host with files, some of them in directories of their own. */
function plantTree(path: string, count: number): string {
  mkdirSync(join(path, "sub/deep"), { recursive: true });
  for (let index = 0; index < count; index++) {
    writeFileSync(join(path, "sub/deep", `f${index}`), "harmless\n");
    writeFileSync(join(path, "sub", `g${index}`), "harmless\n");
  }
  return path;
}

/**
 * A container that exchanges a directory of /race, and a file there, with links to the canary as fast as it can: all that it
 * has, and again by another way up.
 */
async function racing(canary: string, flags: readonly string[] = [], root = "/race") {
  const up = "../".repeat(40).slice(0, -1);
  const script = `
    mkdir -p ${root}/t/sub/deep ${root}/t/deep2 ${root}/kept; cd ${root}
    for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do echo inside > t/sub/deep/f$n; echo inside > t/sub/g$n; done
    ln -s ${canary} away; ln -s ${up}${canary} t/away; ln -s ${canary}/sub t/sub/away; echo inside > t/file; ln -s ${canary}/file t/link
    probe racer ${root}/t/sub ${root}/t/away & probe racer ${root}/t/sub/deep ${root}/t/sub/away &
    probe racer ${root}/t/file ${root}/t/link & probe racer ${root}/t ${root}/kept &
    probe racer ${root}/t/sub/deep ${root}/t/deep2 &
    echo racing; wait`;
  const container = await running(host(), ["sh", "-c", script], flags);
  await container.client.stdout.waitFor("racing");
  return container;
}

/** In a user namespace of its own, too, where whoever copies has its rights and no others. */
const kinds = {
  "": [],
  ", in a user namespace of its own": ["--uidmap", "0:1000000:65536", "--gidmap", "0:1100000:65536"],
};

for (const [own, flags] of Object.entries(kinds)) {
  test(
    `10,000 files into a container against racers${own}: nothing reaches the host`,
    async () => {
      const canary = await plantCanary(host().dir, `canary-in${flags.length}`);
      const tree = plantTree(join(host().dir, `tree-in${flags.length}`), 125);
      await using container = await racing(canary.dir, flags);
      let arrived = 0;
      for (const round of rounds(40)) {
        const place = ["/race/t", "/race/t/sub", "/race/t/sub/deep", "/race/t/file"][round % 4]!;
        const { stderr, code } = await host().rt([
          "cp",
          join(tree, round % 4 < 3 ? "." : "sub/g1"),
          `${container.name}:${place}`,
        ]);
        // It may fail in many ways, and in one line.
        if (code === 0) arrived++;
        else oneLine(stderr);
      }
      expect(arrived).toBeGreaterThan(0);
      await canary.check();
    },
    soakTimeoutMs(120_000),
  );

  test(
    `out of a container against racers${own}: nothing of the host comes`,
    async () => {
      const canary = await plantCanary(host().dir, `canary-out${flags.length}`);
      await using container = await racing(canary.dir, flags);
      const out = join(host().dir, "out");
      let arrived = 0;
      for (const round of rounds(40)) {
        const place = ["/race", "/race/t/sub", "/race/t/file", "/race/t/link"][round % 4]!;
        mkdirSync(out);
        const follow = round % 8 < 4 ? ["-L"] : [];
        const { code, stderr } = await host().rt(["cp", ...follow, `${container.name}:${place}`, out]);
        if (code === 0) arrived++;
        else oneLine(stderr);
        // A link may come; what it leads to may not.
        for (const text of textsBelow(out)) expect(text).not.toMatch(song);
        rmSync(out, { recursive: true });
      }
      expect(arrived).toBeGreaterThan(0);
      const { stdout } = await host().rt(["export", container.name]);
      expect(stdout).not.toMatch(song);
      await host().rt(["diff", container.name]);
      await canary.check();
    },
    soakTimeoutMs(120_000),
  );
}

test("whoever copies into a container with a user namespace has the rights of its root", async () => {
  await using container = await running(host(), ["sleep", "1000"], kinds[", in a user namespace of its own"]);
  for (const state of ["running", "stopped"]) {
    if (state === "stopped") await host().ok(["stop", "-t", "0", container.name]);
    await using waiting = host().spawn(["cp", "-", `${container.name}:/`]);
    const helper = await until("its helper waits for an archive", () =>
      processesMentioning("uids=0:1000000:65536").find(({ command }) => command.includes("receive")),
    );
    const said = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(readFileSync(`/proc/${helper.pid}/status`, "utf8"))?.[1];
    await until("it has entered", () => said("Uid") === "1000000\t1000000\t1000000\t1000000");
    expect([said("Gid"), said("Groups")?.trim()]).toEqual(["1100000\t1100000\t1100000\t1100000", ""]);
    const ours = statSync("/proc/self/ns/user").ino;
    expect(statSync(`/proc/${helper.pid}/ns/user`).ino).not.toBe(ours);
    expect(said("NoNewPrivs")).toBe("1");
    waiting.kill("SIGINT");
    await waiting.exited;
  }
});

test("the racers do lead out whoever follows them", async () => {
  const canary = await plantCanary(host().dir, "canary-control");
  await using container = await racing(canary.dir);
  const root = `/proc/${await pidOf(host(), container.name)}/root`;
  await until("a copy that follows links has what is not the container's", async () => {
    const naive = join(host().dir, "naive");
    await Bun.spawn(["cp", "-rL", `${root}/race`, naive], { stderr: "ignore" }).exited;
    const texts = existsSync(naive) ? textsBelow(naive) : [];
    rmSync(naive, { recursive: true, force: true });
    return texts.some((text) => song.test(text));
  });
});

test(
  "a directory of the host that a container has, too, as source and as destination",
  async () => {
    const canary = await plantCanary(host().dir, "canary-shared");
    const shared = join(host().dir, "shared");
    mkdirSync(shared);
    await using container = await racing(canary.dir, ["-v", `${shared}:/v`], "/v");
    for (const round of rounds(15)) {
      // Onto it: a tree with the names that are exchanged there.
      await host().rt(["cp", `${container.name}:/v/.`, shared]);
      await host().rt(["cp", shared, `${container.name}:/copy${round}`]);
      const archived = await host().rt(["cp", `${container.name}:/copy${round}`, "-"]);
      expect(archived.stdout).not.toMatch(song);
    }
    await canary.check();
  },
  soakTimeoutMs(120_000),
);

test("links of an image, in every part of a path, running and not", async () => {
  const canary = await plantCanary(host().dir, "canary-links");
  const up = `${"../".repeat(40).slice(0, -1)}${canary.dir}`;
  const members: Member[] = [
    { name: "absolute", type: "2", link: canary.dir },
    { name: "relative", type: "2", link: up },
    { name: "file", type: "2", link: canary.file },
    { name: "magic", type: "2", link: "/proc/1/root" },
    { name: "self", type: "2", link: "/proc/self/cwd" },
    { name: "kernel", type: "2", link: "/proc/sys/kernel" },
    { name: "loop", type: "2", link: "loop" },
    { name: "root", type: "2", link: "/" },
  ];
  const hostile = await hostileImage(host(), "cp-links", { members });
  const own = join(host().dir, "own");
  writeFileSync(own, "harmless\n");
  for (const state of ["running", "stopped"]) {
    const client = host().spawn([
      "run",
      "--name",
      "linked",
      hostile,
      "sleep",
      state === "running" ? "1000" : "0",
    ]);
    if (state === "stopped") await client.exited;
    else while ((await host().ok(["ps", "-q"])) === "") await Bun.sleep(10);
    for (const { name } of members) {
      for (const place of [
        `/${name}`,
        `/${name}/`,
        `/${name}/core_pattern`,
        `/${name}/sub/file`,
        `/${name}/etc/new`,
      ]) {
        await host().rt(["cp", own, `linked:${place}`]);
        await host().rt(["cp", "-", `linked:${place}`], {
          stdin: archive({ name: "sub", type: "2", link: canary.dir }, { name: "sub/x", content: "x" }),
        });
        const out = await host().rt(["cp", "-L", `linked:${place}`, "-"]);
        expect(out.stdout).not.toMatch(song);
        // Nothing of a kernel's file system is read, and nothing written to.
        if (["magic", "self", "kernel"].includes(name)) expect(out.code).toBe(1);
      }
    }
    await canary.check();
    await host().ok(["rm", "-f", "linked"]);
    await client.exited;
  }
}, 120_000);

test("archives that lead out of their place: refused, or inside", async () => {
  const canary = await plantCanary(host().dir, "canary-archives");
  await using container = await running(host());
  const at = canary.dir;
  const up = "../".repeat(20);
  const hostile: Member[][] = [
    [{ name: `${up}${at}/x`, content: "x" }],
    [{ name: `${at}/x`, content: "x" }],
    [
      { name: "a", type: "2", link: at },
      { name: "a/x", content: "x" },
    ],
    [
      { name: "a", type: "2", link: `${up}${at}` },
      { name: "a/file", content: "x" },
    ],
    [
      { name: "a", type: "2", link: canary.file },
      { name: "a", content: "x" },
    ],
    [{ name: "a", type: "1", link: `${up}${canary.file}` }],
    [
      { name: "a", type: "1", link: canary.file },
      { name: "a", content: "x" },
    ],
    [
      { name: "a", type: "2", link: "/proc/1/root" },
      { name: "a/x", content: "x" },
    ],
    [
      { name: "a", type: "2", link: at },
      { name: "b", type: "1", link: "a" },
      { name: "b/x", content: "x" },
    ],
    [
      { name: "a", type: "2", link: at },
      { name: "a", type: "5", mode: 0o777 },
    ],
    [
      { name: ".", type: "5", mode: 0 },
      { name: "./../../x", content: "x" },
    ],
  ];
  for (const members of hostile) {
    const { code, stderr } = await host().rt(["cp", "-", `${container.name}:/tmp`], {
      stdin: archive(...members),
    });
    if (code !== 0) oneLine(stderr);
  }
  await canary.check();
  expect(await host().ok(["exec", container.name, "stat", "-c", "%a", "/tmp"])).not.toBe("0\n");
});

test("nothing of an image runs or is loaded outside of it", async () => {
  const trap = "#!/bin/sh\necho trapped > /trapped\n";
  const places = ["bin/tar", "usr/bin/tar", "bin/rt-layer", "sbin/init", "bin/gzip", "bin/docker-tar"];
  const libraries = ["lib", "lib64", "usr/lib", "lib/x86_64-linux-gnu"].flatMap((directory) =>
    ["libnss_files.so.2", "libc.so.6", "ld-linux-x86-64.so.2", "libnss_compat.so.2"].map(
      (name) => `${directory}/${name}`,
    ),
  );
  const members = [...places, ...libraries].map((name) => ({ name, mode: 0o755, content: trap }));
  members.push({ name: "etc/nsswitch.conf", mode: 0o644, content: "passwd: files\n" });
  const hostile = await hostileImage(host(), "cp-traps", { members });
  await host().ok(["run", "--name", "trap", hostile, "true"]);
  const file = join(host().dir, "own-file");
  writeFileSync(file, "x");
  await host().ok(["cp", "-a", file, "trap:/x"]);
  await host().ok(["cp", "-a", "trap:/etc", join(host().dir, "etc-out")]);
  await host().ok(["export", "-o", join(host().dir, "traps.tar"), "trap"]);
  expect(await host().ok(["diff", "trap"])).toBe("A /x\n");
  await host().ok(["rm", "trap"]);
});

test("fifos, devices, files that grow and change: no hang, no leak", async () => {
  const script =
    "mkfifo /fifo; mkdir /d; ln -s /fifo /d/to-fifo; (while :; do echo more >> /d/grows; : > /d/shrinks; head -c 100000 /dev/zero > /d/shrinks; done) & echo up; wait";
  await using container = await running(host(), ["sh", "-c", script]);
  await container.client.stdout.waitFor("up");
  const out = join(host().dir, "changing");
  for (let round = 0; round < 20; round++) await host().ok(["cp", `${container.name}:/d`, out]);
  for (const place of ["/fifo", "/d/to-fifo", "/dev/null", "/dev/zero", "/dev/console"]) {
    await host().rt(["cp", "-L", `${container.name}:${place}`, join(host().dir, "special")]);
    await host().rt(["cp", join(out, "grows"), `${container.name}:${place}`]);
  }
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
});

test("the destination on the host: a link in a tree that comes leads nowhere", async () => {
  const canary = await plantCanary(host().dir, "canary-host");
  const to = join(host().dir, "to");
  mkdirSync(join(to, "d"), { recursive: true });
  symlinkSync(canary.dir, join(to, "d/sub"));
  await host().ok([
    "run",
    "--name",
    "over",
    image,
    "sh",
    "-c",
    "mkdir -p /d/sub; echo x > /d/sub/file; echo y > /d/own",
  ]);
  const refused = await host().rt(["cp", "over:/d", to]);
  expect(oneLine(refused.stderr)).toContain("cannot overwrite non-directory");
  expect(refused.code).toBe(1);
  await host().rt(["cp", "over:/d/sub/.", join(to, "d")]);
  await host().ok(["rm", "over"]);
  await canary.check();
});
