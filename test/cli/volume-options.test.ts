/** Volumes with a file system of their own: shared while somebody uses it, and gone from the host when nobody does. */
import { expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { file, hostileImage } from "../root/attacks/hostile.ts";
import { mountPoints } from "../support/leaks.ts";
import { tool } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

const dataOf = (name: string) => join(host().root, "volumes", name, "_data");
const mounted = () => mountPoints().filter((point) => point.startsWith(join(host().root, "volumes")));
const create = (name: string, ...options: string[]) =>
  host().ok(["volume", "create", ...options.flatMap((option) => ["-o", option]), name]);
const temporary = (name: string, ...more: string[]) =>
  create(name, "type=tmpfs", "device=tmpfs", ...more.map((each) => `o=${each}`));
const ran = (flags: string[], script: string) =>
  host().ok(["run", "--rm", ...flags, image, "sh", "-c", script]);
const isUnmounted = () => until("nothing is mounted", () => mounted().length === 0);

test("options are kept, and shown", async () => {
  await temporary("kept", "size=8m,uid=5");
  const [volume] = JSON.parse(await host().ok(["volume", "inspect", "kept"]));
  expect(volume.Options).toEqual({ type: "tmpfs", device: "tmpfs", o: "size=8m,uid=5" });
  // One of this name that is there stays as it is.
  await create("kept", "type=none", "device=/etc", "o=bind");
  expect(await ran(["-v", "kept:/x"], "stat -c '%u' /x; grep /x /proc/mounts")).toMatch(
    /^5\ntmpfs \/x tmpfs .*size=8192k/,
  );
  expect(mounted()).toEqual([]);
  await host().ok(["volume", "rm", "kept"]);
  expect(readdirSync(join(host().root, "volumes"))).toEqual([]);
});

test("two containers share one, and it goes with the last", async () => {
  await temporary("shared");
  {
    await using first = await running(host(), ["sleep", "1000"], ["-v", "shared:/x"]);
    await host().ok(["exec", first.name, "sh", "-c", "echo of the first > /x/file"]);
    expect(mounted()).toEqual([dataOf("shared")]);
    expect(await ran(["-v", "shared:/y"], "cat /y/file; echo of the second > /y/file")).toBe(
      "of the first\n",
    );
    expect(await host().ok(["exec", first.name, "cat", "/x/file"])).toBe("of the second\n");
    expect(readFileSync(join(dataOf("shared"), "file"), "utf8")).toBe("of the second\n");
    expect((await host().rt(["volume", "rm", "shared"])).code).toBe(1);
    await host().ok(["rm", "-f", first.name]);
    await first.client.exited;
  }
  expect(mounted()).toEqual([]);
  expect(await ran(["-v", "shared:/y"], "ls /y")).toBe("");
  await host().ok(["volume", "rm", "shared"]);
});

test("a directory of the host: seeded where it is empty, and left alone by rm and prune", async () => {
  const dir = join(host().dir, "of-the-host");
  mkdirSync(dir);
  await create("bound", "type=none", "o=bind", `device=${dir}`);
  const seeding = await hostileImage(host(), "seeding", {
    members: [
      { name: "data", type: "5", mode: 0o750, uid: 33, gid: 44 },
      file("data/seed", "of the image\n"),
      { name: "data/node", type: "3", device: { major: 1, minor: 3 }, mode: 0o666 },
    ],
  });
  expect(await host().ok(["run", "--rm", "-v", "bound:/data", seeding, "cat", "/data/seed"])).toBe(
    "of the image\n",
  );
  const { uid, gid, mode } = statSync(dir);
  expect([readdirSync(dir), uid, gid, mode & 0o7777]).toEqual([["seed"], 33, 44, 0o750]);
  await host().ok(["volume", "rm", "bound"]);
  expect(readdirSync(dir)).toEqual(["seed"]);
  await create("bound", "type=none", "o=bind,ro", `device=${dir}`);
  expect(await ran(["-v", "bound:/x"], "touch /x/new || cat /x/seed")).toBe("of the image\n");
  // Even where somebody has mounted it himself.
  await Bun.$`mount --bind ${dir} ${dataOf("bound")}`;
  await host().ok(["volume", "prune", "-af"]);
  expect([readdirSync(dir), mounted()]).toEqual([["seed"], []]);
});

test("cp into and out of a container that does not run", async () => {
  const dir = join(host().dir, "for-cp");
  mkdirSync(dir);
  await create("copied", "type=none", "o=bind", `device=${dir}`);
  await host().ok(["run", "--name", "past", "-v", "copied:/x", image, "sh", "-c", "echo written > /x/file"]);
  writeFileSync(join(host().dir, "new"), "of the host\n");
  await host().ok(["cp", "past:/x/file", join(host().dir, "out")]);
  await host().ok(["cp", join(host().dir, "new"), "past:/x/"]);
  expect(readFileSync(join(host().dir, "out"), "utf8")).toBe("written\n");
  expect([readdirSync(dir).sort(), mounted()]).toEqual([["file", "new"], []]);
  await host().ok(["rm", "past"]);
  await host().ok(["volume", "rm", "copied"]);
});

test("what cannot be mounted is said in Docker's words, and nothing is left", async () => {
  await create("nowhere", "type=nosuchfs", "device=dev", "o=ro,addr=x,password=secret");
  await create("far", "type=nfs", "device=:/srv", "o=addr=localhost,rw");
  await create("unknown", "type=nfs", "device=:/srv", "o=addr=nosuch.invalid");
  await create("absent", "type=none", "device=/no/such/directory", "o=bind");
  for (const [name, why] of [
    ["nowhere", `mount dev:${dataOf("nowhere")}, flags: 0x1, data: addr=x,password=********: no such device`],
    ["far", `mount :/srv:${dataOf("far")}, data: addr=127.0.0.1: no such device`],
    ["unknown", "error resolving passed in network volume address: lookup nosuch.invalid: no such host"],
    ["absent", `mount /no/such/directory:${dataOf("absent")}, flags: 0x1000: no such file or directory`],
  ] as const) {
    const { code, stderr } = await host().rt(["run", "--rm", "-v", `${name}:/x`, image, "true"]);
    expect([code, oneLine(stderr)]).toEqual([125, expect.stringContaining(why)]);
    expect(stderr).toContain(`error while mounting volume '${dataOf(name)}': `);
    expect((await host().rt(["create", "-v", `${name}:/x`, image, "true"])).code).toBe(125);
  }
  expect(await host().ok(["ps", "-aq"])).toBe("");
  await host().ok(["volume", "rm", "nowhere", "far", "unknown", "absent"]);
});

test("made by --mount, without a name, and gone with --rm", async () => {
  const mount = "type=volume,dst=/x,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-opt=o=size=4m";
  expect(await ran(["--mount", mount], "grep ' /x ' /proc/mounts")).toContain("size=4096k");
  expect([await host().ok(["volume", "ls", "-q"]), mounted()]).toEqual(["", []]);
});

test("kill -9 of the monitor, of the client, and a restart", async () => {
  await temporary("killed");
  const id = (await host().ok(["run", "-d", "-v", "killed:/x", image, "sleep", "1000"])).trim();
  const pid = await host().ok(["inspect", "-f", "{{.State.Pid}}", id]);
  const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid.trim()}/status`, "utf8"))![1]!;
  process.kill(Number(parent), "SIGKILL");
  await until("it is over", async () => (await host().ok(["ps", "-q"])) === "");
  expect(mounted()).toEqual([]);
  await host().ok(["start", id]);
  expect(mounted()).toEqual([dataOf("killed")]);
  await host().ok(["restart", "-t", "0", id]);
  expect(mounted()).toEqual([dataOf("killed")]);
  await host().ok(["stop", "-t", "0", id]);
  await isUnmounted();
  await host().ok(["rm", id]);
  await using client = host().spawn(["run", "--rm", "-v", "killed:/x", image, "sleep", "1000"]);
  await until("it is mounted", () => mounted().length === 1);
  client.kill("SIGKILL");
  await client.exited;
  await until(
    "it is the only one",
    async () => (await host().ok(["ps", "-aq"])).trim() !== "" || mounted().length === 0,
  );
  const left = (await host().ok(["ps", "-aq"])).trim();
  if (left !== "") await host().ok(["rm", "-f", left]);
  await isUnmounted();
  await host().ok(["volume", "rm", "killed"]);
});

test("many start and end at once: all see one file system, and nothing is left", async () => {
  await temporary("many");
  await using keeper = await running(host(), ["sleep", "1000"], ["-v", "many:/x"]);
  const runs = Array.from({ length: 8 }, (_, each) =>
    host().rt(["run", "--rm", "-v", "many:/x", image, "sh", "-c", `echo ${each} > /x/${each}`]),
  );
  for (const { code, stderr } of await Promise.all(runs)) expect([code, stderr]).toEqual([0, ""]);
  expect((await host().ok(["exec", keeper.name, "ls", "/x"])).split("\n").filter(Boolean)).toHaveLength(8);
  await host().ok(["rm", "-f", keeper.name]);
  await keeper.client.exited;
  expect(mounted()).toEqual([]);
  const waves = Array.from({ length: 8 }, () => host().rt(["run", "--rm", "-v", "many:/x", image, "true"]));
  for (const { code, stderr } of await Promise.all(waves)) expect([code, stderr]).toEqual([0, ""]);
  await isUnmounted();
  await host().ok(["volume", "rm", "many"]);
});

test("what is new and empty at a start gets what the image has; what nobody writes to stays as it is", async () => {
  await temporary("fresh");
  await temporary("sealed", "ro");
  const busybox = readFileSync(tool("busybox")!);
  const seeding = await hostileImage(host(), "sealed", {
    members: [{ ...file("busybox", busybox), mode: 0o755 }],
  });
  await host().ok(["create", "--name", "later", "-v", "fresh:/bin", image, "sh", "-c", "ls /bin/sh"]);
  expect(mounted()).toEqual([]);
  for (const _ of [1, 2]) expect(await host().ok(["start", "-a", "later"])).toBe("/bin/sh\n");
  await host().ok(["rm", "later"]);
  expect(await host().ok(["run", "--rm", "-v", "sealed:/bin", seeding, "/busybox", "ls", "-a", "/bin"])).toBe(
    ".\n..\n",
  );
  await host().ok(["volume", "rm", "fresh", "sealed"]);
});

test("what a client that was killed has mounted goes with the next command", async () => {
  await temporary("left");
  const places = join(host().state, "containers");
  // Just before it had a container, and while its state directory was being removed.
  for (const [name, age_s] of [
    ["7".repeat(64), 60],
    ["over-1", 0],
    ["using-1", 60],
  ] as const) {
    const directory = join(places, name);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "mounted"), "left\n../../etc\n");
    await Bun.$`mount -t tmpfs left ${dataOf("left")}`;
    utimesSync(directory, Date.now() / 1000 - age_s, Date.now() / 1000 - age_s);
    await host().ok(["ps"]);
    expect([name, mounted(), existsSync(directory)]).toEqual([name, [], false]);
  }
  await host().ok(["volume", "rm", "left"]);
});

test("the database may be lost: what is mounted stands beside the files", async () => {
  await temporary("lasting", "size=2m");
  await Bun.$`rm -f ${join(host().root, "db.sqlite")} ${join(host().root, "db.sqlite-wal")} ${join(host().root, "db.sqlite-shm")}`;
  const [volume] = JSON.parse(await host().ok(["volume", "inspect", "lasting"]));
  expect(volume.Options).toEqual({ type: "tmpfs", device: "tmpfs", o: "size=2m" });
  await host().ok(["volume", "rm", "lasting"]);
});
