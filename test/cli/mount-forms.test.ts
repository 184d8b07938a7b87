/** `--mount` and `-v` beyond a directory as it is: images, parts of volumes, overlays, owners, propagation. */
import { expect } from "bun:test";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { file, hostileImage } from "../root/attacks/hostile.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests(["mount"]);

const out = (flags: readonly string[], script: string) =>
  host().ok(["run", "--rm", ...flags, image, "sh", "-c", script]);
const fails = async (...flags: string[]) => {
  const { stderr, code } = await host().rt(["run", "--rm", ...flags, image, "true"]);
  expect(code).toBe(125);
  return oneLine(stderr);
};
const inspected = async (...flags: string[]) => {
  await host().ok(["create", "--name", "seen", ...flags, image, "true"]);
  const [document] = JSON.parse(await host().ok(["inspect", "seen"]));
  await host().ok(["rm", "-v", "seen"]);
  return document;
};
/** A directory of the host. */
const directoryOf = (name: string) => {
  const path = join(host().dir, name);
  mkdirSync(path);
  return path;
};

test("an image: read-only, a part of it, and with a top of its own", async () => {
  const other = await hostileImage(host(), "mounted", {
    members: [
      { name: "srv", type: "5", mode: 0o755 },
      file("srv/file", "of the image\n"),
      { name: "abs", type: "2", link: "/srv/file" },
    ],
  });
  const mount = (more = "") => ["--mount", `type=image,source=${other},target=/i${more}`];
  expect(await out(mount(), "cat /i/srv/file; touch /i/x 2>&1 || true")).toContain("Read-only file system");
  expect(await out(mount(",image-subpath=srv"), "cat /i/file")).toBe("of the image\n");
  expect(await out(mount(",subpath=srv/file"), "cat /i")).toBe("of the image\n");
  // In an image "/" is its own root.
  expect(await out(mount(",subpath=abs"), "cat /i")).toBe("of the image\n");
  const script = "echo more >> /i/srv/file && cat /i/srv/file";
  for (const _ of [1, 2]) expect(await out(mount(",rw=true"), script)).toBe("of the image\nmore\n");
  expect(await fails(...mount(",subpath=nosuch"))).toContain(`open subpath nosuch of ${other}: No such file`);
  expect(await fails("--pull", "never", "--mount", "type=image,source=nosuch:1,target=/i")).toBe(
    "No such image: nosuch:1",
  );
  // Its layers stay as long as a container has them.
  await host().ok(["create", "--name", "keeper", ...mount(), image, "cat", "/i/srv/file"]);
  await host().ok(["rmi", "-f", other]);
  expect(await host().ok(["start", "-a", "keeper"])).toBe("of the image\n");
  const layers = () => readdirSync(join(host().root, "snapshots", "overlay", "committed")).length;
  const before = process.env.RT_STORAGE_DRIVER === "copy" ? undefined : layers();
  await host().ok(["rm", "keeper"]);
  await host().ok(["pull", "-q", `oci:${join(host().dir, "images/mounted")}:latest`]);
  await host().ok(["rmi", other]);
  if (before !== undefined) expect(layers()).toBeLessThan(before);
});

test("a part of a volume, by a path that never leads out of it", async () => {
  const script =
    "mkdir -p /x/a/b; echo part > /x/a/b/f; ln -s a /x/in; ln -s /etc /x/abs; ln -s ../../.. /x/up";
  await out(["-v", "parts:/x"], script);
  const mount = (subpath: string) => ["--mount", `src=parts,dst=/y,volume-subpath=${subpath}`];
  for (const subpath of ["a/b", "in/b", "a/../in/b/"])
    expect([subpath, await out(mount(subpath), "cat /y/f; echo new > /y/g")]).toEqual([subpath, "part\n"]);
  expect(await out(mount("a/b/f"), "cat /y")).toBe("part\n");
  for (const [subpath, why] of [
    ["abs", "subpath abs leads out of"],
    ["up/etc", "subpath up/etc leads out of"],
    ["nosuch", "open subpath nosuch of"],
    ["a/b/f/x", "open subpath a/b/f/x of"],
  ] as const)
    expect([subpath, await fails(...mount(subpath))]).toEqual([subpath, expect.stringContaining(why)]);
  // Also for who looks into one that does not run.
  await host().ok(["run", "--name", "past", ...mount("a"), image, "true"]);
  await host().ok(["cp", "past:/y/b/f", join(host().dir, "part")]);
  expect(readFileSync(join(host().dir, "part"), "utf8")).toBe("part\n");
  await host().ok(["rm", "past"]);
  await host().ok(["volume", "rm", "parts"]);
});

