/**
 * Device nodes that a container finds and was not given: in its image, in a volume, in a directory of the host. None of them
 * opens, with the device rules of cgroup v1 and where there are none.
 */
import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine } from "../../cli/world.ts";
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

/** "ways" to run rt: as we are, and on a host whose device rules were taken away, as a host with cgroup v2 alone has none. */
const ways: Record<string, readonly string[]> = {
  "with device rules": [],
  "without device rules": [
    "unshare",
    "-m",
    "sh",
    "-c",
    'while umount /sys/fs/cgroup/devices 2>/dev/null; do :; done; exec "$@"',
    "sh",
  ],
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
    const source = join(host().dir, `nodes-${prefix.length}`);
    const volume = join(host().root, "volumes", `nodes-${prefix.length}`, "_data");
    for (const dir of [join(source, "below"), volume]) mkdirSync(dir, { recursive: true });
    for (const dir of [source, volume]) await run(["mknod", "-m", "666", join(dir, "mem"), "c", "1", "1"]);
    await run(["mount", "-t", "tmpfs", "below", join(source, "below")]);
    try {
      await run(["mknod", "-m", "666", join(source, "below/mem"), "c", "1", "1"]);
      const flags = ["-v", `${source}:/bind`, "-v", `nodes-${prefix.length}:/volume`];
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
