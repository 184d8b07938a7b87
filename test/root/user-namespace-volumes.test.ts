/** Whose files are whose in a container with a user namespace of its own: volumes, directories of the host, images, overlays. */
import { expect } from "bun:test";
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../cli/world.ts";
import { run } from "../support/command.ts";
import { busyboxLayout } from "../support/images.ts";
import { ordinaryUser } from "../support/ordinary-user.ts";

const { test, host } = containerTests();

const auto = ["--network", "none", "--userns", "auto"];
const first = 2_000_683_008;

const inside = (flags: readonly string[], script: string, mode: readonly string[] = auto) =>
  host().ok(["run", "--rm", ...mode, ...flags, image, "sh", "-euc", script]);

const owner = (path: string) => {
  const { uid, gid } = statSync(path);
  return `${uid}:${gid}`;
};

let counter = 0;

/** A directory of root's with a file that is for him alone, and one of somebody else's. */
function directory(): string {
  const path = join(host().dir, `bound-${counter++}`);
  mkdirSync(path, { mode: 0o755 });
  writeFileSync(join(path, "secret"), "secret\n", { mode: 0o600 });
  writeFileSync(join(path, "other"), "");
  chownSync(join(path, "other"), 1000, 1001);
  chmodSync(host().dir, 0o755);
  return path;
}

const stat = (path: string) => `stat -c %u:%g ${path}`;

const volumeOf = (name: string) => join(host().root, "volumes", name, "_data");

test("a volume belongs to whom it belongs to in any container, whatever ids that has", async () => {
  await inside(["-v", "shared:/v"], "echo text > /v/a; chown 7:8 /v/a; touch /v/b; chmod 600 /v/b");
  expect(owner(join(volumeOf("shared"), "a"))).toBe("7:8");
  expect(owner(join(volumeOf("shared"), "b"))).toBe("0:0");
  const look = `${stat("/v/a")}; ${stat("/v/b")}; cat /v/b`;
  expect(await inside(["-v", "shared:/v"], look, ["--network", "none"])).toBe("7:8\n0:0\n");
  expect(await inside(["-v", "shared:/v"], look, ["--network", "none", "--uidmap", "0:500000:70000"])).toBe(
    "7:8\n0:0\n",
  );
  await host().ok(["volume", "rm", "shared"]);
});

test("two that run at once see each other's files, and neither has the other's ids", async () => {
  await using one = await running(host(), ["sleep", "1000"], [...auto, "-v", "both:/v"]);
  await using two = await running(host(), ["sleep", "1000"], [...auto, "-v", "both:/v"]);
  await host().ok(["exec", "-u", "1000", one.name, "true"]);
  await host().ok(["exec", one.name, "sh", "-c", "echo one > /v/x; chown 1000:1000 /v/x; chmod 600 /v/x"]);
  expect(await host().ok(["exec", "-u", "1000:1000", two.name, "cat", "/v/x"])).toBe("one\n");
  const denied = await host().rt(["exec", "-u", "1001", two.name, "cat", "/v/x"]);
  expect(denied.code).toBe(1);
  const maps = await Promise.all(
    [one, two].map(({ name }) => host().ok(["exec", name, "cat", "/proc/self/uid_map"])),
  );
  expect(maps[0]).not.toBe(maps[1]);
  await host().ok(["rm", "-f", one.name, two.name]);
  await host().ok(["volume", "rm", "both"]);
});

test("what the image has goes into a new volume with its owners", async () => {
  await inside(["-v", "seeded:/home/app"], "ls -ld /home/app");
  const plain = await host().ok([
    "run",
    "--rm",
    "--network",
    "none",
    image,
    "stat",
    "-c",
    "%u:%g",
    "/home/app",
  ]);
  expect(await inside(["-v", "seeded:/home/app"], stat("/home/app"))).toBe(plain);
  expect(`${owner(volumeOf("seeded"))}\n`).toBe(plain);
  await host().ok(["volume", "rm", "seeded"]);
});

