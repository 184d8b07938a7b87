/**
 * What a container swaps for a link at the very moment that matters: rt is held right before each call that names it, and before
 * the two after that. RT_SOAK goes through all of these moments, again and again; otherwise five of each are tried.
 */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, pidOf, running } from "../../cli/world.ts";
import { type Canary, plantCanary } from "../../support/canary.ts";
import { callsOf, type Held, heldAt, windowsOf } from "../../support/held.ts";
import { mountPoints } from "../../support/leaks.ts";
import { factsNamed } from "../../support/probe.ts";
import { cannotTrace, needs } from "../../support/root.ts";
import { rounds, soaks, soakTimeoutMs } from "../../support/soak.ts";
import { directory, file, hostileImage } from "./hostile.ts";

const { host } = containerTests(["getfattr", "mknod"]);
const { test } = needs({ root: true, tools: ["busybox", "tar"], also: cannotTrace });

/** Of what any file of the canary says. */
const song = /canary sings|deep down|nobody may read/;

let count = 0;
const planted = () => plantCanary(host().dir, `canary-${count++}`);

interface Swap {
  args: readonly string[];
  /** The calls to be held at: who makes them, and what they name. */
  roles: readonly string[];
  place: RegExp;
  /** What is done meanwhile. */
  script: string;
  /** How it was before. */
  restore: () => void;
  /** Of a command that succeeded. */
  check?: (held: Held) => void;
}

/** Held at each moment the command succeeds or fails in one line, the canary is whole, and the host has no new mount. */
async function heldEverywhere(canary: Canary, swap: Swap): Promise<void> {
  swap.restore();
  const calls = await callsOf(host(), swap.roles, swap.args);
  const windows = windowsOf(calls, swap.roles, swap.place, soaks ? Number.POSITIVE_INFINITY : 5);
  expect(windows.length).toBeGreaterThan(2);
  const mounts = mountPoints();
  for (const _ of rounds(1)) {
    for (const window of windows) {
      swap.restore();
      const held = await heldAt(host(), window, swap.script, swap.args);
      const call = calls.find(({ role, index }) => role === window.role && index === window.index);
      try {
        if (held.code === 0) swap.check?.(held);
        else {
          oneLine(held.stderr);
          expect([1, 125]).toContain(held.code);
        }
        await canary.check();
        expect(mountPoints().filter((path) => path.startsWith(host().dir) && !mounts.includes(path))).toEqual(
          [],
        );
      } catch (error) {
        throw new Error(`before ${call?.role} ${call?.name} ${call?.path}: ${(error as Error).message}`);
      }
    }
  }
}

/** A directory of the host that a container is thought to have, made anew; its root may be somebody else than ours. */
function fresh(name: string, ...below: string[]): string {
  const dir = join(host().dir, name);
  rmSync(dir, { recursive: true, force: true });
  for (const each of ["", ...below]) mkdirSync(join(dir, each), { recursive: true });
  Bun.spawnSync(["chmod", "-R", "a+rwX", dir]);
  return dir;
}

const linked = (path: string, target: string) =>
  `mv ${path} ${path}.kept; rm -rf ${path}; ln -s ${target} ${path}`;

