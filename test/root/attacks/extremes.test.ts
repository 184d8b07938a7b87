/** What is at the edge of what the kernel takes: 127 layers, long paths, mounts that propagate, limits that cannot be raised. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { run } from "../../support/command.ts";
import { mountPoints } from "../../support/leaks.ts";
import { factsNamed } from "../../support/probe.ts";
import { until } from "../../support/wait.ts";
import { directory, file, hostileImage } from "./hostile.ts";

const { test, host } = containerTests();

/** Layer n writes n over one file, and brings one of its own. With the base that makes `count` layers. */
function layered(count: number): ReturnType<typeof file>[][] {
  return Array.from({ length: count - 1 }, (_, n) => [
    directory("data"),
    file("data/all", `${n}\n`),
    file(`data/${n}`, ""),
  ]);
}

test("127 layers, the most that Docker makes: each is there, the last one wins", async () => {
  const tall = await hostileImage(host(), "tall", { layers: layered(127) });
  const output = await host().ok([
    "run",
    "--rm",
    tall,
    "sh",
    "-c",
    "cat /data/all; ls /data | grep -c .; echo new > /data/all",
  ]);
  expect(output).toBe("125\n127\n");
  await using container = await running(host());
  expect(await host().ok(["exec", container.name, "true"])).toBe("");
}, 240_000);

test("127 layers below a root whose path is longer than an option of the mount may be", async () => {
  const root = join(host().dir, "r".repeat(200), "o".repeat(200));
  mkdirSync(root, { recursive: true });
  const env = { RT_ROOT: root };
  const dir = join(host().dir, "images/tall");
  const name = (await host().ok(["pull", "-q", `oci:${dir}:latest`], { env })).trim();
  expect(await host().ok(["run", "--rm", name, "cat", "/data/all"], { env })).toBe("125\n");
  expect(await host().ok(["run", "--rm", "--read-only", name, "cat", "/data/all"], { env })).toBe("125\n");
}, 240_000);

/** A mount point of the host, shared, for as long as `body` runs. */
async function sharedMount(name: string, body: (dir: string) => Promise<void>): Promise<void> {
  const dir = join(host().dir, name);
  mkdirSync(dir);
  await run(["mount", "-t", "tmpfs", name, dir]);
  try {
    await run(["mount", "--make-rshared", dir]);
    mkdirSync(join(dir, "before"));
    mkdirSync(join(dir, "later"));
    await run(["mount", "-t", "tmpfs", "before", join(dir, "before")]);
    writeFileSync(join(dir, "before/file"), "");
    await body(dir);
  } finally {
    for (const path of mountPoints()
      .filter((each) => each.startsWith(dir))
      .sort()
      .reverse())
      await run(["umount", path]);
  }
}

for (const [mode, sees, shows] of [
  ["", false, false],
  ["rprivate", false, false],
  ["rslave", true, false],
  ["rshared", true, true],
] as const) {
  test(`a bind mount ${mode || "without a mode"}: what the host mounts later ${sees ? "shows" : "does not show"} inside`, () =>
    sharedMount(`shared-${mode || "default"}`, async (dir) => {
      const volume = mode ? `${dir}:/data:${mode}` : `${dir}:/data`;
      await using container = await running(
        host(),
        ["sleep", "1000"],
        ["-v", volume, "--cap-add", "SYS_ADMIN"],
      );
      const inside = async (...command: string[]) =>
        (await host().ok(["exec", container.name, ...command])).trim();
      expect(await inside("ls", "/data/before")).toBe("file");
      await run(["mount", "-t", "tmpfs", "later", join(dir, "later")]);
      writeFileSync(join(dir, "later/new"), "");
      expect(await inside("ls", "/data/later")).toBe(sees ? "new" : "");
      await inside("sh", "-c", "mkdir /data/inner && mount -t tmpfs inner /data/inner");
      expect(mountPoints().includes(join(dir, "inner"))).toBe(shows);
    }));
}

test("a bind of a single mount leaves what is mounted below it out", () =>
  sharedMount("single", async (dir) => {
    const bind = `type=bind,src=${dir},dst=/data,bind-nonrecursive`;
    const { stdout, stderr, code } = await host().rt([
      "run",
      "--rm",
      "--mount",
      bind,
      image,
      "ls",
      "/data/before",
    ]);
    if (code === 0) expect(stdout).toBe("");
    else oneLine(stderr);
  }));

test("a read-only bind cannot be made writable again from inside", () =>
  sharedMount("read-only", async (dir) => {
    const flags = ["-v", `${dir}:/data:ro,rslave`];
    const script =
      "probe try remount-rw /data; probe try remount-rw /data/before; touch /data/x /data/before/x; true";
    const { stdout } = await host().rt(["run", "--rm", ...flags, image, "sh", "-c", script]);
    expect(factsNamed(stdout, "try")).toEqual(["remount-rw EPERM", "remount-rw EPERM"]);
    expect(await run(["ls", dir, join(dir, "before")])).not.toContain("x\n");
  }));

/** The hard limit that we have ourselves. */
function hardLimit(name: string): string {
  return new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, "m").exec(readFileSync("/proc/self/limits", "utf8"))![1]!;
}

function maySetResources(): boolean {
  const effective = /^CapEff:\s+(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]!;
  return (BigInt(`0x${effective}`) & (1n << 24n)) !== 0n;
}

test("a limit above the host's: set where that is allowed, else clamped with a warning that names it", async () => {
  const hard = hardLimit("Max open files");
  const asked = hard === "unlimited" ? "1048576" : `${Number(hard) + 1}`;
  const { stdout, stderr, code } = await host().rt([
    "run",
    "--rm",
    "--ulimit",
    `nofile=1000:${asked}`,
    image,
    "probe",
    "rlimits",
  ]);
  expect(code).toBe(0);
  const got = factsNamed(stdout, "rlimit").find((line) => line.startsWith("nofile"));
  if (hard === "unlimited" || maySetResources()) {
    expect([got, stderr]).toEqual([`nofile 1000 ${asked}`, ""]);
  } else {
    expect(got).toBe(`nofile 1000 ${hard}`);
    expect(stderr).toMatch(/^rt: warning: .*RLIMIT_NOFILE.*\n$/);
  }
});

test("a fork bomb of orphans leaves no zombie behind an init", async () => {
  await using container = await running(
    host(),
    [
      "sh",
      "-c",
      "for i in $(busybox seq 20); do probe fork-orphan & done; wait; echo orphaned; exec sleep 1000",
    ],
    ["--init"],
  );
  await container.client.stdout.waitFor("orphaned");
  await until("all orphans are reaped", async () => {
    const stats = await host().ok([
      "exec",
      container.name,
      "sh",
      "-c",
      "cat /proc/[0-9]*/stat 2>/dev/null || true",
    ]);
    return stats !== "" && !stats.includes(") Z ");
  });
});

test("directories that are nested deeper than any path end nobody's listing", async () => {
  const script = `nest() { mkdir $1; cd $1; for n in $(seq 1500); do mkdir d && cd d || exit 1; done; }
    (nest /a); nest /b; mv /a deeper`;
  await host().ok(["run", "--name", "nested", image, "sh", "-c", script], { timeoutMs: 240_000 });
  expect(await host().ok(["ps", "-as", "--format", "{{.Names}} {{.Size}}"])).toContain("nested ");
  expect(await host().ok(["system", "df"])).toContain("Containers");
  const { stderr, code } = await host().rt(["diff", "nested"]);
  expect([oneLine(stderr), code]).toEqual(["directories are more than 2048 deep", 125]);
  await host().ok(["rm", "nested"]);
}, 300_000);
