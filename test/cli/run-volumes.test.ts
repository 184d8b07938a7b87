/** An image's VOLUMEs beside the mounts that every container has, and beside the user's; and odd places for the store. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { directory, hostileImage, symlink } from "../root/attacks/hostile.ts";
import { busyboxLayout } from "../support/images.ts";
import { factsNamed } from "../support/probe.ts";
import { containerTests, image, nothingLeft, oneLine } from "./world.ts";

const { test, host } = containerTests();

const withVolumes = (name: string, ...places: string[]) =>
  hostileImage(host(), name, { config: { Volumes: Object.fromEntries(places.map((place) => [place, {}])) } });

const anonymous = () => {
  const volumes = join(host().root, "volumes");
  return existsSync(volumes) ? readdirSync(volumes).filter((name) => name.length === 64) : [];
};

/** Path -> kind of each mount that the image sees. */
async function mountsOf(flags: readonly string[], name: string): Promise<Map<string, string>> {
  const output = await host().ok(["run", "--rm", ...flags, name, "probe", "mounts"]);
  return new Map(factsNamed(output, "mount").map((line) => line.split(" ").slice(0, 2) as [string, string]));
}

test("a VOLUME where each container has a mount of ours gives way to it", async () => {
  const places = ["/sys/fs/cgroup", "/sys/fs/cgroup/", "/dev/shm", "/dev/pts", "/dev/mqueue", "/dev", ""];
  const odd = await withVolumes("own-places", ...places, "/data");
  const [usual, mounts] = [await mountsOf([], image), await mountsOf([], odd)];
  for (const place of places.filter((each) => each.startsWith("/d")))
    expect([place, mounts.get(place)]).toEqual([place, usual.get(place)!]);
  expect(mounts.get("/sys/fs/cgroup")).toBe(usual.get("/sys/fs/cgroup"));
  expect(mounts.has("/data")).toBe(true);
  // A terminal too.
  await using client = host().pty(["run", "--rm", "-t", odd, "echo", "on a terminal"]);
  expect(await client.exited).toBe(0);
});

test("the user's own mounts win over ours and over the image's", async () => {
  const odd = await withVolumes("own-user", "/sys/fs/cgroup", "/dev/shm", "/data");
  const dir = join(host().dir, "own");
  mkdirSync(dir);
  writeFileSync(join(dir, "file"), "of the user\n");
  for (const place of ["/sys/fs/cgroup", "/dev/shm", "/dev/pts", "/dev/mqueue", "/data"]) {
    const flags = ["run", "--rm", "-v", `${dir}:${place}`, odd, "cat", `${place}/file`];
    expect([place, await host().ok(flags)]).toEqual([place, "of the user\n"]);
    const tmpfs = ["run", "--rm", "--tmpfs", place, odd, "sh", "-c", `touch ${place}/x; ls ${place}`];
    expect([place, await host().ok(tmpfs)]).toEqual([place, "x\n"]);
  }
  expect(readdirSync(dir)).toEqual(["file"]);
});

test("two spellings of a place are one VOLUME", async () => {
  const twice = await withVolumes("spellings", "/data", "/data/", "/data/.", "//data", "data", "/x/../data");
  await host().ok(["run", "--name", "spellings", twice, "true"]);
  expect(anonymous()).toHaveLength(1);
  await host().ok(["rm", "-v", "spellings"]);
  await host().ok(["run", "--name", "spellings", "-v", `${host().dir}/spelled:/data/.`, twice, "true"]);
  expect(anonymous()).toEqual([]);
  await host().ok(["rm", "-v", "spellings"]);
});

