/**
 * Device nodes that a container finds and was not given: in its image, in a volume, in a directory of the host, or made by itself.
 * None of them opens, with the device rules of cgroup v1, with those of v2, and where there are none.
 */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { run } from "../../support/command.ts";
import { factsNamed } from "../../support/probe.ts";
import { rtBinary } from "../../support/rt.ts";
import { directory, hostileImage } from "./hostile.ts";

const { test, host } = containerTests(["unshare", "mknod"]);

/** Devices of the host that no container has: its disk, and its memory. */
const nodes = (parent: string) => [
  directory(parent, 0o777),
  { name: `${parent}/disk`, type: "4", mode: 0o666, device: { major: 254, minor: 0 } },
  { name: `${parent}/mem`, type: "3", mode: 0o666, device: { major: 1, minor: 1 } },
];

/** To run rt on a host of which some hierarchies were taken away. */
const without = (...names: string[]) => {
  const gone = names.map((name) => `while umount -l /sys/fs/cgroup/${name} 2>/dev/null; do :; done`);
  return ["unshare", "-m", "sh", "-c", `${gone.join("; ")}; exec "$@"`, "sh"];
};

/** Those whose rules hold: as this host has them, and by a program of cgroup v2 where v1 has no devices. */
const ruled: Record<string, readonly string[]> = {
  "with device rules": [],
  "with device rules of cgroup v2": without("devices"),
};
const ways: Record<string, readonly string[]> = {
  ...ruled,
  "without device rules": without("devices", "unified"),
};

for (const [way, prefix] of Object.entries(ways)) {
  const out = (flags: readonly string[], ...command: string[]) =>
    run([...prefix, rtBinary, "run", "--rm", ...flags, ...command], { env: host().env });
  const tries = (path: string) => `probe try open-for-read ${path}; probe try open-for-write ${path}`;
  const refused = "try open-for-read EACCES\ntry open-for-write EACCES\n";

  test(`no node that an image brings opens, ${way}`, async () => {
    const config = { Volumes: { "/data": {} } };
    const own = await hostileImage(host(), "nodes", { members: [...nodes("data"), ...nodes("srv")], config });
    for (const user of ["0", "1000"]) {
      for (const name of ["disk", "mem"]) {
        expect(await out(["-u", user], own, "sh", "-c", tries(`/srv/${name}`))).toBe(refused);
        // Its volume got no nodes at all.
        expect(await out(["-u", user], own, "sh", "-c", tries(`/data/${name}`))).not.toContain(" ok");
      }
    }
    // A device outside of /dev opens, and the root goes on to open no other.
    const flags = ["--device", "/dev/zero:/srv/deep/zero"];
    const script = `${tries("/srv/disk")}; probe try open-for-read /srv/deep/zero; head -c 3 /srv/deep/zero | busybox wc -c`;
    expect(await out(flags, own, "sh", "-c", script.replace("head", "busybox head"))).toBe(
      `${refused}try open-for-read ok\n3\n`,
    );
  });

  test(`no node of a volume, of the host's directory or of a tmpfs opens, ${way}`, async () => {
    const source = join(host().dir, `nodes-${way.length}`);
    const volume = join(host().root, "volumes", `nodes-${way.length}`, "_data");
    for (const dir of [join(source, "below"), volume]) mkdirSync(dir, { recursive: true });
    for (const dir of [source, volume]) await run(["mknod", "-m", "666", join(dir, "mem"), "c", "1", "1"]);
    await run(["mount", "-t", "tmpfs", "below", join(source, "below")]);
    try {
      await run(["mknod", "-m", "666", join(source, "below/mem"), "c", "1", "1"]);
      const flags = ["-v", `${source}:/bind`, "-v", `nodes-${way.length}:/volume`];
      for (const path of ["/bind/mem", "/bind/below/mem", "/volume/mem"])
        expect([path, await out(flags, image, "sh", "-c", tries(path))]).toEqual([path, refused]);
      expect(await out(["-v", `${source}/mem:/mem`], image, "sh", "-c", tries("/mem"))).toBe(refused);
    } finally {
      await run(["umount", join(source, "below")]);
    }
    const make = `busybox mknod /tmp/mem c 1 1; ${tries("/tmp/mem")}`;
    expect(await out(["--cap-add", "MKNOD", "--tmpfs", "/tmp:dev"], image, "sh", "-c", make)).toBe(refused);
  });
}

