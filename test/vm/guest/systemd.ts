/** Containers as units of a real systemd, which is process 1 of the second kernel. Run there by ../systemd.test.ts. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running, statusOf } from "../../cli/world.ts";
import { run } from "../../support/command.ts";
import { until } from "../../support/wait.ts";

const { test, host, beforeAll } = containerTests(["systemctl"]);

beforeAll(() => {
  const directory = join(host().env.XDG_CONFIG_HOME!, "rt");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "config.toml"), 'cgroup-manager = "systemd"\n');
});

const mib = 1 << 20;
const unitOf = ({ id }: { id: string }) => `rt-${id}.scope`;
const groupOf = (container: { id: string }, slice = "system.slice") =>
  join("/sys/fs/cgroup", slice, unitOf(container));
const read = (group: string, file: string) => readFileSync(join(group, file), "utf8").trim();

async function shown(unit: string, ...names: string[]): Promise<Record<string, string>> {
  const text = await run(["systemctl", "show", "--no-pager", unit, ...names.map((name) => `-p${name}`)]);
  return Object.fromEntries(
    text
      .trim()
      .split("\n")
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
}

async function units(): Promise<string[]> {
  const text = await run([
    "systemctl",
    "list-units",
    "--all",
    "--no-pager",
    "--plain",
    "--no-legend",
    "rt-*",
  ]);
  return text.split("\n").flatMap((line) => line.trim().split(" ").slice(0, 1).filter(Boolean));
}

const noUnits = () => until("its units are gone", async () => (await units()).length === 0);

test("a container is a scope with its limits, by systemd's words and by the kernel's, and update changes both", async () => {
  {
    const limits = ["-m", "64m", "--memory-swap", "64m", "--cpus", "0.5", "--pids-limit", "20"];
    await using container = await running(host(), ["sleep", "1000"], limits);
    const [unit, group] = [unitOf(container), groupOf(container)];
    expect(
      await shown(unit, "Slice", "Delegate", "MemoryMax", "MemorySwapMax", "TasksMax", "CPUQuotaPerSecUSec"),
    ).toEqual({
      Slice: "system.slice",
      Delegate: "yes",
      MemoryMax: `${64 * mib}`,
      MemorySwapMax: "0",
      TasksMax: "20",
      CPUQuotaPerSecUSec: "500ms",
    });
    const files = () => ["memory.max", "pids.max", "cpu.max"].map((file) => read(group, file));
    expect(files()).toEqual([`${64 * mib}`, "20", "50000 100000"]);
    // The helper that was the first in it has gone.
    await until("its program is alone", () => read(group, "cgroup.procs").split("\n").length === 1);
    expect(await host().ok(["exec", container.name, "cat", "/proc/self/cgroup"])).toBe("0::/\n");
    await host().ok(["update", "-m", "32m", "--memory-swap", "32m", container.name]);
    expect((await shown(unit, "MemoryMax")).MemoryMax).toBe(`${32 * mib}`);
    await run(["systemctl", "daemon-reload"]);
    expect(files()).toEqual([`${32 * mib}`, "20", "50000 100000"]);
    await host().ok(["pause", container.name]);
    expect(await statusOf(host(), container.name)).toBe("paused");
    await host().ok(["unpause", container.name]);
    expect((await host().rt(["exec", container.name, "tail", "/dev/zero"])).code).toBe(137);
    expect(await host().ok(["inspect", "-f", "{{.State.OOMKilled}}", container.name])).toBe("true\n");
  }
  await noUnits();
});

// systemd removes the group as soon as the kernel says that it is empty, before anybody may have looked. So its monitor is given something
// to look at before: it has looked when it hands on what the program wrote after the kernel had killed. A program that is itself
// killed is a race that it may lose on a host that has no time.
test("want of memory is told apart from a SIGKILL, though systemd removes the group at the end", async () => {
  for (const _ of Array(3)) {
    const script = "tail /dev/zero; echo killed; read line; exit 3";
    await using container = await running(host(), ["sh", "-c", script], ["-i", "-m", "16m"]);
    await container.client.stdout.waitFor("killed\n");
    container.client.write("\n");
    expect(await container.client.exited).toBe(3);
    expect(await host().ok(["inspect", "-f", "{{.State.OOMKilled}}", container.name])).toBe("true\n");
    expect(await host().ok(["why", container.name])).toContain("out of memory");
  }
  await host().ok(["run", "-d", "--name", "killed", "-m", "16m", image, "sleep", "1000"]);
  await host().ok(["kill", "killed"]);
  expect(await host().ok(["inspect", "-f", "{{.State.ExitCode}} {{.State.OOMKilled}}", "killed"])).toBe(
    "137 false\n",
  );
  await host().ok(["rm", "killed"]);
});

test("it is started again under its name, by hand and by its policy", async () => {
  await host().ok(["run", "-d", "--name", "again", "--restart", "on-failure:2", image, "sh", "-c", "exit 3"]);
  const restarts = async () => (await host().ok(["inspect", "-f", "{{.RestartCount}}", "again"])).trim();
  await until("it has been started twice more", async () => (await restarts()) === "2");
  await until("it is over", async () => (await statusOf(host(), "again")) === "exited");
  await host().ok(["rm", "again"]);
  const id = (await host().ok(["run", "-d", "--name", "again", image, "sleep", "1000"])).trim();
  await host().ok(["restart", "-t", "0", "again"]);
  expect(await units()).toEqual([unitOf({ id })]);
  await host().ok(["rm", "-f", "again"]);
  await noUnits();
  expect(existsSync(groupOf({ id }))).toBe(false);
});

test("hooks of the host's namespaces find it in its scope", async () => {
  const directory = host().env.XDG_CONFIG_HOME!;
  const [config, seen] = [join(directory, "hooks.toml"), join(directory, "seen")];
  const args = [
    "sh",
    "-c",
    `cat >${seen}; cat /proc/$(grep -o '"pid":[0-9]*' ${seen} | cut -d: -f2)/cgroup >>${seen}`,
  ];
  const hook = `{ path = "/bin/sh", args = ${JSON.stringify(args)} }`;
  writeFileSync(
    config,
    `cgroup-manager = "systemd"\n[[hooks]]\nwhen = { always = true }\nstages = ["createRuntime"]\nhook = ${hook}\n`,
  );
  expect(await host().ok(["run", "--rm", "--config", config, image, "echo", "there"])).toBe("there\n");
  expect(readFileSync(seen, "utf8")).toMatch(
    /"status":"creating".*0::\/system\.slice\/rt-[0-9a-f]{64}\.scope\n$/s,
  );
  await noUnits();
});

test("systemd ends it, within its stop-timeout, and that is how it ends", async () => {
  const flags = ["-d", "--name", "ended", "--stop-timeout", "1"];
  const id = (await host().ok(["run", ...flags, image, "sleep", "1000"])).trim();
  expect((await shown(unitOf({ id }), "TimeoutStopUSec")).TimeoutStopUSec).toBe("1s");
  await run(["systemctl", "stop", unitOf({ id })]);
  await until("it is over", async () => (await statusOf(host(), "ended")) === "exited");
  await host().ok(["rm", "ended"]);
});

test("--cgroup-parent is a slice; what is none is said in a line, and nothing is made", async () => {
  {
    await using container = await running(host(), ["sleep", "1000"], ["--cgroup-parent", "work-web.slice"]);
    expect(read(groupOf(container, "work.slice/work-web.slice"), "pids.current")).toBe("1");
    expect((await shown(unitOf(container), "Slice")).Slice).toBe("work-web.slice");
  }
  for (const bad of ["/a/b", "/other.slice/work-web.slice", "/", "-.slice"]) {
    const { stderr, code } = await host().rt([
      "run",
      "--name",
      "never",
      "--cgroup-parent",
      bad,
      image,
      "true",
    ]);
    expect([oneLine(stderr), code]).toEqual([expect.stringContaining("invalid --cgroup-parent"), 125]);
  }
  const none = await host().rt(["run", "--name", "never", image, "/no/such"]);
  expect([oneLine(none.stderr), none.code]).toEqual([expect.stringContaining("/no/such"), 127]);
  await noUnits();
  // One that nobody named in a file goes when it is stopped, not with its last unit.
  await run(["systemctl", "stop", "work.slice"]);
  await until("it is gone", () => !existsSync("/sys/fs/cgroup/work.slice"));
  expect(await host().ok(["info", "--format", "{{.CgroupDriver}}"])).toBe("systemd\n");
});
