/** `--cgroup-parent`: a container's cgroup is below one that somebody names, and whoever looks for it finds it there. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { groupPath } from "../support/groups.ts";
import { cgroupDirectories } from "../support/leaks.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

const parent = `/rt-test-${process.pid}/below`;
const flags = ["--cgroup-parent", parent];
const groupsOf = (id: string) => cgroupDirectories().filter((path) => basename(path) === id);
const allBelow = (path: string) => basename(dirname(path)) === "below";

/** The engine leaves a parent alone that others may use. */
function removeParents(): void {
  const ours = cgroupDirectories().filter((path) => `${path}/`.includes(`${dirname(parent)}/`));
  for (const path of ours.sort((a, b) => b.length - a.length)) rmdirSync(path);
}

test("all verbs find it there, and its end takes it away", async () => {
  {
    await using container = await running(host(), ["sleep", "1000"], [...flags, "-m", "64m"]);
    const { id, name } = container;
    expect(groupsOf(id).length).toBeGreaterThan(0);
    expect(groupsOf(id).filter((path) => !allBelow(path))).toEqual([]);
    expect(await host().ok(["inspect", "-f", "{{.HostConfig.CgroupParent}}", name])).toBe(`${parent}\n`);
    const group = `${parent}/${id}`;
    expect(readFileSync(groupPath(group, "memory"), "utf8")).toBe(`${64 << 20}\n`);
    expect(await host().ok(["stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", name])).toMatch(
      / 64MiB 1\n$/,
    );
    expect((await host().ok(["top", name])).trim().split("\n")).toHaveLength(2);
    expect(await host().ok(["exec", name, "cat", "/proc/self/cgroup"])).not.toContain("below");
    await host().ok(["update", "-m", "32m", name]);
    expect(readFileSync(groupPath(group, "memory"), "utf8")).toBe(`${32 << 20}\n`);
    await host().ok(["pause", name]);
    expect(await statusOf(host(), name)).toBe("paused");
    await host().ok(["unpause", name]);
    expect((await host().rt(["exec", name, "tail", "/dev/zero"])).code).toBe(137);
    expect(await host().ok(["inspect", "-f", "{{.State.OOMKilled}}", name])).toBe("true\n");
    await host().ok(["pause", name]);
    await host().ok(["kill", name]);
    expect(await container.client.exited).toBe(137);
    await until("it is gone", () => groupsOf(id).length === 0);
    await host().ok(["start", name]);
    expect(groupsOf(id).filter((path) => !allBelow(path))).toEqual([]);
    await host().ok(["rm", "-f", name]);
    await until("it is gone", () => groupsOf(id).length === 0);
  }
  removeParents();
});

test("what is limited there holds for all that are in it", async () => {
  await host().ok(["run", "--rm", ...flags, image, "true"]);
  writeFileSync(groupPath(parent, "pids"), "3");
  {
    await using container = await running(host(), ["probe", "bomb"], [...flags, "--pids-limit", "100"]);
    const used = () => readFileSync(groupPath(`${parent}/${container.id}`, "pidsUsed"), "utf8");
    await until("its parent's limit", () => used() === "3\n");
  }
  removeParents();
});

test("a monitor that is killed leaves nothing there, once somebody looks", async () => {
  const id = (await host().ok(["run", "-d", "--name", "lost", ...flags, image, "sleep", "1000"])).trim();
  const monitor = Number(
    /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${await pidOf(host(), "lost")}/status`, "utf8"))?.[1],
  );
  process.kill(monitor, "SIGKILL");
  await until("it is over", async () => (await statusOf(host(), "lost")) === "exited");
  await until("its group is gone", () => groupsOf(id).length === 0);
  await host().ok(["rm", "lost"]);
  removeParents();
});

test("with damaged records what runs is found and ended all the same", async () => {
  const id = (await host().ok(["run", "-d", "--name", "torn", ...flags, image, "sleep", "1000"])).trim();
  writeFileSync(join(host().state, "containers", id, "pid"), "not a number");
  expect(existsSync(groupPath(`${parent}/${id}`, "pids"))).toBe(true);
  expect(await host().ok(["rm", "-f", "torn"])).toBe("torn\n");
  await until("its group is gone", () => groupsOf(id).length === 0);
  removeParents();
});

test("the root as parent; and what is no path", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--cgroup-parent", "/"]);
  expect(groupsOf(container.id).map((path) => basename(dirname(path)))).not.toContain("rt");
  for (const bad of ["/a/../b", "a\nb", `/rt/${"0".repeat(64)}`]) {
    const { stderr, code } = await host().rt(["run", "--rm", "--cgroup-parent", bad, image, "true"]);
    expect([oneLine(stderr), code]).toEqual([expect.stringContaining("invalid --cgroup-parent"), 125]);
  }
});

test("with a cgroup-manager that is not there: a line, and nothing is made", async () => {
  const directory = join(host().env.XDG_CONFIG_HOME!, "rt");
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "config.toml");
  writeFileSync(file, 'cgroup-manager = "systemd"\n');
  try {
    // Where systemd runs it is not seen from here.
    const hidden = `mount -t tmpfs none /run && exec "$0" "$@"`;
    const words = ["-m", "sh", "-c", hidden, rtBinary, "run", "--name", "never", image, "true"];
    const child = Bun.spawn(["unshare", ...words], { env: host().env, stdout: "pipe", stderr: "pipe" });
    const [stderr, code] = [await child.stderr.text(), await child.exited];
    expect([oneLine(stderr), code]).toEqual([
      'cannot start container never: cgroup-manager is "systemd" (in config.toml), and systemd does not run here: there is no /run/systemd/system',
      125,
    ]);
    expect(await host().ok(["ps", "-aq"])).toBe("");
    expect(await host().ok(["info", "--format", "{{.CgroupDriver}}"])).toBe("systemd\n");
  } finally {
    rmSync(file);
  }
});
