/**
 * What the program is kept from: a fake /proc or /sys (CVE-2019-16884; images of that kind are in kernel-files), cgroups
 * (CVE-2022-0492), devices, masks, the host's terminal, abstract sockets (CVE-2020-15257), programs of the image that
 * the engine might run (CVE-2019-14271, CVE-2022-1227), the store (CVE-2021-41091), and the sight of processes of ours.
 */
import { expect } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { containerTests, image, oneLine, pidOf, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { run } from "../../support/command.ts";
import { openDescriptors } from "../../support/leaks.ts";
import { facts, factsNamed, probeBinary } from "../../support/probe.ts";
import { openPty } from "../../support/pty.ts";
import { tool } from "../../support/root.ts";
import { rtBinary } from "../../support/rt.ts";
import { directory, file, hostileImage } from "./hostile.ts";

const { test, host } = containerTests(["getfattr", "setpriv", "bash", "unshare"]);

/** What the kernel answers to one forbidden call. */
async function attempt(what: readonly string[], flags: readonly string[] = []): Promise<string> {
  const output = await host().ok(["run", "--rm", ...flags, image, "probe", "try", ...what]);
  return facts(output.replaceAll("\r", "")).get("try")!.split(" ").at(-1)!;
}

test("a mount of the user's or a VOLUME over or in /proc and /sys is refused in one line", async () => {
  const canary = await plantCanary(host().dir, "canary-cover");
  const here = canary.dir;
  for (const flags of [
    ["-v", `${here}:/proc`],
    ["-v", `${here}:/proc/self`],
    ["-v", `${here}:/proc/self/attr`],
    ["-v", `${here}:/proc/1/attr`],
    ["-v", `${canary.file}:/proc/self/attr/exec`],
    ["-v", `${here}:/proc/new`],
    ["-v", `${here}:/tmp/../proc/`],
    ["-v", `${here}:/sys`],
    ["-v", "named:/proc"],
    ["--mount", `type=bind,src=${here},dst=/proc`],
    ["--mount", "type=tmpfs,dst=/proc"],
    ["--tmpfs", "/proc"],
    ["--tmpfs", "/proc/sys"],
    ["--tmpfs", "/proc/self/fd"],
  ]) {
    const { stdout, stderr, code } = await host().rt(["run", "--rm", ...flags, image, "probe", "caps"]);
    expect([flags, code, stdout]).toEqual([flags, 125, ""]);
    oneLine(stderr);
  }
  for (const path of ["/proc", "/proc/self", "/sys", "//proc/.", "/x/../proc"]) {
    const name = `volume-${path.replaceAll(/[/.]+/g, "-")}`;
    const covering = await hostileImage(host(), name, { config: { Volumes: { [path]: {} } } });
    const { stderr, code } = await host().rt(["run", "--rm", covering, "true"]);
    expect([path, code]).toEqual([path, 125]);
    oneLine(stderr);
  }
  await canary.check();
});

test("no cgroup file opens for writing, and no cgroup can be mounted", async () => {
  for (const flags of [[], ["-u", "app"], ["--cap-add", "NET_ADMIN"]]) {
    const output = await host().ok(["run", "--rm", ...flags, image, "probe", "writable", "/sys/fs/cgroup"]);
    expect(factsNamed(output, "writable")).toEqual([]);
    expect(Number(facts(output).get("tried"))).toBeGreaterThan(10);
  }
  const privileged = ["run", "--rm", "--privileged", image, "probe", "writable", "/sys/fs/cgroup"];
  expect(factsNamed(await host().ok(privileged), "writable")).not.toEqual([]);
  expect(await attempt(["remount-rw", "/sys/fs/cgroup"])).toBe("EPERM");
  for (const what of ["mount-cgroup", "mount-cgroup2"]) expect(await attempt([what])).toBe("EPERM");
  // Only what the host has mounted can be mounted again in a cgroup namespace.
  const mounted = readFileSync("/proc/self/mountinfo", "utf8");
  if (/ - cgroup \S+ \S*\bmemory\b/.test(mounted))
    expect(await attempt(["mount-cgroup"], ["--privileged"])).toBe("ok");
  if (mounted.includes(" - cgroup2 ")) expect(await attempt(["mount-cgroup2"], ["--privileged"])).toBe("ok");
});

test("a cgroup mounted from a user namespace of the program's own has no release_agent to write", async () => {
  const libraries = ["/lib64", `/lib/${process.arch === "x64" ? "x86_64" : "aarch64"}-linux-gnu`];
  // Not over /usr/bin/unshare, which in busybox's image is a link to busybox itself.
  const binds = [...libraries.map((path) => [path, path]), [tool("unshare"), "/real-unshare"]].flatMap(
    ([from, to]) => (existsSync(from!) ? ["-v", `${from}:${to}:ro`] : []),
  );
  const script = `mkdir -p /m; for c in memory pids cpu rdma devices freezer; do
    mount -t cgroup -o $c none /m || continue; echo mounted $c
    for f in /m/release_agent /m/devices.allow; do [ -e $f ] && echo a > $f && echo breach $f; done
    umount /m; done 2>/dev/null; echo looked`;
  const args = ["run", "--rm", ...binds, image, "/real-unshare", "-UrmC", "sh", "-c", script];
  const { stdout, stderr, code } = await host().rt(args);
  // Where user namespaces are forbidden there is nothing to look at, which is better still.
  if (code === 0) expect(stdout).toMatch(/^(mounted \w+\n)*looked\n$/);
  else expect(stderr).toContain("unshare");
});

test("procfs, sysfs, tmpfs: no mount, remount or umount is allowed", async () => {
  for (const what of [
    ["mount-proc"],
    ["mount-tmpfs"],
    ["mount-tmpfs", "/proc"],
    ["remount-rw"],
    ["remount-rw", "/sys"],
    ["remount-rw", "/proc/irq"],
    ["umount"],
    ["umount", "/proc/keys"],
    ["umount", "/sys/firmware"],
    ["unshare-mount"],
    ["setns"],
    ["open-by-handle"],
    ["bpf"],
  ]) {
    for (const flags of [[], ["--init"], ["-u", "app"]])
      expect([what, flags, ["EPERM", "EACCES"].includes(await attempt(what, flags))]).toEqual([
        what,
        flags,
        true,
      ]);
  }
  expect(await attempt(["mount-tmpfs", "/proc"], ["--privileged"])).toBe("ok");
  const { code } = await host().rt(["run", "--rm", image, "mount", "-t", "sysfs", "sysfs", "/tmp"]);
  expect(code).not.toBe(0);
});

const masked =
  "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/firmware /sys/devices/virtual/powercap";

test("what is masked is /dev/null or an empty directory", async () => {
  const paths = [...masked.split(" "), "/sys/devices/system/cpu/cpu0/thermal_throttle"].filter(existsSync);
  expect(paths).toContain("/proc/keys");
  await using container = await running(host());
  for (const path of paths) {
    const seen = facts(await host().ok(["exec", container.name, "probe", "stat", path]));
    if (statSync(path).isDirectory()) {
      expect([path, seen.get("type"), seen.get("fsmagic")]).toEqual([path, "d", "0x1021994"]);
      expect([path, await host().ok(["exec", container.name, "ls", "-A", path])]).toEqual([path, ""]);
    } else expect([path, seen.get("type"), seen.get("rdev")]).toEqual([path, "c", "1:3"]);
  }
  const bare = ["run", "--rm", "--privileged", image, "probe", "stat", "/proc/keys"];
  expect(facts(await host().ok(bare)).get("type")).toBe("-");
});

test("what is read-only takes no writes", async () => {
  const places = ["/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/sys", "/sys/kernel", "/sys/fs"];
  const output = await host().ok(["run", "--rm", image, "probe", "writable", ...places]);
  expect(factsNamed(output, "writable")).toEqual([]);
  expect(Number(facts(output).get("tried"))).toBeGreaterThan(100);
  for (const path of ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/kernel/profiling"]) {
    if (existsSync(path)) expect([path, await attempt(["open-for-write", path])]).toEqual([path, "EROFS"]);
  }
  expect(await attempt(["open-for-write", "/proc/sys/kernel/core_pattern"], ["--privileged"])).toBe("ok");
});

test("/dev has the default devices, and no other can be made", async () => {
  const names = async (...flags: string[]) =>
    (await host().ok(["run", "--rm", ...flags, image, "ls", "-A", "/dev"])).trim().split(/\s+/).sort();
  const usual = "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split(
    " ",
  );
  expect(await names()).toEqual(usual);
  expect(await names("--init")).toEqual(usual);
  expect(await names("-t")).toEqual([...usual, "console"].sort());
  expect((await names("--privileged")).length).toBeGreaterThan(usual.length);
  for (const where of ["/tmp/disk", "/dev/disk", "/dev/shm/disk"]) {
    expect([where, await attempt(["mknod", where])]).toEqual([where, "EPERM"]);
    // Like the kernel's ways to memory: 1:1.
    expect([where, await attempt(["mknod", where, "1", "1"])]).toEqual([where, "EPERM"]);
  }
  expect(await attempt(["mknod"], ["--privileged"])).toBe("ok");
});