test("U: all of it goes to the container's user, links are not followed, other mounts stay", async () => {
  const dir = directoryOf("given");
  const outside = join(host().dir, "outside");
  writeFileSync(outside, "");
  mkdirSync(join(dir, "deep/er"), { recursive: true });
  writeFileSync(join(dir, "deep/er/file"), "");
  symlinkSync(outside, join(dir, "link"));
  mkdirSync(join(dir, "other"));
  await Bun.$`mount -t tmpfs other ${join(dir, "other")}`;
  try {
    await out(["-u", "33:44", "-v", `${dir}:/d:U`], "touch /d/deep/er/new");
    const owner = (path: string) => `${statSync(path).uid}:${statSync(path).gid}`;
    for (const name of ["", "deep", "deep/er", "deep/er/file", "deep/er/new"])
      expect([name, owner(join(dir, name))]).toEqual([name, "33:44"]);
    expect([owner(outside), owner(join(dir, "other"))]).toEqual(["0:0", "0:0"]);
    expect(await out(["-u", "35", "-v", `${dir}:/d:U,ro`], "stat -c %u /d/deep/er/file")).toBe("35\n");
    expect(await out(["-u", "36", "--mount", "type=tmpfs,dst=/t,U=true"], "stat -c %u /t")).toBe("36\n");
  } finally {
    await Bun.$`umount ${join(dir, "other")}`;
  }
  expect(await fails("-v", "/usr:/d:U")).toContain('chown of "/usr" is not allowed');
});

test("O: what is written goes with the container", async () => {
  const dir = directoryOf("under");
  writeFileSync(join(dir, "file"), "of the host\n");
  chownSync(dir, 5, 6);
  const script = "stat -c %u:%g /d; cat /d/file; rm /d/file; touch /d/new; ls /d";
  await host().ok(["create", "--name", "over", "-v", `${dir}:/d:O`, image, "sh", "-c", script]);
  for (const _ of [1, 2]) expect(await host().ok(["start", "-a", "over"])).toBe("5:6\nof the host\nnew\n");
  expect(readdirSync(dir)).toEqual(["file"]);
  writeFileSync(join(host().dir, "stray"), "");
  expect((await host().rt(["cp", join(host().dir, "stray"), "over:/d/"])).code).toBe(1);
  await host().ok(["rm", "over"]);
  expect(readdirSync(dir)).toEqual(["file"]);
  expect(readdirSync(join(host().root, "containers"))).toEqual([]);
  await out(["-v", "plain:/v"], "echo kept > /v/file");
  expect(await out(["-v", "plain:/v:O"], "echo more >> /v/file; cat /v/file")).toBe("kept\nmore\n");
  expect(await out(["-v", "plain:/v"], "cat /v/file")).toBe("kept\n");
  await host().ok(["volume", "rm", "plain"]);
});

test("idmap: other owners than on disk", async () => {
  const dir = directoryOf("mapped");
  writeFileSync(join(dir, "file"), "");
  chownSync(join(dir, "file"), 7, 8);
  const idmap = "uids=7-1000-1#0-0-1;gids=8-2000-1#0-0-1";
  const script = "stat -c %u:%g /d/file; touch /d/new; chown 1000:2000 /d/new";
  expect(await out(["--mount", `type=bind,src=${dir},dst=/d,"idmap=${idmap}"`], script)).toBe("1000:2000\n");
  expect(await out(["-v", `${dir}:/d:idmap=${idmap},ro`], "stat -c %u:%g /d/new")).toBe("1000:2000\n");
  const { uid, gid } = statSync(join(dir, "new"));
  expect([uid, gid]).toEqual([7, 8]);
  expect(await fails("-v", `/proc:/d:idmap=${idmap}`)).toContain("cannot do that");
});

test("ro is recursive, unless somebody says otherwise", async () => {
  const dir = directoryOf("recursive");
  mkdirSync(join(dir, "below"));
  await Bun.$`mount -t tmpfs below ${join(dir, "below")}`;
  try {
    const script = "touch /d/x 2>/dev/null || echo top; touch /d/below/x 2>/dev/null || echo below; true";
    const tried = (more: string) => out(["--mount", `type=bind,src=${dir},dst=/d,ro${more}`], script);
    expect(await tried("")).toBe("top\nbelow\n");
    expect(await tried(",bind-recursive=readonly")).toBe("top\nbelow\n");
    expect(await tried(",bind-recursive=writable")).toBe("top\n");
    expect([existsSync(join(dir, "below/x")), existsSync(join(dir, "x"))]).toEqual([true, false]);
    expect(await out(["--mount", `type=bind,src=${dir},dst=/d,bind-recursive=disabled`], "ls /d/below")).toBe(
      "",
    );
  } finally {
    await Bun.$`umount ${join(dir, "below")}`;
  }
});

