/** rt in a container of rt's: with all that it needs, with less, and what holds for the outer one holds for all inside. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, type Running, running, statusOf } from "../cli/world.ts";
import { groupCount, groupValue, isUnified } from "../support/groups.ts";
import { busyboxLayout } from "../support/images.ts";
import { cgroupDirectories } from "../support/leaks.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests();

const mib = 1 << 20;

/** A container in which rt finds its image, a place for its store, and no network. */
async function outer(flags: readonly string[]): Promise<Running> {
  const mounts = [`${rtBinary}:/bin/rt:ro`, `${await busyboxLayout()}:/layout:ro`, "/var/lib/rt"];
  const volumes = mounts.flatMap((each) => ["-v", each]);
  const container = await running(
    host(),
    ["sleep", "1000"],
    [...flags, ...volumes, "--init", "-e", "RT_NETWORK=none"],
  );
  await host().ok(["exec", container.name, "rt", "pull", "-q", "oci:/layout"]);
  return container;
}

const inside = (container: Running, ...args: string[]) => host().rt(["exec", container.name, "rt", ...args]);

async function insideOk(container: Running, ...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await inside(container, ...args);
  if (code !== 0) throw new Error(`rt ${args.join(" ")} ended with ${code} inside: ${stderr}`);
  return stdout;
}

const groupsBelow = ({ id }: Running) => cgroupDirectories().filter((path) => path.includes(`/${id}/`));

test("in a privileged one it does all that it does outside, and its end leaves nothing", async () => {
  const container = await outer(["--privileged"]);
  {
    await using _ = container;
    expect(await insideOk(container, "run", "--rm", image, "echo", "fine")).toBe("fine\n");
    const limits = ["-m", "64m", "--memory-swap", "64m", "--pids-limit", "30", "--cpus", "0.5"];
    await insideOk(container, "run", "-d", "--name", "inner", ...limits, image, "sleep", "1000");
    const usage = ["stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "inner"];
    expect(await insideOk(container, ...usage)).toMatch(/ \/ 64MiB 1\n$/);
    await insideOk(container, "update", "-m", "32m", "--memory-swap", "32m", "inner");
    expect((await inside(container, "exec", "inner", "tail", "/dev/zero")).code).toBe(137);
    expect(await insideOk(container, "inspect", "-f", "{{.State.OOMKilled}}", "inner")).toBe("true\n");
    await insideOk(container, "pause", "inner");
    expect(await insideOk(container, "ps", "--format", "{{.Status}}")).toContain("(Paused)");
    await insideOk(container, "unpause", "inner");
    // Its groups are below the outer one's.
    expect(groupsBelow(container).length).toBeGreaterThan(0);
    await insideOk(container, "rm", "-f", "inner");
    await insideOk(container, "run", "-d", image, "sleep", "1000");
  }
  await until("all its groups are gone", () => groupsBelow(container).length === 0);
});

test("the outer one's limits hold for what is inside, which has none of its own", async () => {
  await using container = await outer([
    "--privileged",
    "-m",
    "96m",
    "--memory-swap",
    "96m",
    "--pids-limit",
    "80",
  ]);
  expect((await inside(container, "run", "--rm", image, "tail", "/dev/zero")).code).toBe(137);
  // On v1 the group counts that the process was in.
  if (isUnified) expect(groupCount(container, "memoryEvents", "oom_kill")).toBeGreaterThan(0);
  await insideOk(container, "run", "-d", "--name", "bomb", "--pids-limit", "-1", image, "probe", "bomb");
  await until("the outer one's limit", () => groupValue(container, "pidsUsed") === "80");
  expect(await host().ok(["run", "--rm", image, "echo", "fine"])).toBe("fine\n");
  // Nobody can be started in it until it has room again.
  await host().ok(["update", "--pids-limit", "200", "-m", "128m", "--memory-swap", "128m", container.name]);
  expect(groupValue(container, "memory")).toBe(`${128 * mib}`);
});

test("the outer one stands still, and what is inside with it", async () => {
  await using container = await outer(["--privileged"]);
  const count = "i=0; while :; do i=$((i+1)); echo $i >/count; done";
  await insideOk(container, "run", "-d", "--name", "counts", "-m", "64m", image, "sh", "-c", count);
  const counted = () => insideOk(container, "exec", "counts", "cat", "/count");
  await until("it counts", async () => Number(await counted()) > 10);
  await host().ok(["pause", container.name]);
  expect(await statusOf(host(), container.name)).toBe("paused");
  const still = groupsBelow(container).flatMap(freezing);
  expect(still.length).toBeGreaterThan(0);
  expect(new Set(still)).toEqual(new Set([true]));
  await host().ok(["unpause", container.name]);
  const before = Number(await counted());
  await until("it goes on", async () => Number(await counted()) > before);
});

/** Does all in a group stand still, by the hierarchies that can say so? */
function freezing(group: string): boolean[] {
  if (existsSync(join(group, "freezer.state")))
    return [/^FROZEN/.test(readFileSync(join(group, "freezer.state"), "latin1"))];
  if (!isUnified) return [];
  return [/^frozen 1$/m.test(readFileSync(join(group, "cgroup.events"), "latin1"))];
}

const some = ["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"];

test("with the capabilities, and no filter, it runs what has no limits; what cannot be had is said in a line", async () => {
  await using container = await outer([...some, "--security-opt", "seccomp=unconfined"]);
  expect(await insideOk(container, "run", "--rm", image, "echo", "fine")).toBe("fine\n");
  for (const flags of [
    ["-m", "64m"],
    ["--pids-limit", "9"],
    ["--cpus", "0.5"],
  ]) {
    const { stderr, code } = await inside(container, "run", "--name", "never", ...flags, image, "true");
    expect([oneLine(stderr), code]).toEqual([
      expect.stringMatching(/^--\S+: the \w+ cgroups of this host can only be read here$/),
      125,
    ]);
  }
  expect(await insideOk(container, "ps", "-aq")).toBe("");
  await insideOk(container, "run", "-d", "--name", "stays", image, "sleep", "1000");
  const { stderr, code } = await inside(container, "pause", "stays");
  expect([oneLine(stderr), code]).toEqual([
    "container stays cannot stand still: it has no cgroup of its own, as those of this host can only be read here",
    1,
  ]);
  expect(await insideOk(container, "rm", "-f", "stays")).toBe("stays\n");
});

test("with less it says what it needs", async () => {
  for (const flags of [[], ["--cap-add", "SYS_ADMIN"], some]) {
    await using container = await outer(flags);
    const { stderr, code } = await inside(container, "run", "--rm", image, "true");
    expect(oneLine(stderr)).toMatch(/: a container that rt is to run in needs --privileged$/);
    expect(code).toBe(125);
  }
});
