/** A container with a user namespace of its own has everything that another one has, and its numbers are the host's nowhere. */
import { expect } from "bun:test";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../cli/world.ts";
import { facts, factsNamed } from "../support/probe.ts";

const { test, host } = containerTests();

const maps = ["--uidmap", "0:100000:65536"];
const run = (flags: readonly string[], ...command: string[]) =>
  host().ok(["run", "--rm", "--network", "none", ...flags, image, ...command]);

/** Where something is mounted, and how, but for nodes that are not made but bound. */
function mountsIn(output: string): string[] {
  return factsNamed(output, "mount")
    .map((line) => line.split(" ").slice(0, 3).join(" "))
    .filter((line) => !/^\/dev\/(null|zero|full|random|urandom|tty) /.test(line))
    .map((line) =>
      line.replace(/^(\/proc\/(keys|interrupts|timer_list|kcore|sched_debug|latency_stats) \w+) .*/, "$1"),
    )
    .map((line) => line.replace(/(,relatime)$/, ""))
    .sort();
}

test("what is mounted, limited and allowed is what others have", async () => {
  expect(mountsIn(await run(maps, "probe", "mounts"))).toEqual(mountsIn(await run([], "probe", "mounts")));
  for (const command of ["caps", "rlimits", "cgroup", "fds", "cwd", "hostname"]) {
    const flags = ["--hostname", "same", "--ulimit", "nofile=1000:2000", "--ulimit", "memlock=-1:-1"];
    const [own, others] = [
      await run([...flags, ...maps], "probe", command),
      await run(flags, "probe", command),
    ];
    const known = (output: string) => output.replaceAll(/[0-9a-f]{64}|\[\d+\]|\d{9,}/g, "…");
    expect([command, known(own)]).toEqual([command, known(others)]);
  }
});

test("everything in it belongs to its root, and on the host to the number of that", async () => {
  const ids = facts(await run(maps, "probe", "ids"));
  expect([ids.get("uid_map"), ids.get("gid_map"), ids.get("uid")]).toEqual([
    "0 100000 65536",
    "0 100000 65536",
    "0",
  ]);
  const places =
    "/ /etc /etc/hosts /etc/hostname /etc/resolv.conf /dev /dev/null /dev/pts /dev/shm /dev/mqueue /bin/busybox".split(
      " ",
    );
  expect((await run(maps, "stat", "-c", "%u:%g", ...places)).trim().split("\n")).toEqual(
    places.map(() => "0:0"),
  );
  await using container = await running(host(), ["sleep", "1000"], maps);
  await host().ok([
    "exec",
    container.name,
    "sh",
    "-c",
    "mkdir /new; touch /new/file; chown 1000:5 /new/file; echo >> /etc/hosts",
  ]);
  const active = join(host().root, "snapshots/overlay/active");
  const upper = join(active, readdirSync(active).find((name) => name.includes(container.id))!, "upper");
  const [directory, file] = [statSync(join(upper, "new")), statSync(join(upper, "new/file"))];
  expect([directory.uid, directory.gid, file.uid, file.gid]).toEqual([100_000, 100_000, 101_000, 100_005]);
});

test("an exec has the same numbers, groups, terminal and streams", async () => {
  await using container = await running(host(), ["sleep", "1000"], maps);
  const exec = (...words: string[]) => host().ok(["exec", ...words]);
  expect(facts(await exec(container.name, "probe", "ids")).get("uid_map")).toBe("0 100000 65536");
  expect(await exec(container.name, "sh", "-c", "echo out > /dev/stdout")).toBe("out\n");
  expect(await exec("-u", "1000", container.name, "sh", "-c", "echo out > /dev/stdout")).toBe("out\n");
  expect(await exec("-t", container.name, "stat", "-c", "%u:%g", "/dev/pts/0")).toBe("0:5\r\n");
  expect(await exec("-u", "1000:5", container.name, "id", "-G")).toBe("5\n");
  const links = (pid: string) =>
    exec(container.name, "sh", "-c", `for each in /proc/${pid}/ns/*; do readlink $each; done`);
  expect(await links("self")).toBe(await links("1"));
});