test("a volume that cannot be seen so is its root's, when it is new", async () => {
  await host().ok(["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "own"]);
  expect(await inside(["-v", "own:/v"], `${stat("/v")}; touch /v/x; ${stat("/v/x")}`)).toBe("0:0\n0:0\n");
  await host().ok(["volume", "rm", "own"]);
});

test("a directory of the host's has the host's owners, whom nobody in there is", async () => {
  const path = directory();
  const script = `${stat("/d/secret")}; ${stat("/d/other")}; cat /d/secret || touch /d/new || echo kept out`;
  expect(await inside(["-v", `${path}:/d`], script)).toBe("65534:65534\n65534:65534\nkept out\n");
});

test("a volume that is a directory of the host's is one, and no program in there is root's", async () => {
  const path = directory();
  await host().ok(["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", `device=${path}`, "bound"]);
  const script = `${stat("/d/secret")}; cat /d/secret || cp /bin/busybox /d/program || echo kept out`;
  expect(await inside(["-v", "bound:/d"], script)).toBe("65534:65534\nkept out\n");
  expect(await inside(["-v", "bound:/d:idmap"], "cat /d/secret")).toBe("secret\n");
  await host().ok(["volume", "rm", "bound"]);
});

test("with idmap root's are its root's", async () => {
  const path = directory();
  const script = `${stat("/d/secret")}; ${stat("/d/other")}; cat /d/secret; touch /d/new`;
  for (const flags of [
    ["-v", `${path}:/d:idmap`],
    ["--mount", `type=bind,src=${path},dst=/d,idmap`],
  ]) {
    expect(await inside(flags, script)).toBe("0:0\n1000:1001\nsecret\n");
    expect(owner(join(path, "new"))).toBe("0:0");
  }
  expect(await inside(["-v", `${path}:/d:idmap,ro`], "touch /d/no 2>&1 || true")).toContain("Read-only");
});

test("with ranges the host's numbers, or with @ the container's", async () => {
  const path = directory();
  const see = (idmap: string) => inside(["-v", `${path}:/d:idmap=${idmap}`], stat("/d/secret"));
  expect(await see("uids=@0-5-1;gids=@0-6-1")).toBe("5:6\n");
  expect(await see(`uids=0-${first + 70}-1;gids=0-${first + 71}-1`)).toBe("70:71\n");
  const flags = ["-v", `${path}:/d:idmap=uids=@0-65536-1`];
  const { stderr, code } = await host().rt(["run", "--rm", ...auto, ...flags, image, "true"]);
  expect([oneLine(stderr), code]).toEqual([
    expect.stringContaining("65536-65536 of the container are not one of its ranges"),
    125,
  ]);
});

test("what cannot be seen through maps and is asked for is an error that names the mount", async () => {
  const flags = ["--mount", "type=bind,src=/proc/sys,dst=/d,idmap"];
  const { stderr, code } = await host().rt(["run", "--rm", ...auto, ...flags, image, "true"]);
  expect([oneLine(stderr), code]).toEqual([
    expect.stringContaining("map the owners of mount /d: its file system, or one that is mounted in it"),
    125,
  ]);
});

test("U gives all of it to the container's user: on disk his number of the host, in a volume his own", async () => {
  const path = directory();
  expect(await inside(["-u", "7", "-v", `${path}:/d:U`], `${stat("/d/other")}; cat /d/secret`)).toBe(
    "7:0\nsecret\n",
  );
  expect(owner(join(path, "secret"))).toBe(`${first + 7}:${first}`);
  expect(await inside(["-u", "7", "-v", "mine:/v:U"], stat("/v"))).toBe("7:0\n");
  expect(owner(volumeOf("mine"))).toBe("7:0");
  await host().ok(["volume", "rm", "mine"]);
});

test("an overlay takes what is written, and nothing below it changes", async () => {
  const path = directory();
  const write = `echo new > /d/n; ${stat("/d/n")}; ${stat("/d/secret")}`;
  expect(await inside(["-v", `${path}:/d:O`], `${write}; cat /d/secret || echo kept out`)).toBe(
    "0:0\n65534:65534\nkept out\n",
  );
  expect(await inside(["-v", `${path}:/d:O,idmap`], `${write}; echo more >> /d/secret; cat /d/secret`)).toBe(
    "0:0\n0:0\nsecret\nmore\n",
  );
  expect(await Bun.file(join(path, "secret")).text()).toBe("secret\n");
});

test("an image that is mounted has its own owners", async () => {
  const mount = `type=image,src=${image},dst=/i`;
  expect(await inside(["--mount", mount], `${stat("/i/bin")}; ${stat("/i/home/app")}`)).toMatch(/^0:0\n/);
  expect(await inside(["--mount", `${mount},rw`], `touch /i/x; ${stat("/i/x")}`)).toBe("0:0\n");
});

test("volumes-from: the other's volumes as it sees them", async () => {
  const path = directory();
  await using donor = await running(
    host(),
    ["sleep", "1000"],
    [...auto, "-v", "given:/v", "-v", `${path}:/d:idmap`, "-v", `${path}:/plain`],
  );
  await host().ok(["exec", donor.name, "sh", "-c", "touch /v/x; chown 5:5 /v/x"]);
  const script = `${stat("/v/x")}; ${stat("/d/other")}; ${stat("/plain/other")}`;
  expect(await inside(["--volumes-from", donor.name], script)).toBe("5:5\n1000:1001\n65534:65534\n");
  await host().ok(["rm", "-f", donor.name]);
  await host().ok(["volume", "rm", "given"]);
});

test("cp into a volume of one that is stopped has the container's owners", async () => {
  const file = join(host().dir, "copied");
  writeFileSync(file, "copied\n");
  await host().ok(["run", "--name", "still", ...auto, "-v", "kept:/v", image, "true"]);
  await host().ok(["cp", file, "still:/v/f"]);
  await host().ok(["cp", file, "still:/root/f"]);
  expect(owner(join(volumeOf("kept"), "f"))).toBe("0:0");
  await host().ok(["rm", "still"]);
  expect(await inside(["-v", "kept:/v"], `${stat("/v/f")}; cat /v/f`)).toBe("0:0\ncopied\n");
  await host().ok(["volume", "rm", "kept"]);
});

test("its root changes its own /etc/hosts, and the engine still does", async () => {
  expect(await inside([], "echo 192.0.2.7 name >> /etc/hosts; tail -n 1 /etc/hosts")).toBe(
    "192.0.2.7 name\n",
  );
  expect(await inside([], `for f in hosts hostname resolv.conf; do ${stat("/etc/$f")}; done`)).toBe(
    "0:0\n0:0\n0:0\n",
  );
});

test("a volume of an ordinary user's container that has his number is his, from the image or new", async () => {
  await using user = await ordinaryUser();
  const layout = join(user.home, "layout");
  await run(["cp", "-r", await busyboxLayout(), layout]);
  await run(["chown", "-R", `${user.uid}:${user.gid}`, layout]);
  await user.ok(["pull", "-q", `oci:${layout}`]);
  await user.ok(["run", "--name", "made", "--network", "none", image, "chown", "1000:1000", "/home/app"]);
  await user.ok(["commit", "made", "owned:1"]);
  const look = async (flags: readonly string[], script: string) =>
    user.ok(["run", "--rm", "--network", "none", ...flags, "owned:1", "sh", "-euc", script]);
  const kept = ["--userns", "keep-id:uid=1000,gid=1000"];
  for (const [volume, path] of [
    ["seeded", "/home/app"],
    ["fresh", "/new"],
  ] as const)
    for (const script of [`${stat(path)}; touch ${path}/x; rm ${path}/x`, stat(path)])
      expect(await look([...kept, "-v", `${volume}:${path}`], script)).toBe("1000:1000\n");
  // Of somebody who is nobody in there it is the container's root's, as ever.
  expect(await look(["--userns", "nomap", "-v", "roots:/new"], stat("/new"))).toBe("0:0\n");
});
