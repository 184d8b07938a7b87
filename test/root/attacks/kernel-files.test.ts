/**
 * /proc, /sys and cgroups as a hostile image or program would have them: faked (CVE-2019-16884, CVE-2019-19921,
 * CVE-2023-27561, CVE-2025-52881), unmasked (CVE-2025-31133), or used to leave (CVE-2022-0492).
 */
import { expect } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { run } from "../../support/command.ts";
import { factsNamed } from "../../support/probe.ts";
import { describeTree, treeDifference } from "../../support/tree.ts";
import { patience } from "../../support/wait.ts";
import { directory, file, hostileImage, symlink } from "./hostile.ts";

const { test, host } = containerTests(["getfattr"]);

async function refused(args: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await host().rt(["run", "--rm", ...args]);
  expect([args.join(" "), stdout, code]).toEqual([args.join(" "), "", 125]);
  return oneLine(stderr);
}

for (const place of ["/proc", "/sys"]) {
  const name = place.slice(1);

  test(`an image whose ${place} is a link, a file or a device does not start`, async () => {
    const canary = await plantCanary(host().dir, `canary-${name}`);
    const ways = {
      absolute: symlink(name, canary.dir),
      relative: symlink(name, "real"),
      loop: symlink(name, name),
      file: file(name, ""),
      fifo: { name, type: "6" },
    };
    for (const [way, entry] of Object.entries(ways)) {
      const linked = await hostileImage(host(), `${name}-${way}`, { members: [directory("real"), entry] });
      expect(await refused([linked, "true"])).toContain(
        `mount ${place}: the image has a link or a file there`,
      );
    }
    await canary.check();
  });

  for (const volume of [
    place,
    `${place}/`,
    `/../..${place}`,
    `${place}/self`,
    `/./${name}//kernel`,
    `/x/../${name}`,
  ]) {
    test(`an image with a VOLUME at ${volume} does not start`, async () => {
      const greedy = await hostileImage(host(), `volume-${volume.replaceAll(/[^a-z]+/g, "-")}end`, {
        config: { Volumes: { [volume]: {} } },
      });
      expect(await refused([greedy, "true"])).toContain("the image asks for a volume at");
    });
  }

  test(`a link of the image does not bring a volume to ${place}`, async () => {
    const source = join(host().dir, `fake-${name}`);
    mkdirSync(join(source, "self"), { recursive: true });
    const linked = await hostileImage(host(), `via-${name}`, {
      members: [symlink("data", place), symlink("self", `${place}/self`)],
      config: { Volumes: { "/data": {} } },
    });
    expect(await refused([linked, "true"])).toContain("cannot be covered");
    const mounts = [
      ["-v", `${source}:/data`],
      ["--tmpfs", "/data"],
    ];
    if (place === "/proc")
      mounts.push(["-v", `${source}:/data/sys`], ["-v", `${source}:/self`], ["--tmpfs", "/data/self/attr"]);
    for (const flags of mounts) await refused([...flags, linked, "true"]);
  });

  test(`-v, --mount and --tmpfs at ${place} are refused`, async () => {
    const source = join(host().dir, `over-${name}`);
    mkdirSync(source);
    writeFileSync(join(source, "file"), "");
    const mounts = [
      ["-v", `${source}:${place}`],
      ["--tmpfs", place],
      ["--mount", `type=bind,src=${source},dst=${place}`],
    ];
    if (place === "/proc")
      mounts.push(
        ["-v", `${source}:/proc/sys`],
        ["-v", `${source}/file:/proc/self/attr/current`],
        ["--tmpfs", "/proc/1"],
      );
    for (const flags of mounts) await refused([...flags, image, "true"]);
  });
}