for (const [way, prefix] of Object.entries(ruled)) {
  const started = (...args: string[]) => run([...prefix, rtBinary, ...args], { env: host().env });
  const out = (flags: readonly string[], script: string) =>
    started("run", "--rm", ...flags, image, "sh", "-c", script);
  const tries = "probe try open-for-read /dev/x; probe try open-for-write /dev/x";
  const closed = "try open-for-read EPERM\ntry open-for-write EPERM\n";
  const open = "try open-for-read ok\ntry open-for-write ok\n";

  test(`a node that it makes itself does not open, in run and in exec, ${way}`, async () => {
    const make = `busybox mknod -m 666 /dev/x c 1 1 && ${tries}`;
    expect(await out(["--cap-add", "MKNOD"], make)).toBe(closed);
    expect(await out(["--cap-add", "MKNOD"], make.replace("c 1 1", "b 254 0"))).toBe(closed);
    // What it has it may have twice.
    expect(await out(["--cap-add", "MKNOD"], make.replace("c 1 1", "c 1 5"))).toBe(open);
    const id = (await started("run", "-d", "--cap-add", "MKNOD", image, "sleep", "1000")).trim();
    try {
      expect(await started("exec", id, "sh", "-c", make)).toBe(closed);
      await started("restart", "-t", "0", id);
      expect(await started("exec", "--privileged", id, "sh", "-c", `rm -f /dev/x; ${make}`)).toBe(closed);
    } finally {
      await started("rm", "-f", id);
    }
    expect(await out(["--privileged"], make.replace("c 1 1", "c 10 229"))).toBe(open);
  });

  test(`what is given for reading or for writing is open for that alone, ${way}`, async () => {
    const given = (mode: string) => out(["--device", `/dev/fuse:/dev/x${mode}`], tries);
    expect(await given("")).toBe(open);
    expect(await given(":r")).toBe("try open-for-read ok\ntry open-for-write EPERM\n");
    expect(await given(":wm")).toBe("try open-for-read EPERM\ntry open-for-write ok\n");
    expect(await given(":m")).toBe(closed);
  });

  test(`--device-cgroup-rule opens what it names, from the start and by update, ${way}`, async () => {
    const make = `busybox mknod /dev/x c 10 229 && ${tries}`;
    const may = ["--cap-add", "MKNOD"];
    const rule = (text: string) => out([...may, "--device-cgroup-rule", text], make);
    for (const good of ["c 10:229 rw", "c 10:* rwm", "c *:229 rw", "a 10:229 wr", "a *:* rwm"])
      expect([good, await rule(good)]).toEqual([good, open]);
    for (const other of ["c 10:228 rwm", "b 10:229 rwm", "c 10:229 m"])
      expect([other, await rule(other)]).toEqual([other, closed]);
    expect(await rule("c 10:229 r")).toBe("try open-for-read ok\ntry open-for-write EPERM\n");
    // Each of several is one more.
    const both = ["--device-cgroup-rule", "c 10:229 r", "--device-cgroup-rule", "c 10:229 w"];
    expect(await out([...may, ...both], make)).toBe(open);
    const id = (await started("run", "-d", ...may, image, "sleep", "1000")).trim();
    try {
      expect(await started("exec", id, "sh", "-c", make)).toBe(closed);
      await started("update", "--device-cgroup-rule", "c 10:229 r", id);
      expect(await started("exec", id, "sh", "-c", tries)).toBe(
        "try open-for-read ok\ntry open-for-write EPERM\n",
      );
      await started("update", "--device-cgroup-rule", "c 10:229 w", id);
      expect(await started("exec", id, "sh", "-c", tries)).toBe(open);
      const kept = await started("inspect", "-f", "{{json .HostConfig.DeviceCgroupRules}}", id);
      expect(JSON.parse(kept)).toEqual(["c 10:229 r", "c 10:229 w"]);
      await started("restart", "-t", "0", id);
      expect(await started("exec", id, "sh", "-c", `rm -f /dev/x; ${make}`)).toBe(open);
      // Nothing else came with it.
      expect(await started("exec", id, "sh", "-c", `rm /dev/x; ${make.replace("c 10 229", "c 1 1")}`)).toBe(
        closed,
      );
    } finally {
      await started("rm", "-f", id);
    }
  });

  test(`what of the host's devices comes by a bind opens by a rule, ${way}`, async () => {
    const bind = ["-v", "/dev:/host"];
    const look = tries.replaceAll("/dev/x", "/host/fuse");
    const refused = closed.replaceAll("EPERM", "EACCES");
    expect(await out(bind, look)).toBe(refused);
    expect(await out([...bind, "--device-cgroup-rule", "c 10:229 rwm"], look)).toBe(open);
    expect(await out(["-v", "/dev:/host:nodev", "--device-cgroup-rule", "c 10:229 rwm"], look)).toBe(refused);
    expect(
      await out([...bind, "--device-cgroup-rule", "c 10:229 rwm"], look.replaceAll("fuse", "kmsg")),
    ).toBe(closed);
  });
}