test("terminals, an init, clocks, sysctls, modes and namespaces of others go with it", async () => {
  expect(await run([...maps, "-t"], "stat", "-c", "%u:%g", "/dev/console")).toBe("0:5\r\n");
  expect(await run([...maps, "--init"], "sh", "-c", "echo $$")).toBe("2\n");
  const uptime = await run([...maps, "--time-offset", "boottime=1000000"], "cat", "/proc/uptime");
  expect(Number.parseFloat(uptime)).toBeGreaterThan(1_000_000);
  expect(await run([...maps, "--sysctl", "kernel.shmmax=123456"], "cat", "/proc/sys/kernel/shmmax")).toBe(
    "123456\n",
  );
  expect((await run(maps, "cat", "/proc/sys/net/ipv4/ping_group_range")).split(/\s+/)).toEqual([
    "0",
    "65535",
    "",
  ]);
  expect(await run([...maps, "--pid", "host"], "sh", "-c", "test -d /proc/1 && echo $$")).not.toBe("1\n");
  expect(await run([...maps, "--ipc", "host", "--uts", "host"], "stat", "-fc", "%t", "/dev/mqueue")).toBe(
    "19800202\n",
  );
  expect(
    await host().ok(["run", "--rm", "--network", "host", ...maps, image, "ls", "/sys/class/net"]),
  ).toContain("lo");
  const written = await host().rt(["run", "--rm", "--read-only", ...maps, image, "touch", "/x"]);
  expect([written.code, written.stderr]).toEqual([1, "touch: /x: Read-only file system\n"]);
  await using other = await running(host(), ["sleep", "1000"], ["--ipc", "shareable"]);
  for (const mode of ["pid", "network", "ipc", "uts"].map((kind) => [
    `--${kind}`,
    `container:${other.name}`,
  ])) {
    const flags = mode[0] === "--network" ? mode : ["--network", "none", ...mode];
    const output = await host().ok(["run", "--rm", ...flags, ...maps, image, "probe", "ids"]);
    expect([mode, facts(output).get("uid_map")]).toEqual([mode, "0 100000 65536"]);
  }
});

test("a volume has the numbers that it has, those that are asked for, or goes to the user", async () => {
  const volume = join(host().dir, "volume");
  mkdirSync(volume);
  writeFileSync(join(volume, "file"), "");
  const owners = (flags: readonly string[], option = "") =>
    run([...maps, ...flags, "-v", `${volume}:/v${option}`], "stat", "-c", "%u:%g", "/v", "/v/file");
  expect(await owners([])).toBe("65534:65534\n65534:65534\n");
  expect(await owners([], ":idmap=uids=0-100007-1;gids=0-100008-1")).toBe("7:8\n7:8\n");
  expect(await owners(["-u", "5:6"], ":U")).toBe("5:6\n5:6\n");
  expect([statSync(volume).uid, statSync(volume).gid]).toEqual([100_005, 100_006]);
});

test("who is nobody in it is told in one line", async () => {
  const small = ["--uidmap", "0:100000:10", "--gidmap", "0:200000:6"];
  const cases: [string[], string][] = [
    [["-u", "10"], "the program is to be user 10, who is not in the container's map"],
    [["-u", "5:6"], "the program is to be group 6, who is not in the container's map"],
    [
      ["--group-add", "4000"],
      "gid 4000 is nobody in the container's user namespace, whose gid_map is 0 200000 6",
    ],
  ];
  for (const [flags, wanted] of cases) {
    const { stderr, code } = await host().rt(["run", "--rm", ...small, ...flags, image, "true"]);
    expect([flags, code]).toEqual([flags, 125]);
    oneLine(stderr);
    expect(stderr).toContain(wanted);
  }
  expect(await run([...small, "-u", "9:5"], "id", "-u")).toBe("9\n");
  // What only the image says is not asked for.
  expect(await run(small, "id", "-u")).toBe("0\n");
  await using container = await running(host(), ["sleep", "1000"], small);
  for (const who of ["10", "5:6"]) {
    const { stderr, code } = await host().rt(["exec", "-u", who, container.name, "true"]);
    expect([who, code, oneLine(stderr)]).toEqual([
      ...[who, 125],
      // With the map where it could be read.
      expect.stringMatching(/nobody( has that number)? in the container's user namespace/),
    ]);
  }
});
