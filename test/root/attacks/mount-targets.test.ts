/**
 * Images whose /dev, /etc and mount targets are links out of the root (CVE-2021-30465, CVE-2024-45310, CVE-2026-41579), and
 * devices or masks that are swapped while they are made (CVE-2025-31133, CVE-2025-52565).
 */
import { expect } from "bun:test";
import { mkdirSync, readdirSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { type Canary, plantCanary } from "../../support/canary.ts";
import { run } from "../../support/command.ts";
import { mountPoints } from "../../support/leaks.ts";
import { facts, factsNamed } from "../../support/probe.ts";
import { rtBinary } from "../../support/rt.ts";
import { rounds, soakTimeoutMs } from "../../support/soak.ts";
import { directory, hostileImage, symlink } from "./hostile.ts";

const { test, host } = containerTests(["getfattr"]);

/** Every way for a link to leave the root for `canary`. */
function waysOut(canary: Canary): [string, string][] {
  return [
    ["absolute", canary.dir],
    ["relative", `../../../../../../../..${canary.dir}`],
    ["proc", `/proc/1/root${canary.dir}`],
    ["self", "/proc/self/fd/5"],
    ["missing", `${canary.dir}/new/deep`],
    ["loop", "dev"],
  ];
}

/** Started or refused, the canary is whole and the host has no new mount. */
async function staysInside(
  canary: Canary,
  args: readonly string[],
): Promise<{ code: number; stdout: string }> {
  const mounts = mountPoints();
  const { code, stderr, stdout } = await host().rt(args);
  if (code !== 0) oneLine(stderr);
  await canary.check();
  expect(mountPoints().filter((path) => path.startsWith(host().dir) && !mounts.includes(path))).toEqual([]);
  return { code, stdout };
}

const parents = ["dev", "etc", "tmp", "run", "var", "mnt"];

for (const parent of parents) {
  test(`/${parent} is a link out`, async () => {
    const canary = await plantCanary(host().dir, `canary-${parent}`);
    for (const [way, target] of waysOut(canary)) {
      const link = way === "loop" ? parent : target;
      const linked = await hostileImage(host(), `link-${parent}-${way}`, {
        members: [symlink(parent, link)],
      });
      const flags = [
        "--tmpfs",
        "/tmp/a",
        "-v",
        `${canary.dir}/sub:/mnt/data:ro`,
        "-v",
        `${canary.file}:/var/file:ro`,
        "--device",
        "/dev/fuse:/run/fuse",
      ];
      const { code } = await staysInside(canary, ["run", "--rm", ...flags, linked, "true"]);
      // The canary may lie below /dev/shm: then a /dev that leads to it leads to itself.
      const followed = way === "absolute" || way === "relative" || way === "missing";
      if (followed && parent !== "dev") expect([parent, way, code]).toEqual([parent, way, 0]);
      else expect([0, 125]).toContain(code);
    }
  });
}

test("each file that we bind or make is a link out, or a directory, or a fifo", async () => {
  const canary = await plantCanary(host().dir, "canary-files");
  const names = [
    "dev/null",
    "dev/console",
    "dev/pts",
    "dev/ptmx",
    "dev/shm",
    "dev/tty",
    "dev/fd",
    "etc/hosts",
    "etc/hostname",
    "etc/resolv.conf",
  ];
  for (const [way, target] of [...waysOut(canary), ["file", canary.file]]) {
    const members = [directory("dev"), directory("etc"), ...names.map((name) => symlink(name, target!))];
    const linked = await hostileImage(host(), `links-${way}`, { members });
    for (const flags of [[], ["-t"], ["--read-only"]]) {
      await staysInside(canary, ["run", "--rm", ...flags, linked, "true"]);
    }
  }
  for (const type of ["5", "6"]) {
    const members = [
      directory("etc"),
      ...["hosts", "hostname", "resolv.conf"].map((name) => ({ name: `etc/${name}`, type })),
    ];
    const odd = await hostileImage(host(), `odd-files-${type}`, { members });
    const { code } = await staysInside(canary, ["run", "--rm", odd, "true"]);
    expect([type, code]).toEqual([type, type === "5" ? 125 : 0]);
  }
});

test("what is under /dev comes from us, whatever the image has there", async () => {
  const canary = await plantCanary(host().dir, "canary-lies");
  const members = [
    directory("dev"),
    symlink("dev/null", canary.file),
    symlink("dev/pts", "/proc"),
    { name: "dev/zero", type: "6" },
  ];
  const linked = await hostileImage(host(), "dev-lies", { members });
  const null_ = facts(await host().ok(["run", "--rm", linked, "probe", "stat", "/dev/null"]));
  expect([null_.get("type"), null_.get("rdev"), null_.get("mode")]).toEqual(["c", "1:3", "0666"]);
  const pts = facts(await host().ok(["run", "--rm", linked, "probe", "stat", "/dev/pts"]));
  expect(pts.get("fsmagic")).toBe("0x1cd1");
  await canary.check();
});

test("with a /dev of the user's, a device there that is not the one is refused", async () => {
  const canary = await plantCanary(host().dir, "canary-own-dev");
  const dev = join(host().dir, "own-dev");
  mkdirSync(join(dev, "pts"), { recursive: true });
  symlinkSync(canary.file, join(dev, "null"));
  symlinkSync(canary.file, join(dev, "console"));
  const { code } = await staysInside(canary, ["run", "--rm", "-v", `${dev}:/dev`, image, "true"]);
  expect(code).toBe(125);
  expect(readdirSync(dev).sort()).toEqual(["console", "mqueue", "null", "pts", "shm"]);
  expect(["null", "console"].map((name) => readlinkSync(join(dev, name)))).toEqual([
    canary.file,
    canary.file,
  ]);
});

test("a terminal is a pty of the container's own devpts, not of the image's", async () => {
  const canary = await plantCanary(host().dir, "canary-console");
  const members = [
    directory("dev"),
    symlink("dev/console", canary.file),
    symlink("dev/ptmx", canary.file),
    directory("dev/pts"),
    symlink("dev/pts/0", canary.file),
  ];
  const linked = await hostileImage(host(), "console-lies", { members });
  const output = await host().ok([
    "run",
    "--rm",
    "-t",
    linked,
    "probe",
    "stat",
    "-L",
    "/dev/console",
    "/proc/self/fd/0",
  ]);
  const lines = output.replaceAll("\r", "");
  expect(factsNamed(lines, "rdev")).toEqual(["136:0", "136:0"]);
  expect(factsNamed(lines, "fsmagic")).toEqual(["0x1cd1", "0x1cd1"]);
  await canary.check();
});

for (const [way, target] of [
  ["the host's root", "../../../../../../.."],
  ["a canary", "CANARY"],
  ["the root of pid 1", "/proc/1/root"],
  ["/etc of the container", "/etc"],
  ["/proc", "/proc"],
] as const) {
  test(
    `twenty starts whose nested mount target is swapped with a link to ${way}`,
    async () => {
      const canary = await plantCanary(host().dir, `canary-race-${way.replaceAll(/[ /']/g, "-")}`);
      const volume = join(host().dir, `volume-${way.replaceAll(/[ /']/g, "-")}`);
      mkdirSync(join(volume, "a/sub"), { recursive: true });
      symlinkSync(target === "CANARY" ? canary.dir : target, join(volume, "b"));
      await using racer = await running(
        host(),
        ["probe", "racer", "/volume/a", "/volume/b"],
        ["-v", `${volume}:/volume`],
      );
      await racer.client.stdout.waitFor("ready");
      const usual = new Set(
        factsNamed(await host().ok(["run", "--rm", image, "probe", "mounts"]), "mount").map(
          (line) => line.split(" ")[0]!,
        ),
      );
      const mounts = mountPoints();
      const flags = `-v ${volume}:/volume -v ${canary.dir}/sub:/volume/a/sub --tmpfs /volume/a/tmp --device /dev/fuse:/volume/a/fuse`;
      const script = `seq 20 | xargs -P 4 -n 1 sh -c '
      timeout -s KILL 20 "$RT" run --rm ${flags} "$IMAGE" probe mounts 2>/dev/null; [ $? = 0 -o $? = 125 ] || echo failed'`;
      for (const _ of rounds(1)) {
        const output = await run(["sh", "-c", script], {
          env: { ...host().env, RT: rtBinary, IMAGE: image },
        });
        expect(output).not.toContain("failed");
        // Over the kernel's files lie our masks and nothing else, however the race went.
        const covered = factsNamed(output, "mount").flatMap(
          (line) => /^\/(?:proc|sys)(?=[/ ])\S*/.exec(line)?.[0] ?? [],
        );
        expect([...new Set(covered)].filter((path) => !usual.has(path))).toEqual([]);
        await canary.check();
        expect(mountPoints().filter((path) => path.startsWith(host().dir) && !mounts.includes(path))).toEqual(
          [],
        );
      }
    },
    soakTimeoutMs(120_000),
  );
}