test("what we write there goes through a procfs of our own: sysctls with a hostile /proc below a volume", async () => {
  const source = join(host().dir, "fake-sysctl");
  mkdirSync(join(source, "sys/net/ipv4"), { recursive: true });
  writeFileSync(join(source, "sys/net/ipv4/ip_forward"), "untouched");
  const members = [
    symlink("data", "/proc/sys"),
    directory("proc"),
    directory("proc/sys"),
    file("proc/sys/net", ""),
  ];
  const hostile = await hostileImage(host(), "sysctl", { members });
  const output = await host().ok([
    "run",
    "--rm",
    "--sysctl",
    "net.ipv4.ip_forward=1",
    "-v",
    `${source}:/mnt`,
    hostile,
    "probe",
    "sysctl",
    "net.ipv4.ip_forward",
  ]);
  expect(output).toBe("sysctl net.ipv4.ip_forward 1\n");
  expect(await Bun.file(join(source, "sys/net/ipv4/ip_forward")).text()).toBe("untouched");
});

test("sysctl names that leave /proc/sys are refused", async () => {
  for (const name of [
    "../../../etc/passwd",
    "net/../../kernel/core_pattern",
    "net..ipv4",
    "kernel.core_pattern",
    "net.ipv4/../../kernel.core_pattern",
    "vm.drop_caches",
  ]) {
    const { stdout, stderr, code } = await host().rt(["run", "--rm", "--sysctl", `${name}=1`, image, "true"]);
    expect([name, stdout, code]).toEqual([name, "", 125]);
    oneLine(stderr);
  }
});

const masked = "acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats"
  .split(" ")
  .map((each) => `/proc/${each}`)
  .concat("/sys/firmware", "/sys/devices/virtual/powercap")
  .filter((path) => existsSync(path));

test("masks lie where they should, for an image that has links at each of their places", async () => {
  const canary = await plantCanary(host().dir, "canary-masks");
  const members = [
    directory("proc"),
    directory("sys"),
    ...masked
      .filter((path) => path.split("/").length === 3)
      .map((path) => symlink(path.slice(1), canary.file)),
  ];
  const hostile = await hostileImage(host(), "masks", { members });
  const output = await host().ok(["run", "--rm", hostile, "probe", "stat", ...masked]);
  for (const part of output.split(/^path /m).slice(1)) {
    const [path, ...lines] = part.split("\n");
    const type = factsNamed(part, "type")[0];
    if (type === "c") expect([path, factsNamed(part, "rdev")]).toEqual([path, ["1:3"]]);
    else expect([path, type, lines.includes("fsmagic 0x1021994")]).toEqual([path, "d", true]);
  }
  await canary.check();
});

test("the masks can neither be taken off nor mounted around", async () => {
  const attempts = [
    ["umount", "/proc/keys"],
    ["umount", "/proc/sys"],
    ["remount-rw", "/proc/sys"],
    ["remount-rw", "/sys"],
    ["mount-proc", "/tmp"],
    ["mount-tmpfs", "/tmp"],
    ["mount-cgroup", "/tmp"],
    ["mount-cgroup2", "/tmp"],
    ["setns"],
    ["unshare-mount"],
    ["open-by-handle"],
    ["mknod", "/tmp/disk"],
    ["sethostname"],
    ["socket-raw"],
    ["bpf"],
  ];
  const script = attempts.map((words) => `probe try ${words.join(" ")}`).join("; ");
  const output = await host().ok(["run", "--rm", image, "sh", "-c", script]);
  const ok = output.split("\n").filter((line) => line.endsWith(" ok"));
  expect(ok).toEqual([]);
  expect(factsNamed(output, "try")).toHaveLength(attempts.length);
});

test("a user namespace of its own does not uncover what is masked or writable there", async () => {
  const script = [
    "mkdir -p /tmp/p /tmp/s",
    "busybox unshare -U -r -m -p -f sh -c 'mount -t proc proc /tmp/p && cat /tmp/p/keys; mount -t sysfs s /tmp/s; umount /proc/keys; echo h > /proc/sysrq-trigger; echo end'",
  ].join("; ");
  const { stdout } = await host().rt(["run", "--rm", image, "sh", "-c", script]);
  expect(["end\n", ""]).toContain(stdout);
});