test("--device-cgroup-rule: of updates at the same time none undoes what another has allowed", async () => {
  const id = (await host().ok(["run", "-d", image, "sleep", "1000"])).trim();
  try {
    const minors = [11, 12, 13, 14, 15, 16, 17, 18];
    const rules = minors.map((minor) => ["update", "--device-cgroup-rule", `c 10:${minor} r`, id]);
    await Promise.all(rules.map((words) => host().ok(words)));
    const spec = JSON.parse(readFileSync(join(host().state, "containers", id, "config.json"), "utf8"));
    const given = spec.linux.resources.devices.filter(({ major }: { major?: number }) => major === 10);
    expect(given.map(({ minor }: { minor: number }) => minor).sort()).toEqual(minors);
  } finally {
    await host().ok(["rm", "-f", id]);
  }
});

test("--device-cgroup-rule: where an update of it fails, what the same update had changed before is on record", async () => {
  const id = (await host().ok(["run", "-d", image, "sleep", "1000"])).trim();
  try {
    const path = join(host().state, "containers", id, "config.json");
    const text = readFileSync(path);
    writeFileSync(path, "{");
    const words = ["update", "-m", "64m", "--device-cgroup-rule", "c 10:229 r", "--restart", "always", id];
    const { code, stderr } = await host().rt(words);
    expect([code, oneLine(stderr)]).toEqual([1, expect.stringContaining("which says what devices it has")]);
    writeFileSync(path, text);
    const format =
      "{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}} {{json .HostConfig.DeviceCgroupRules}}";
    expect((await host().ok(["inspect", "-f", format, id])).trim()).toBe(`${64 << 20} no null`);
  } finally {
    await host().ok(["rm", "-f", id]);
  }
});

test("--device-cgroup-rule: what is wrong with one is said in one line", async () => {
  for (const [text, said] of [
    ["", "invalid device cgroup format"],
    ["c 1:3", "invalid device cgroup format"],
    ["c 1:3 ", "invalid device cgroup format"],
    ["d 1:3 rwm", "invalid device cgroup format"],
    ["c 1:3 rwmx", "invalid device cgroup format"],
    ["c 1:3 x", "invalid device cgroup format"],
    ["c 1 rwm", "invalid device cgroup format"],
    ["c -1:3 rwm", "invalid device cgroup format"],
    ["c 0x1:3 rwm", "invalid device cgroup format"],
    ["c  1:3 rwm", "invalid device cgroup format"],
    ["C 1:3 rwm", "invalid device cgroup format"],
    ["c 1:3 rwm\nc 1:4 rwm", "--device-cgroup-rule"],
    ["c 4096:3 rwm", "no device has the major number 4096 (at most 4095)"],
    ["c 1:1048576 rwm", "no device has the minor number 1048576 (at most 1048575)"],
    ["c 99999999999999999999:1 rwm", "no device has the major number"],
  ] as const)
    for (const verb of [["run", "--rm"], ["create"]]) {
      const { code, stderr } = await host().rt([...verb, "--device-cgroup-rule", text, image, "true"]);
      expect([text, code, oneLine(stderr)]).toEqual([text, 125, expect.stringContaining(said)]);
      expect(stderr).toContain("--device-cgroup-rule");
    }
});

