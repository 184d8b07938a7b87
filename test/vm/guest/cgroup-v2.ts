/** Containers on a host that has cgroup v2 and nothing else. Run in the second kernel by ../cgroups.test.ts. */
import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  containerId,
  containerTests,
  image,
  nothingLeft,
  pidOf,
  type Running,
  running,
} from "../../cli/world.ts";
import { hostileImage } from "../../root/attacks/hostile.ts";
import { run } from "../../support/command.ts";
import { whereThere } from "../../support/leaks.ts";
import { facts, factsNamed } from "../../support/probe.ts";
import { until } from "../../support/wait.ts";

const { test, host } = containerTests(["strace", "unshare"]);

const hierarchy = "/sys/fs/cgroup";
const mib = 1 << 20;

const groupOf = ({ id }: { id: string }) => join(hierarchy, "rt", id);
const read = (container: { id: string }, file: string) =>
  readFileSync(join(groupOf(container), file), "utf8").trim();
const limit = (container: { id: string }, file: string, value: string) =>
  writeFileSync(join(groupOf(container), file), value);
const inside = (container: Running, ...command: string[]) => host().rt(["exec", container.name, ...command]);

test("a container has a group of its own, with every controller, and its program alone is in it", async () => {
  await using container = await running(host());
  expect(read(container, "cgroup.procs")).toBe(`${await pidOf(host(), container.name)}`);
  expect(read(container, "cgroup.controllers")).toBe("cpu io memory pids");
  expect(readFileSync(join(hierarchy, "rt/cgroup.procs"), "utf8")).toBe("");
  expect(Number(read(container, "memory.current"))).toBeGreaterThan(0);
  expect(read(container, "pids.current")).toBe("1");
});

test("it sees that group as the root, read-only, and nothing of the host's", async () => {
  const script =
    "cat /proc/self/cgroup /sys/fs/cgroup/cgroup.procs; ls /sys/fs/cgroup; grep cgroup /proc/mounts";
  const output = await host().ok(["run", "--rm", image, "sh", "-c", script]);
  // The shell, and cat itself.
  expect(output).toMatch(/^0::\/\n1\n\d+\n/);
  const files = output.trim().split("\n");
  expect(files).toContain("memory.max");
  expect(files).not.toContain("rt");
  expect(files.at(-1)).toMatch(/^cgroup2? \/sys\/fs\/cgroup cgroup2 ro,nosuid,nodev,noexec,/);
});