test("no mount goes from one side to the other, unless it is asked for and the host's is shared", async () => {
  const dir = directoryOf("propagated");
  mkdirSync(join(dir, "below"));
  await Bun.$`mount --bind ${dir} ${dir} && mount --make-private ${dir}`;
  const mounts = () => readFileSync("/proc/self/mountinfo", "utf8").includes(join(dir, "below"));
  const script = "mount -t tmpfs inside /d/below && grep -c ' /d/below ' /proc/mounts";
  const privileged = (mode: string) => out(["--privileged", "-v", `${dir}:/d${mode}`], script);
  try {
    for (const mode of [":shared", ":rshared"])
      expect(await fails("-v", `${dir}:/d${mode}`)).toContain(
        `path ${dir} is mounted on ${dir} but it is not a shared mount`,
      );
    expect(await fails("-v", `${dir}:/d:rslave`)).toContain("but it is not a shared or slave mount");
    await Bun.$`mount --make-shared ${dir}`;
    for (const mode of ["", ":private", ":rprivate", ":slave", ":rslave"]) {
      expect(await privileged(mode)).toBe("1\n");
      expect([mode, mounts()]).toEqual([mode, false]);
    }
    // To the container.
    for (const [mode, seen] of [
      ["rslave", "1"],
      ["rprivate", "0"],
    ] as const) {
      await using container = await running(host(), ["sleep", "1000"], ["-v", `${dir}:/d:${mode}`]);
      await Bun.$`mount -t tmpfs later ${join(dir, "below")}`;
      const count = (await host().rt(["exec", container.name, "grep", "-c", " /d/below ", "/proc/mounts"]))
        .stdout;
      await Bun.$`umount ${join(dir, "below")}`;
      expect([mode, count.trim()]).toEqual([mode, seen]);
    }
    expect(await privileged(":rshared")).toBe("1\n");
    expect(mounts()).toBe(true);
    await Bun.$`umount ${join(dir, "below")}`;
  } finally {
    await Bun.$`umount ${dir}`;
  }
});

test("in the documents as Docker has them", async () => {
  const dir = directoryOf("documents");
  const short = await inspected(
    "-v",
    `${dir}:/a:ro,z`,
    "-v",
    "named:/b",
    "-v",
    "/c",
    "--tmpfs",
    "/t:size=1m",
  );
  expect(short.HostConfig).toMatchObject({
    Binds: [`${dir}:/a:ro,z`, "named:/b"],
    Tmpfs: { "/t": "size=1m" },
  });
  expect([short.HostConfig.Mounts, short.Config.Volumes]).toEqual([undefined, { "/c": {} }]);
  const anonymous = expect.stringMatching(/^[0-9a-f]{64}$/);
  expect(short.Mounts).toMatchObject([
    { Type: "bind", Source: dir, Destination: "/a", Mode: "ro,z", RW: false, Propagation: "rprivate" },
    {
      Type: "volume",
      Name: "named",
      Destination: "/b",
      Driver: "local",
      Mode: "z",
      RW: true,
      Propagation: "",
    },
    { Type: "volume", Name: anonymous, Destination: "/c", Mode: "", RW: true },
  ]);
  const long = await inspected(
    ...["--mount", `type=bind,src=${dir},dst=/a,ro`, "--mount", "src=named,dst=/b,volume-nocopy"],
    ...[
      "--mount",
      "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770",
      "--mount",
      `type=image,src=${image},dst=/i`,
    ],
  );
  expect(long.HostConfig.Binds).toBeNull();
  expect(long.HostConfig.Mounts).toEqual([
    { Type: "bind", Source: dir, Target: "/a", ReadOnly: true },
    { Type: "volume", Source: "named", Target: "/b", VolumeOptions: { NoCopy: true, DriverConfig: {} } },
    { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o1770 } },
    { Type: "image", Source: image, Target: "/i" },
  ]);
  expect(long.Mounts).toMatchObject([
    { Type: "bind", Mode: "", RW: false },
    { Type: "volume", Mode: "z", RW: true },
    { Type: "tmpfs", Source: "", Destination: "/t", Mode: "", RW: true, Propagation: "" },
    { Type: "image", Source: image, Destination: "/i", RW: false },
  ]);
  await host().ok(["volume", "rm", "named"]);
});

test("a source that is missing: made by -v and bind-create-src, else said", async () => {
  const [made, also, not] = ["made", "also", "not"].map((name) => join(host().dir, name));
  await out(["-v", `${made}:/d`, "--mount", `type=bind,src=${also},dst=/e,bind-create-src`], "true");
  expect([statSync(made!).mode & 0o777, statSync(also!).mode & 0o777]).toEqual([0o755, 0o755]);
  expect(await fails("--mount", `type=bind,src=${not},dst=/e`)).toContain("bind source path does not exist");
});

test("--storage-opt says why not", async () => {
  expect(await fails("--storage-opt", "size=10g")).toContain(
    "supported only over xfs or ext4 with project quotas",
  );
  expect(await fails("--storage-opt", "what=1")).toContain("unknown option what");
});