test("-i without -t gives pipes, on a terminal too; with -t it is the container's own", async () => {
  for (const flags of [["-i"], []]) {
    await using terminal = host().pty(["run", "--rm", ...flags, image, "probe", "tty"]);
    expect(await terminal.exited).toBe(0);
    const text = terminal.screen.text.replaceAll("\r", "");
    expect(factsNamed(text, "tty")).toEqual(["0 no", "1 no", "2 no"]);
    expect(facts(text).get("controlling")).toBe("ENXIO");
    expect(text).not.toContain("/dev/pts");
  }
  await using terminal = host().pty(["run", "--rm", "-it", image, "probe", "stat", "-L", "/proc/self/fd/0"]);
  expect(await terminal.exited).toBe(0);
  // The first of a devpts of its own, whatever number the host's has.
  expect(facts(terminal.screen.text.replaceAll("\r", "")).get("rdev")).toBe("136:0");
});

test("TIOCSTI inside does not type on the host's terminal", async () => {
  const env = { ...host().env, RT: rtBinary, IMAGE: image, PROBE: await probeBinary(), TERM: "xterm" };
  const typedAfter = async (command: string) => {
    const script = `${command} >/dev/null; echo ready; read -r line; echo "typed[$line]"`;
    await using terminal = openPty(["bash", "-c", script], { env });
    await terminal.screen.waitFor("ready");
    terminal.type("end\r");
    expect(await terminal.exited).toBe(0);
    return /typed\[(.*)\]/.exec(terminal.screen.text)![1];
  };
  for (const flags of ["-it", "-t", "-i", "-it --privileged", "-it --init"])
    expect([flags, await typedAfter(`"$RT" run --rm ${flags} "$IMAGE" probe try tiocsti`)]).toEqual([
      flags,
      "end",
    ]);
  await using container = await running(host());
  for (const flags of ["-it", "-t", "-i", "-it --privileged", "-it -u app"])
    expect([flags, await typedAfter(`"$RT" exec ${flags} ${container.name} probe try tiocsti`)]).toEqual([
      flags,
      "end",
    ]);
  // Outside it does, where the kernel still has it: what is looked for can be seen.
  if (existsSync("/proc/sys/dev/tty/legacy_tiocsti"))
    expect(await typedAfter('"$PROBE" try tiocsti')).toBe("!end");
});