for (const [way, target] of [
  ["a canary", "CANARY"],
  ["the host's root", "../../../../../../../.."],
  ["/proc", "/proc"],
] as const) {
  for (const what of ["the directory above them", "themselves"]) {
    test(
      `mount targets in a volume, ${what} swapped for links to ${way}`,
      async () => {
        const canary = await planted();
        const to = target === "CANARY" ? canary.dir : target;
        const volume = fresh("targets");
        const usual = factsNamed(await host().ok(["run", "--rm", image, "probe", "mounts"]), "mount");
        const usualPlaces = new Set(usual.map((line) => line.split(" ")[0]));
        const leaves = ["sub", "tmp", "fuse", "work"].map((name) => linked(`${volume}/a/${name}`, to));
        await heldEverywhere(canary, {
          args: `run --rm -v ${volume}:/volume -v ${canary.dir}/sub:/volume/a/sub:ro --tmpfs /volume/a/tmp --device /dev/fuse:/volume/a/fuse -w /volume/a/work ${image} probe mounts`.split(
            " ",
          ),
          roles: ["stage"],
          place: /^\/volume\/a|^(tmp|fuse|work|sub)$/,
          script: what === "themselves" ? leaves.join("; ") : linked(`${volume}/a`, to),
          restore: () => fresh("targets", "a/sub"),
          check: ({ stdout }) => {
            const places = factsNamed(stdout, "mount").map((line) => line.split(" ")[0]!);
            const covered = places.filter((path) => /^\/(proc|sys)\//.test(path) && !usualPlaces.has(path));
            expect(covered).toEqual([]);
          },
        });
      },
      soakTimeoutMs(120_000),
    );
  }
}

test("one that trusts the links is led out by the very same swap", async () => {
  const canary = await planted();
  const volume = fresh("targets", "a");
  const args = `run --rm -v ${volume}:/volume --tmpfs /volume/a/tmp ${image} true`.split(" ");
  const calls = await callsOf(host(), ["stage"], args);
  const { index } = calls.find(({ role, path }) => role === "stage" && path === "/volume/a/tmp")!;
  fresh("targets", "a");
  const out = linked(`${volume}/a`, canary.dir);
  await heldAt(host(), { role: "stage", index }, out, args, { RT_TEST_NAIVE: "^/volume/a" });
  await expect(canary.check()).rejects.toThrow("was touched");
});

const masks = ["/proc/keys", "/proc/kcore", "/proc/timer_list", "/proc/interrupts"].filter((path) =>
  existsSync(path),
);

for (const [what, swap] of [
  ["a link to a file", (dev: string, canary: Canary) => linked(`${dev}/null`, canary.file)],
  ["a file", (dev: string) => `rm ${dev}/null; : > ${dev}/null`],
  ["another device", (dev: string) => `rm ${dev}/null; mknod -m 666 ${dev}/null c 1 5`],
  ["nothing", (dev: string) => `rm ${dev}/null`],
] as const) {
  test(
    `the null device that masks are made of, in a /dev of the user's, becomes ${what}`,
    async () => {
      const canary = await planted();
      const dev = fresh("dev");
      await heldEverywhere(canary, {
        args: ["run", "--rm", "-v", `${dev}:/dev`, image, "probe", "stat", ...masks],
        roles: ["stage"],
        place: /^(\/dev\/)?null$/,
        script: swap(dev, canary),
        restore: () => {
          fresh("dev");
          Bun.spawnSync(["mknod", "-m", "666", join(dev, "null"), "c", "1", "3"]);
        },
        check: ({ stdout }) => expect(factsNamed(stdout, "rdev")).toEqual(masks.map(() => "1:3")),
      });
    },
    soakTimeoutMs(120_000),
  );
}

for (const name of ["console", "pts", "ptmx"]) {
  test(
    `of a terminal in a /dev of the user's, ${name} becomes a link`,
    async () => {
      const canary = await planted();
      const dev = fresh("dev");
      await heldEverywhere(canary, {
        args: ["run", "--rm", "-t", "-v", `${dev}:/dev`, image, "probe", "stat", "-L", "/proc/self/fd/0"],
        roles: ["stage"],
        place: /^(\/dev\/?)?(console|pts|ptmx)?(\/.*)?$/,
        script: linked(`${dev}/${name}`, name === "pts" ? canary.dir : canary.file),
        restore: () => fresh("dev"),
        check: ({ stdout }) => {
          expect(factsNamed(stdout.replaceAll("\r", ""), "rdev")).toEqual(["136:0"]);
          expect(factsNamed(stdout.replaceAll("\r", ""), "fsmagic")).toEqual(["0x1cd1"]);
        },
      });
    },
    soakTimeoutMs(120_000),
  );
}

for (const target of ["/proc/self/fd", "/proc/1/root", "../../../../../../.."]) {
  for (const verb of ["run", "exec"]) {
    test(
      `the working directory of ${verb} is swapped for a link to ${target}`,
      async () => {
        const canary = await planted();
        const volume = fresh("work", "a/7");
        await using container = await running(host(), ["sleep", "1000"], ["-v", `${volume}:/v`]);
        const into =
          verb === "run"
            ? ["--rm", "-w", "/v/a/7", "-v", `${volume}:/v`, image]
            : ["-w", "/v/a/7", container.name];
        await heldEverywhere(canary, {
          args: [verb, ...into, "probe", "cwd"],
          roles: ["stage"],
          place: /^\/v\/a|^7$/,
          script: linked(`${volume}/a`, target),
          restore: () => {
            rmSync(join(volume, "a"), { recursive: true, force: true });
            rmSync(join(volume, "a.kept"), { recursive: true, force: true });
            mkdirSync(join(volume, "a/7"), { recursive: true });
          },
          check: ({ stdout }) => expect(stdout).toMatch(/^cwd \/(v\/a(\.kept)?\/7|7)?\n$/),
        });
      },
      soakTimeoutMs(120_000),
    );
  }
}

test(
  "a subpath of a volume is swapped for a link out",
  async () => {
    const canary = await planted();
    await host().ok(["volume", "create", "subpath"]);
    const data = join(host().root, "volumes/subpath/_data");
    const restore = () => {
      for (const name of ["dir", "dir.kept"]) rmSync(join(data, name), { recursive: true, force: true });
      mkdirSync(join(data, "dir/sub"), { recursive: true });
      writeFileSync(join(data, "dir/sub/file"), "inside\n");
    };
    await heldEverywhere(canary, {
      args: ["run", "--rm", "--mount", "src=subpath,dst=/y,volume-subpath=dir/sub", image, "cat", "/y/file"],
      roles: ["client", "stage"],
      place: /_data|^dir|subpath/,
      script: linked(`${data}/dir`, canary.dir),
      restore,
      check: ({ stdout }) => expect(stdout).toBe("inside\n"),
    });
    await host().ok(["volume", "rm", "subpath"]);
  },
  soakTimeoutMs(120_000),
);

test(
  "a volume that is seeded in place: what was made becomes a link out",
  async () => {
    const canary = await planted();
    const members = [
      directory("data"),
      directory("data/a"),
      directory("data/a/sub"),
      file("data/a/sub/file", "x"),
    ];
    const seeder = await hostileImage(host(), "seeded-in-place", { members });
    await host().ok(["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "seeded"]);
    await using user = await running(host(), ["sleep", "1000"], ["-v", "seeded:/data:nocopy"]);
    expect(user.id).toHaveLength(64);
    const data = join(host().root, "volumes/seeded/_data");
    await heldEverywhere(canary, {
      args: ["run", "--rm", "-v", "seeded:/data", seeder, "true"],
      roles: ["layer"],
      place: /^(data|a|sub|file)$/,
      script: linked(`${data}/a`, canary.dir),
      restore: () => {
        for (const name of ["a", "a.kept"]) rmSync(join(data, name), { recursive: true, force: true });
      },
    });
  },
  soakTimeoutMs(120_000),
);

for (const [verb, what, args] of [
  ["cp", "into a container", ["TREE/.", "NAME:/race/a/b"]],
  ["cp", "out of a container", ["NAME:/race/a", "-"]],
  ["cp", "out of a container, following links", ["-L", "NAME:/race/a/b/file", "-"]],
  ["export", "of a container", ["NAME"]],
] as const) {
  test(
    `${verb} ${what}: directories become links out`,
    async () => {
      const canary = await planted();
      const tree = fresh("tree", "sub");
      for (const name of ["file", "sub/file"]) writeFileSync(join(tree, name), "harmless\n");
      await using container = await running(host());
      const root = `/proc/${await pidOf(host(), container.name)}/root`;
      const inside = join(root, "race");
      await heldEverywhere(canary, {
        args: [verb, ...args.map((word) => word.replace("NAME", container.name).replace("TREE", tree))],
        roles: ["layer"],
        place: /^(\/?race.*|a|b|sub|file|\/race\/a\/b)$/,
        script: linked(`${inside}/a`, canary.dir),
        restore: () => {
          rmSync(inside, { recursive: true, force: true });
          mkdirSync(join(inside, "a/b/sub"), { recursive: true });
          for (const name of ["a/file", "a/b/file", "a/b/sub/file"])
            writeFileSync(join(inside, name), "inside\n");
          Bun.spawnSync(["chown", "-R", `--reference=${root}/`, inside]);
        },
        check: ({ stdout }) => expect(stdout).not.toMatch(song),
      });
    },
    soakTimeoutMs(120_000),
  );
}

for (const [what, script] of [
  ["a fifo", (file: string) => `rm ${file}; mkfifo ${file}`],
  ["a link to a device without an end", (file: string) => `rm ${file}; ln -s /dev/zero ${file}`],
  ["a link out", (file: string, canary: Canary) => `rm ${file}; ln -s ${canary.file} ${file}`],
  ["a directory", (file: string) => `rm ${file}; mkdir ${file}`],
] as const) {
  for (const database of ["passwd", "group"]) {
    test(
      `as an exec looks a user up, /etc/${database} becomes ${what}`,
      async () => {
        const canary = await planted();
        await using container = await running(host());
        const file = `/proc/${await pidOf(host(), container.name)}/root/etc/${database}`;
        const before = readFileSync(file);
        await heldEverywhere(canary, {
          args: ["exec", "-u", "app:staff", container.name, "probe", "ids"],
          roles: ["stage"],
          place: new RegExp(`(^|/)${database}$`),
          script: script(file, canary),
          restore: () => {
            rmSync(file, { recursive: true, force: true });
            writeFileSync(file, before);
          },
          check: ({ stdout }) => expect(stdout).toContain("uid 1000\n"),
        });
      },
      soakTimeoutMs(120_000),
    );
  }
}