test("no cgroup file can be written, and none has a release_agent to give", async () => {
  for (const flags of [[], ["-u", "1000"]]) {
    const output = await host().ok(["run", "--rm", ...flags, image, "probe", "writable", "/sys/fs/cgroup"]);
    expect(output).toMatch(/^tried [1-9]\d*\n$/);
  }
  await using container = await running(host());
  expect(await host().ok(["exec", container.name, "probe", "writable", "/sys/fs/cgroup"])).toMatch(
    /^tried [1-9]\d*\n$/,
  );
});

test("a cgroup hierarchy mounted in a user namespace of its own has no release_agent", async () => {
  for (const user of ["0", "1000"]) {
    const output = await host().ok([
      "run",
      "--rm",
      "-u",
      user,
      image,
      "probe",
      "try",
      "release-agent",
      "/bin",
    ]);
    expect(output).toMatch(/^try release-agent E(PERM|ACCES|NOENT)\n$/);
  }
});

test("nothing of /proc and /sys that steers the host opens for writing", async () => {
  const paths = [
    "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/panic_on_oom",
    "/sys/kernel/uevent_helper",
    "/sys/power/state",
    "/proc/kcore",
    "/proc/kmem",
  ];
  const script = paths.map((path) => `probe try open-for-write ${path}`).join("; ");
  const output = await host().ok(["run", "--rm", image, "sh", "-c", script]);
  // kcore is the null device now: it opens, and takes nothing.
  const opened = paths.filter((_, index) => output.split("\n")[index] === "try open-for-write ok");
  expect(opened.filter((path) => path !== "/proc/kcore")).toEqual([]);
  const sys = await host().ok([
    "run",
    "--rm",
    image,
    "probe",
    "writable",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/sys/kernel",
    "/sys/module",
  ]);
  expect(factsNamed(sys, "writable")).toEqual([]);
});

/** Files that somebody who trusts the container's /proc would read or write. */
const trusted =
  "attr/exec attr/apparmor/exec attr/keycreate cgroup cwd exe fd/0 ns/mnt oom_score_adj root setgroups status uid_map"
    .split(" ")
    .flatMap((file) => ["self", "thread-self", "1", "2", "3", "4"].map((process) => `${process}/${file}`))
    .concat("filesystems", "mounts", "sys/kernel/cap_last_cap", "sys/kernel/ns_last_pid");

/** A tree that looks like /proc; fifos hold up whoever opens them. */
async function plantLies(name: string): Promise<string> {
  const dir = join(host().dir, `lies-${name}`);
  for (const path of trusted) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    if (name === "files") writeFileSync(join(dir, path), "untouched\n");
  }
  if (name === "fifos") await run(["mkfifo", ...trusted.map((path) => join(dir, path))]);
  return dir;
}

for (const kind of ["files", "fifos"]) {
  test(`an exec neither reads nor writes what a container has mounted over /proc and /sys: ${kind}`, async () => {
    const lies = await plantLies(kind);
    const before = await describeTree(lies);
    const script = "mount --bind /lies /proc; mount --bind /lies /sys; echo ready; exec sleep 1000";
    const flags = ["-v", `${lies}:/lies`, "--cap-add", "SYS_ADMIN"];
    await using container = await running(host(), ["sh", "-c", script], flags);
    await container.client.stdout.waitFor("ready");
    // Whoever trusts it is fooled, or waits.
    const naive = await host().rt([
      "exec",
      container.name,
      "busybox",
      "timeout",
      "1",
      "cat",
      "/proc/1/oom_score_adj",
    ]);
    expect([naive.stdout, naive.code !== 0]).toEqual(kind === "files" ? ["untouched\n", false] : ["", true]);
    for (const more of [[], ["-t"], ["-u", "app"], ["--privileged"], ["-w", "/tmp"], ["-u", "5:7", "-i"]]) {
      const args = ["exec", ...more, container.name, "echo", "in"];
      const { stdout, stderr, code } = await host().rt(args, { stdin: "", timeoutMs: 20_000 * patience });
      expect([more, stdout.trim(), stderr, code]).toEqual([more, "in", "", 0]);
    }
    for (const verb of ["top", "stats --no-stream", "inspect"])
      await host().ok([...verb.split(" "), container.name], { timeoutMs: 20_000 * patience });
    expect(treeDifference(before, await describeTree(lies))).toEqual([]);
  });
}