test("with --network host no abstract socket of ours can be reached", async () => {
  for (const flags of [[], ["-t"], ["-i"], ["--init"]]) {
    await using container = await running(host(), ["sleep", "1000"], ["--network", "host", ...flags]);
    await using exec = host().spawn(["exec", "-i", container.name, "sleep", "1000"]);
    const monitor = parentOf(await pidOf(host(), container.name));
    const ours = [monitor, container.client.pid, exec.pid].flatMap((pid) =>
      openDescriptors(pid).flatMap((line) => /socket:\[(\d+)\]/.exec(line)?.[1] ?? []),
    );
    expect(ours).not.toEqual([]);
    const table = await host().ok(["exec", container.name, "cat", "/proc/net/unix"]);
    const lines = table.split("\n").filter((line) => ours.includes(line.trim().split(/\s+/)[6] ?? ""));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter((line) => line.trim().split(/\s+/)[7]?.startsWith("@"))).toEqual([]);
    expect(table).not.toContain(`@${container.id.slice(0, 12)}`);
  }
});

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}

test("nothing of the image is run or loaded by the engine", async () => {
  // The traps' interpreter and log have the same path outside and inside: wherever one is run, it is seen.
  const place = join(host().dir, "trap");
  mkdirSync(place);
  copyFileSync(tool("busybox")!, join(place, "busybox"));
  const log = join(place, "log");
  const trap = `#!${place}/busybox sh\nread -r host < /proc/sys/kernel/hostname\necho "$0 $host" >> ${log}\n`;
  // The image's health check may run, in its container; as little of that is the engine's as of any other program there.
  const logged = () => {
    const lines = readFileSync(log, "utf8").trim().split("\n");
    return [...new Set(lines)].filter((line) => line !== "/bin/sh trap");
  };
  const programs =
    "bin/sh bin/ps bin/kill bin/tar bin/mount bin/umount bin/true sbin/init sbin/ldconfig sbin/modprobe usr/bin/newuidmap usr/bin/newgidmap usr/bin/id usr/bin/env usr/bin/nsenter usr/sbin/runc";
  const libraries = "lib/libnss_files.so.2 lib64/libnss_files.so.2 lib64/ld-linux-x86-64.so.2 lib/libc.so.6";
  const paths = [...programs.split(" "), ...libraries.split(" "), "etc/ld.so.preload", "trap.so"];
  const directories = new Set(paths.flatMap((path) => [path.split("/")[0]!, dirname(path)]));
  const trapped = await hostileImage(host(), "trapped", {
    bare: true,
    members: [
      ...[...directories]
        .filter((path) => path !== "." && !paths.includes(path))
        .map((path) => directory(path)),
      ...paths.filter((path) => path !== "etc/ld.so.preload").map((path) => file(path, trap, 0o4755)),
      file("etc/ld.so.preload", "/trap.so\n"),
      file("etc/nsswitch.conf", "passwd: evil files\ngroup: evil files\nhosts: evil\n"),
      file("etc/passwd", "app:x:1000:1000::/:/bin/sh\n"),
      file("etc/group", "app:x:1000:\n"),
    ],
    config: { Healthcheck: { Test: ["CMD-SHELL", "/bin/true"], Interval: 1_000_000 }, Shell: ["/bin/sh"] },
  });
  const flags = ["-v", `${place}:${place}`, "-u", "app", "--name", "trapped", "-h", "trap"];
  await using client = host().spawn(["run", ...flags, trapped, `${place}/busybox`, "sleep", "1000"]);
  const running = async () => (await host().ok(["ps", "-q", "-f", "name=trapped"])).trim() !== "";
  while (!(await running())) expect(client.stderr.text).toBe("");
  await host().ok(["inspect", "trapped"]);
  await host().ok(["inspect", trapped]);
  await host().ok(["exec", "-u", "app:app", "trapped", `${place}/busybox`, "true"]);
  await host().ok(["exec", "-t", "trapped", `${place}/busybox`, "true"]);
  await host().ok(["ps", "-a"]);
  expect(existsSync(log)).toBe(false);
  const out = join(host().dir, "out-of-the-trap");
  for (const args of [
    ["top", "trapped"],
    ["stats", "--no-stream", "trapped"],
    ["logs", "trapped"],
    ["cp", "trapped:/bin", out],
    ["cp", "-aL", "trapped:/etc", `${out}-etc`],
    ["cp", log.replace(/log$/, "busybox"), "trapped:/etc/copied"],
    ["diff", "trapped"],
    ["export", "-o", `${out}.tar`, "trapped"],
    ["commit", "trapped", "team/trapped"],
    ["pause", "trapped"],
    ["unpause", "trapped"],
    ["update", "--pids-limit", "50", "trapped"],
    ["rename", "trapped", "other"],
    ["rename", "other", "trapped"],
    ["rmi", "team/trapped"],
  ])
    await host().ok(args);
  expect(existsSync(log)).toBe(false);
  chmodSync(place, 0o777);
  await host().ok(["exec", "-u", "0", "trapped", "/bin/ps"]);
  expect(logged()).toEqual(["/bin/ps trap"]);
  await host().ok(["restart", "-t", "0", "trapped"]);
  await client.exited;
  await host().ok(["kill", "trapped"]);
  await host().ok(["wait", "trapped"]);
  await host().ok(["rm", "trapped"]);
  await host().ok(["rmi", trapped]);
  expect(logged()).toEqual(["/bin/ps trap"]);
});