test("it is born in its group: nobody is moved there, by run or by exec", async () => {
  const trace = join(host().dir, "trace");
  const traced = (...args: string[]) =>
    run(["strace", "-f", "-qq", "-e", "trace=clone3,openat", "-o", trace, process.env.RT_BINARY!, ...args], {
      env: host().env,
    });
  await using container = await running(host());
  for (const args of [
    ["run", "--rm", image, "true"],
    ["exec", container.name, "true"],
  ]) {
    await traced(...args);
    const calls = readFileSync(trace, "utf8");
    expect(calls).toMatch(/clone3\(\{flags=[^}]*CLONE_INTO_CGROUP.* (= [1-9]\d*|<unfinished \.\.\.>)\n/);
    expect(calls).not.toContain("cgroup.procs");
  }
});

test("exec and its children are in the container's group, and see it as the root", async () => {
  await using container = await running(host());
  const { stdout } = await inside(container, "sh", "-c", "probe cgroup; (probe cgroup)");
  expect(factsNamed(stdout, "cgroup")).toEqual(["0::/", "0::/"]);
  const client = host().spawn(["exec", container.name, "sleep", "1000"]);
  await until("two are in the group", () => read(container, "pids.current") === "2");
  expect(read(container, "cgroup.procs").split("\n")).toHaveLength(2);
  client.kill("SIGKILL");
  await client.exited;
});

test("a limit on processes holds for everything in the container", async () => {
  await using container = await running(host());
  limit(container, "pids.max", "4");
  const { stdout, code } = await inside(
    container,
    "sh",
    "-c",
    "sleep 9 & sleep 9 & sleep 9 & sleep 9 & wait",
  );
  expect([stdout, code]).toEqual(["", 2]);
  expect(read(container, "pids.events")).toMatch(/^max [1-9]/);
});

const eat = "x=0123456789abcdef; while :; do x=$x$x; done";

test("a child that takes too much memory is killed; the container lives on", async () => {
  await using container = await running(host());
  limit(container, "memory.max", "16M");
  const { code } = await inside(container, "sh", "-c", eat);
  expect(code).toBe(137);
  expect(read(container, "memory.events")).toMatch(/^oom_kill 1$/m);
  expect((await inside(container, "echo", "alive")).stdout).toBe("alive\n");
  expect(await host().ok(["inspect", "-f", "{{.State.OOMKilled}}", container.name])).toBe("true\n");
});

test("a program that takes too much memory is killed, and nothing of it is left", async () => {
  const client = host().spawn(["run", "--rm", "-i", "--name", "hungry", image, "sh", "-c", `read x; ${eat}`]);
  const id = await containerId(host(), "hungry", client);
  limit({ id }, "memory.max", "16M");
  client.write("go\n");
  expect(await client.exited).toBe(137);
  await nothingLeft(host(), [id]);
});

test("want of memory is told apart from a SIGKILL, with the limit and the peak", async () => {
  const script = `read x; ${eat}`;
  const client = host().spawn(["run", "-i", "--name", "short", image, "sh", "-c", script]);
  const id = await containerId(host(), "short", client);
  limit({ id }, "memory.max", "16M");
  client.write("go\n");
  expect(await client.exited).toBe(137);
  expect(await host().ok(["inspect", "-f", "{{.State.OOMKilled}}", id])).toBe("true\n");
  expect(await host().ok(["why", "short"])).toMatch(
    /\n {2}out of memory: the kernel killed one of its processes; its limit is 16 MiB(, the most in use was 1[56])?/,
  );
  await host().ok(["rm", "short"]);
  await using container = await running(host());
  await host().ok(["kill", container.name]);
  await container.client.exited;
  expect(await host().ok(["inspect", "-f", "{{.State.OOMKilled}}", container.name])).toBe("false\n");
});

test("a disk reads and writes a second's worth in a second, until that is changed", async () => {
  const backing = join(host().dir, "disk");
  writeFileSync(backing, Buffer.alloc(3 * mib, "x"));
  const disk = (await run(["busybox", "losetup", "-f"])).trim();
  await run(["busybox", "losetup", disk, backing]);
  try {
    const limits = ["read-bps:1mb", "write-bps:1mb", "read-iops:500", "write-iops:600"].flatMap((each) => {
      const [what, rate] = each.split(":");
      return [`--device-${what}`, `${disk}:${rate}`];
    });
    await using container = await running(host(), ["sleep", "1000"], ["--device", disk, ...limits]);
    expect(read(container, "io.max")).toMatch(/^7:\d+ rbps=1048576 wbps=1048576 riops=500 wiops=600$/);
    const rate = async (...words: string[]) => {
      const started = performance.now();
      await host().ok(["exec", container.name, "dd", "bs=131072", "count=24", ...words]);
      return (3 * mib) / ((performance.now() - started) / 1000);
    };
    const reading = [`if=${disk}`, "of=/dev/null", "iflag=direct"];
    const slow = await rate(...reading);
    // What the kernel lets through at once is a part of the first second's.
    expect(slow).toBeLessThan(1.6 * mib);
    expect(await rate("if=/dev/zero", `of=${disk}`, "oflag=direct")).toBeLessThan(1.6 * mib);
    expect(read(container, "io.stat")).toContain(`rbytes=${3 * mib} wbytes=${3 * mib} `);
    await host().ok(["update", "--device-read-bps", `${disk}:1gb`, container.name]);
    expect(await rate(...reading)).toBeGreaterThan(slow);
  } finally {
    await run(["busybox", "losetup", "-d", disk]);
  }
});

test("a group that the host kills as a whole ends like a killed container", async () => {
  await using container = await running(host(), ["sh", "-c", "sleep 1000 & sleep 1000 & wait"], ["--rm"]);
  await until("all three run", () => read(container, "pids.current") === "3");
  limit(container, "cgroup.kill", "1");
  expect(await container.client.exited).toBe(137);
  await nothingLeft(host(), [container.id]);
});

for (const command of [["kill"], ["rm", "-f"]]) {
  test(`\`${command.join(" ")}\` ends a container that the host has frozen`, async () => {
    await using container = await running(host());
    limit(container, "cgroup.freeze", "1");
    await until("it is frozen", () => read(container, "cgroup.events").includes("frozen 1"));
    await host().ok([...command, container.name]);
    expect(await container.client.exited).toBe(137);
  });
}

const nest = (script: string) => ["run", "--rm", "--privileged", image, "sh", "-c", script];

test("groups that a privileged container made go with it, with who is in them", async () => {
  const before = groups();
  const script = `cd /sys/fs/cgroup; mkdir a b b/c
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do mkdir a/$i; done
    sleep 1000 & echo $! >b/c/cgroup.procs; echo $$ >a/1/cgroup.procs; cat a/1/cgroup.procs; exit 3`;
  const { stdout, code } = await host().rt(nest(script));
  expect([stdout.split("\n")[0], code]).toEqual(["1", 3]);
  await goneBut(before);
});

test("however deep they are", async () => {
  const before = groups();
  await host().ok(nest("cd /sys/fs/cgroup; for i in $(seq 60); do mkdir deep && cd deep || exit 1; done"));
  await goneBut(before);
});

test("no file of the hierarchy can be written, and none of another can be mounted over it", async () => {
  const attempts = ["remount-rw /sys/fs/cgroup", "mount-cgroup", "mount-cgroup2", "umount /sys/fs/cgroup"];
  const script = ["probe writable /sys/fs/cgroup", ...attempts.map((each) => `probe try ${each}`)].join("; ");
  for (const flags of [[], ["-u", "app"], ["--cap-add", "NET_ADMIN"]]) {
    const output = await host().ok(["run", "--rm", ...flags, image, "sh", "-c", script]);
    expect(factsNamed(output, "writable")).toEqual([]);
    expect(Number(facts(output).get("tried"))).toBeGreaterThan(10);
    expect(factsNamed(output, "try")).toEqual(attempts.map((each) => `${each.split(" ")[0]} EPERM`));
  }
});

test("a user namespace of the program's own gives no way to raise the limits that it runs under", async () => {
  const binds = ["/lib64", "/lib/x86_64-linux-gnu"].filter((path) => existsSync(path));
  const flags = [
    ...binds.flatMap((path) => ["-v", `${path}:${path}:ro`]),
    "-v",
    "/usr/bin/unshare:/real-unshare:ro",
  ];
  await using container = await running(host(), ["sleep", "1000"], flags);
  limit(container, "memory.max", "64M");
  limit(container, "pids.max", "100");
  const script = `mkdir -p /m; mount -t cgroup2 none /m && echo mounted
    echo max >/m/memory.max; echo max >/m/pids.max; echo 1 >/m/cgroup.kill; echo 0 >/m/../cgroup.procs; ls /m/release_agent`;
  await inside(container, "/real-unshare", "-UrmC", "sh", "-c", `{ ${script}; } 2>/dev/null`);
  expect([read(container, "memory.max"), read(container, "pids.max")]).toEqual([`${64 << 20}`, "100"]);
  expect((await inside(container, "echo", "alive")).stdout).toBe("alive\n");
});

test("a device that a layer brings does not open: the root is nodev", async () => {
  const nodes = [
    { name: "null", type: "3", mode: 0o666, device: { major: 1, minor: 3 } },
    { name: "disk", type: "4", mode: 0o666, device: { major: 98, minor: 0 } },
  ];
  const bringing = await hostileImage(host(), "nodes", { members: nodes });
  const script =
    "probe stat /null; probe try open-for-read /null; probe try open-for-read /disk; cat /dev/null";
  const output = await host().ok(["run", "--rm", bringing, "sh", "-c", script]);
  expect(output).toContain("1:3");
  expect(factsNamed(output, "try")).toEqual(["open-for-read EACCES", "open-for-read EACCES"]);
});

test("device rules are a program: where the kernel takes none, CAP_MKNOD and half a device are warned about, each in one line", async () => {
  const asked = ["--cap-add", "MKNOD", "--device", "/dev/null:/dev/x:r"];
  expect(await refusing(undefined, asked)).toEqual(["", "", 0]);
  const line = (why: string) => `rt: [^\\n]*no device rules that hold [^\\n]*${why}[^\\n]*\\n`;
  const lines = new RegExp(`^${line("with CAP_MKNOD")}${line("for reading or for writing alone")}$`);
  expect(await refusing("EPERM", asked)).toEqual(["", expect.stringMatching(lines), 0]);
  expect(await refusing("ENOSYS", [])).toEqual(["", "", 0]);
});

/** `rt run`, of which bpf(2) fails. */
async function refusing(errno: string | undefined, flags: readonly string[]) {
  const inject = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=bpf", "-e", `inject=bpf:error=${errno}`];
  const words = [process.env.RT_BINARY!, "run", "--rm", ...flags, image, "true"];
  const command = errno ? ["strace", ...inject, ...words] : words;
  const child = Bun.spawn(command, { env: host().env, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return [stdout, stderr, await child.exited];
}

test("twenty at once, each in its own group with its own status", async () => {
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      host().rt(["run", "--rm", image, "sh", "-c", `cat /proc/self/cgroup; exit ${index}`], {
        timeoutMs: 80_000,
      }),
    ),
  );
  expect(results.map(({ stdout, stderr, code }) => [stdout, stderr, code])).toEqual(
    results.map((_, index) => ["0::/\n", "", index]),
  );
});

const places: [what: string, prepare: string][] = [
  ["no cgroups at all", "umount /sys/fs/cgroup"],
  ["cgroups that it may only read", "mount -o remount,bind,ro /sys/fs/cgroup"],
];

for (const [what, prepare] of places) {
  test(`a host with ${what} runs containers without a group of their own`, async () => {
    const args = `run --rm ${image} probe exit 7`;
    const script = `${prepare} && exec "$RT_BINARY" ${args}`;
    const child = Bun.spawn(["unshare", "-m", "sh", "-c", script], {
      env: { ...host().env, RT_BINARY: process.env.RT_BINARY! },
      stderr: "pipe",
    });
    expect(await child.stderr.text()).toBe("");
    expect(await child.exited).toBe(7);
  });
}

test("inside a group of somebody else, who is in it: the container's is below that, without controllers", async () => {
  const outer = join(hierarchy, "outer");
  const script = `mkdir ${outer} && echo $$ >${outer}/cgroup.procs && exec unshare -mC sh -ec '
    umount ${hierarchy}; mount -t cgroup2 cgroup2 ${hierarchy}
    "$RT_BINARY" run --rm ${image} sh -c "cat /proc/self/cgroup /sys/fs/cgroup/cgroup.controllers"
    cat ${hierarchy}/cgroup.type; rmdir ${hierarchy}/rt'`;
  const env = { ...host().env, RT_BINARY: process.env.RT_BINARY! };
  expect(await run(["sh", "-c", script], { env })).toBe("0::/\ndomain\n");
  rmdirSync(outer);
});

test("with a limit that is asked for, who is in it moves aside, and the container's group has what it needs", async () => {
  const outer = join(hierarchy, "outer");
  const show = "cd /sys/fs/cgroup; cat memory.max pids.max cpu.max";
  const script = `mkdir ${outer} && echo $$ >${outer}/cgroup.procs && exec unshare -mC sh -ec '
    umount ${hierarchy}; mount -t cgroup2 cgroup2 ${hierarchy}
    "$RT_BINARY" run --rm -m 64m --pids-limit 9 --cpus 0.5 ${image} sh -c "${show}"
    "$RT_BINARY" run -d --name later ${image} sleep 1000 >/dev/null
    "$RT_BINARY" update -m 32m later >/dev/null; "$RT_BINARY" exec later cat /sys/fs/cgroup/memory.max
    "$RT_BINARY" rm -f later >/dev/null
    cat ${hierarchy}/cgroup.procs ${hierarchy}/cgroup.type; rmdir ${hierarchy}/rt'`;
  const env = { ...host().env, RT_BINARY: process.env.RT_BINARY! };
  const said = await run(["sh", "-c", script], { env });
  expect(said).toBe(`${64 << 20}\n9\n50000 100000\n${32 << 20}\ndomain\n`);
  // What has just ended is counted a moment longer than it is listed.
  for (const group of [join(outer, "init"), outer])
    await until(`${group} goes`, () => {
      try {
        rmdirSync(group);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
        return false;
      }
    });
});

/** The monitor may be removing them yet when its client has ended. */
async function goneBut(before: string[]): Promise<void> {
  await until("its groups are gone", () => Bun.deepEquals(groups(), before)).catch(() => {
    expect(groups()).toEqual(before);
  });
}

/** Every group of the machine. */
function groups(): string[] {
  const walk = (path: string): string[] =>
    whereThere(() => readdirSync(path, { withFileTypes: true }), []) // a group may go while we look
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => [join(path, name), ...walk(join(path, name))]);
  return walk(hierarchy);
}

// Here the kernel's counters are exact (test/support/memory.ts): what it was at its largest, while it made the container.
test("a monitor was never larger than 512 KiB, from its first moment", async () => {
  const id = (
    await host().ok(["run", "-d", "--name", "small", "--restart=always", image, "sleep", "1000"])
  ).trim();
  const pid = /^monitor (\d+)/m.exec(readFileSync(join(host().state, "containers", id, "pid"), "utf8"))![1];
  const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  expect(peak).toBeGreaterThan(100);
  expect(peak).toBeLessThan(512);
  await host().ok(["rm", "-f", "small"]);
});