test("a file on a directory, a directory on a file, or below one: said, and without our state directory", async () => {
  const [dir, file] = [join(host().dir, "kind"), join(host().dir, "kind-file")];
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, "");
  const hosts = await hostileImage(host(), "hosts-is-a-directory", {
    members: [directory("etc"), directory("etc/hosts")],
  });
  const onFile = await withVolumes("volume-on-a-file", "/bin/busybox");
  const belowFile = await withVolumes("volume-below-a-file", "/bin/busybox/data");
  for (const [args, said] of [
    [[hosts], "at /etc/hosts: a file cannot go on a directory"],
    [["-v", `${file}:/bin`, image], `${file} at /bin: a file cannot go on a directory`],
    [["-v", `${dir}:/bin/sh`, image], `${dir} at /bin/sh: a directory cannot go on a file, or below one`],
    [["--tmpfs", "/bin/sh", image], "tmpfs at /bin/sh: a directory cannot go on a file, or below one"],
    [[onFile], "/_data at /bin/busybox: a directory cannot go on a file, or below one"],
    [[belowFile], "/_data at /bin/busybox/data: a directory cannot go on a file, or below one"],
  ] as const) {
    const { stderr, code } = await host().rt(["run", "--rm", ...args, "true"]);
    expect([args, code, oneLine(stderr)]).toEqual([args, 125, expect.stringContaining(said)]);
    expect(stderr).not.toContain(host().state);
  }
  expect(anonymous()).toEqual([]);
});

test("a hundred VOLUMEs are made, a thousand are refused in one line", async () => {
  const many = (count: number) => Array.from({ length: count }, (_, each) => `/v/${each}`);
  const output = await host().ok(["run", "--rm", await withVolumes("hundred", ...many(100)), "ls", "/v"]);
  expect(output.split("\n")).toHaveLength(101);
  const { stderr, code } = await host().rt([
    "run",
    "--rm",
    await withVolumes("thousand", ...many(1000)),
    "true",
  ]);
  expect([code, oneLine(stderr)]).toEqual([125, expect.stringContaining("asks for 1000 volumes")]);
  expect(anonymous()).toEqual([]);
});

test("a link of the image leads no mount into /proc, /sys or /dev", async () => {
  const dir = join(host().dir, "linked");
  mkdirSync(dir);
  const targets = [
    "/sys/kernel",
    "/sys/fs/cgroup",
    "/proc/self",
    "/proc",
    "/sys",
    "/dev",
    "/dev/pts",
    "/dev/mqueue",
  ];
  for (const [index, target] of targets.entries()) {
    const linked = await hostileImage(host(), `linked-${index}`, {
      members: [symlink("x", target), symlink("y", "x")],
      config: { Volumes: { "/x": {} } },
    });
    for (const flags of [
      [],
      ["-v", `${dir}:/y`],
      ["--tmpfs", "/y"],
      ["-v", `${dir}:/x/new`],
      ["--device", "/dev/zero:/x/new"],
    ]) {
      const { stderr, stdout, code } = await host().rt(["run", "--rm", ...flags, linked, "true"]);
      expect([target, flags, stdout, code]).toEqual([target, flags, "", 125]);
      oneLine(stderr);
    }
  }
  expect(readdirSync(dir)).toEqual([]);
  // What is no business of the kernel's may be reached by a link: old images have /run/shm so.
  const shm = await hostileImage(host(), "linked-shm", {
    members: [directory("run"), symlink("run/shm", "/dev/shm")],
  });
  expect(await host().ok(["run", "--rm", "-v", `${dir}:/run/shm`, shm, "ls", "/run/shm"])).toBe("");
});

for (const driver of ["overlay", "copy"]) {
  test(`a store whose path has odd characters works with ${driver}`, async () => {
    const layout = await busyboxLayout();
    for (const odd of [
      "back\\slash",
      "co:lon",
      "com,ma",
      "a blank",
      "new\nline",
      'quo"te',
      "\\",
      "per%20cent",
      "=",
      "ä☃",
    ]) {
      const [root, state] = [join(host().dir, driver, odd, "root"), join(host().dir, driver, odd, "state")];
      const rt = (...args: string[]) =>
        host().ok(["--root", root, "--state", state, "--storage-driver", driver, ...args]);
      await rt("pull", "-q", `oci:${layout}`);
      const script = "cat /etc/hostname; touch /new /home/x; ls -d /new /home/*";
      const output = await rt(
        "run",
        "--rm",
        "--hostname",
        "odd",
        "-v",
        "vol:/home",
        image,
        "sh",
        "-c",
        script,
      );
      expect([odd, output]).toEqual([odd, "odd\n/home/app\n/home/x\n/new\n"]);
      await rt("run", "--name", "kept", image, "true");
      await rt("rm", "kept");
      await rt("rmi", image);
    }
    await nothingLeft(host());
  }, 240_000);
}