test("nobody but root walks the store and the state", async () => {
  const setuid = await hostileImage(host(), "setuid", {
    members: [file("bin/rooted", "#!/bin/sh\n", 0o4755)],
  });
  expect(await host().ok(["run", "--rm", setuid, "stat", "-c", "%a", "/bin/rooted"])).toBe("4755\n");
  await using container = await running(host());
  expect(container.id).toHaveLength(64);
  const nobody = (script: string) =>
    run([
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      "sh",
      "-c",
      script,
      "sh",
      host().dir,
    ]);
  // What holds is the mode of our own directories, not that of the one above.
  chmodSync(host().dir, 0o755);
  writeFileSync(join(host().dir, "open"), "");
  expect(await nobody('ls "$1"')).toContain("open\n");
  const found = await run(["find", host().root, host().state, "-mindepth", "1", "-maxdepth", "4"]);
  const paths = found.trim().split("\n");
  expect(paths.length).toBeGreaterThan(10);
  const rooted = (await run(["find", host().root, "-name", "rooted"])).trim();
  expect(rooted).not.toBe("");
  writeFileSync(
    join(host().dir, "paths"),
    [...paths, ...rooted.split("\n"), host().root, host().state].join("\n"),
  );
  const walk =
    'while read -r path; do ls "$path" >/dev/null 2>&1 && echo "$path"; done < "$1/paths"; echo walked';
  const own = (await nobody(walk))
    .split("\n")
    .filter((path) => path !== host().root && path !== host().state);
  expect(own).toEqual(["walked", ""]);
  for (const dir of [host().root, host().state]) {
    expect([dir, statSync(dir).mode & 0o077]).toEqual([dir, 0]);
    expect(await nobody(`ls ${dir} 2>&1 || true`)).toContain("Permission denied");
  }
});

test("the program sees itself, the init it asked for, and no process of ours", async () => {
  const pids = (output: string) => [...output.matchAll(/^d.* (\d+)$/gm)].map((match) => Number(match[1]));
  expect(pids(await host().ok(["run", "--rm", image, "probe", "ls", "/proc"]))).toEqual([1]);
  expect(pids(await host().ok(["run", "--rm", "--init", image, "probe", "ls", "/proc"]))).toEqual([1, 2]);
  const process_ = facts(await host().ok(["run", "--rm", image, "probe", "process"]));
  const wanted = {
    dumpable: "1",
    pdeathsig: "9",
    subreaper: "0",
    SigBlk: "0000000000000000",
    SigIgn: "0000000000000000",
  };
  expect(Object.fromEntries(Object.keys(wanted).map((key) => [key, process_.get(key)]))).toEqual(wanted);
  await using container = await running(host());
  const inside = pids(await host().ok(["exec", container.name, "probe", "ls", "/proc"]));
  expect([inside.length, inside[0]]).toEqual([2, 1]);
  const monitor = parentOf(await pidOf(host(), container.name));
  expect(readlinkSync(`/proc/${monitor}/ns/pid`)).toBe(readlinkSync("/proc/self/ns/pid"));
});