test("every mount is nodev but /dev, its terminals, and single nodes that were given", async () => {
  const source = join(host().dir, "plain");
  mkdirSync(source);
  const flags = ["-v", `${source}:/bind`, "-v", "/volume", "--tmpfs", "/tmp:dev,exec,suid"];
  const given = ["--device", "/dev/zero:/srv/zero", "-v", "/dev/urandom:/srv/random"];
  const output = await host().ok(["run", "--rm", ...flags, ...given, image, "probe", "mounts"]);
  const mounts = factsNamed(output, "mount").map((line) => line.split(" "));
  const open = mounts
    .filter(([, , options]) => !options!.split(",").includes("nodev"))
    .map(([path]) => path!);
  expect(open.filter((path) => !path.startsWith("/proc/")).sort()).toEqual([
    "/dev",
    "/dev/pts",
    "/srv/random",
    "/srv/zero",
  ]);
  // Masked files are the null device of our /dev.
  const masks = open.filter((path) => path.startsWith("/proc/"));
  const stats = await host().ok(["run", "--rm", image, "probe", "stat", ...masks]);
  expect(new Set(factsNamed(stats, "rdev"))).toEqual(new Set(["1:3"]));
});

test("devices that were given work wherever they are put, and beside a /dev of the user's", async () => {
  const volume = "-v";
  const read = (path: string) => `busybox head -c 2 ${path} | busybox wc -c`;
  for (const [flags, path] of [
    [["--device", "/dev/zero:/dev/deep/zero"], "/dev/deep/zero"],
    [["--device", "/dev/zero:/data/zero", volume, "/data"], "/data/zero"],
    [["-v", "/dev:/dev"], "/dev/zero"],
    [["--tmpfs", "/dev"], "/dev/zero"],
    [["--tmpfs", "/dev:nodev"], "/dev/zero"],
    [["--privileged", "--tmpfs", "/dev"], "/dev/zero"],
    [["--privileged", "-v", "/dev:/dev"], "/dev/zero"],
  ] as const)
    expect([flags, await host().ok(["run", "--rm", ...flags, image, "sh", "-c", read(path)])]).toEqual([
      flags,
      "2\n",
    ]);
  // Others of the host's stay closed there.
  const { stdout } = await host().rt([
    "run",
    "--rm",
    "-v",
    "/dev:/dev",
    image,
    "probe",
    "try",
    "open-for-read",
    "/dev/kmsg",
  ]);
  expect(stdout).toBe("try open-for-read EACCES\n");
  const { stderr, code } = await host().rt([
    "run",
    "--rm",
    "--device",
    "/dev/zero:/etc/passwd",
    image,
    "true",
  ]);
  expect([code, oneLine(stderr)]).toEqual([
    125,
    expect.stringContaining("make device /etc/passwd: something else is there"),
  ]);
});

test("an exec opens no device that the container was not given, privileged or not", async () => {
  const config = { Volumes: { "/data": {} } };
  const own = await hostileImage(host(), "nodes-exec", { members: nodes("srv"), config });
  await using container = await running(host(), ["sleep", "1000"], ["--cap-add", "MKNOD"], own);
  const make =
    "busybox mknod /srv/made b 254 0; busybox mknod /data/made b 254 0; busybox mknod /dev/made b 254 0";
  await host().rt(["exec", container.name, "sh", "-c", make]);
  for (const flags of [[], ["-t"], ["-u", "1000"], ["--privileged"]]) {
    const tries = ["/srv/disk", "/srv/mem", "/srv/made", "/data/made"].map(
      (path) => `probe try open-for-read ${path}; probe try open-for-write ${path}`,
    );
    const args = ["exec", ...flags, container.name, "sh", "-c", tries.join("; ")];
    const answers = factsNamed((await host().ok(args)).replaceAll("\r", ""), "try");
    const denied = answers.filter((answer) => / E(ACCES|PERM)$/.test(answer));
    expect([flags, denied.length, answers]).toEqual([flags, 8, denied]);
  }
  // With device rules a node in /dev is as shut.
  const { stdout } = await host().rt(["exec", container.name, "probe", "try", "open-for-read", "/dev/made"]);
  if (hasDeviceRules()) expect(stdout).toBe("try open-for-read EPERM\n");
});

function hasDeviceRules(): boolean {
  return / - cgroup \S+ \S*\bdevices\b/.test(readFileSync("/proc/self/mountinfo", "utf8"));
}
