/**
 * The files of containers with a user namespace of their own, as those see them who look from outside: diff, commit, export, cp, ps
 * and the store. Once where layers are seen through maps, and once where each container has a copy of them.
 */
import { afterAll, expect } from "bun:test";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { rememberMapped } from "../../src/snapshot/mapped.ts";
import { containerTests, image, oneLine, pidOf, type Running, running } from "../cli/world.ts";
import { run } from "../support/command.ts";
import { busyboxLayout } from "../support/images.ts";
import { ordinaryUser } from "../support/ordinary-user.ts";
import { archive } from "../support/tar.ts";

const { test, host } = containerTests(["setcap", "getcap", "setfattr", "nsenter", "newuidmap", "setpriv"]);

const maps = (first: number) => ["--uidmap", `0:${first}:65536`, "--gidmap", `0:${first + 100_000}:65536`];
const [first, second] = [1_000_000, 2_000_000];

const ways = ["mapped", "copied"] as const;
type Way = (typeof ways)[number];

function take(way: Way): void {
  const directory = join(host().root, "snapshots/overlay");
  mkdirSync(directory, { recursive: true });
  rememberMapped(directory, way === "mapped");
}
afterAll(() => rmSync(join(host().root, "snapshots/overlay/mapped"), { force: true }));

/** Everything that stat says, but for what no archive has, and the links of directories, which overlay counts in its own way. */
const listing = `cd /odd; find . | sort | xargs stat -c '%n %F %a %u:%g %Y'; find . ! -type d | sort | xargs stat -c '%n %h'
  cat two new/in`;

const long = "l".repeat(255);

/** What a first container leaves to be changed. */
const base = `mkdir -p /odd/dir/sub /odd/opaque /odd/gone; cd /odd; echo one > one; echo two > two; echo x > dir/sub/x
  echo y > opaque/y; echo z > gone/z; chown 5:6 dir; chown -h 7:8 two; ln -s one link; chown -h 9:10 link; chmod 4711 one`;

const changes = `cd /odd; rm -r gone opaque dir/sub/x; mkdir opaque new; echo in > new/in; echo more >> two; chown 65535:65535 new/in
  ln two hard; mkfifo fifo; chown 11:12 fifo; chmod 6755 one; chown 3:4 one; chmod 6755 one; touch ${long}; chmod 0 ${long}
  mkdir shut; touch shut/file; chmod 0 shut; chmod 3777 new; cp /bin/busybox capped; chmod 700 capped; touch -d @1000000000 two`;

/** As the container's root, with programs of the host's. */
async function inside(container: Running, script: string): Promise<string> {
  const pid = await pidOf(host(), container.name);
  const enter = ["nsenter", "--user", "-t", String(pid), "-S", "0", "-G", "0", "sh", "-euc", script];
  return run(enter, { cwd: `/proc/${pid}/root/odd` });
}

const see = async (flags: readonly string[], of: string) =>
  host().ok(["run", "--rm", ...flags, of, "sh", "-c", listing]);

for (const way of ways) {
  test(`${way}: what a container changed is the same in every other one, whatever its maps`, async () => {
    take(way);
    const [early, late] = [`early-${way}`, `late-${way}`];
    await host().ok(["run", "--name", early, image, "sh", "-euc", base]);
    await host().ok(["commit", early, `${early}:1`]);
    await host().ok(["rm", early]);
    {
      await using c = await running(
        host(),
        ["sh", "-euc", `${changes}; echo made; exec sleep 1000`],
        maps(first),
        `${early}:1`,
      );
      await c.client.stdout.waitFor("made");
      await inside(c, "setcap cap_net_raw+ep capped; setfattr -n user.note -v mine new");
      const seen = await host().ok(["exec", c.name, "sh", "-c", listing]);
      expect(seen).toContain("./new/in regular file 644 65535:65535 ");
      expect(seen).toContain("./hard regular file 644 7:8 1000000000\n");
      await host().ok(["commit", c.name, `${late}:1`]);
      for (const flags of [maps(first), maps(second), []])
        expect([flags, await see(flags, `${late}:1`)]).toEqual([flags, seen]);
    }
    await using plain = await running(host(), ["sleep", "1000"], [], `${late}:1`);
    const root = `/proc/${await pidOf(host(), plain.name)}/root/odd`;
    expect(await run(["getcap", "capped"], { cwd: root })).toContain("cap_net_raw");
    expect(await run(["getfattr", "-d", "new"], { cwd: root })).toContain('user.note="mine"');
  });

  test(`${way}: diff tells of what is another, and not of who has it on the host`, async () => {
    take(way);
    await using c = await running(host(), ["sleep", "1000"], maps(first));
    expect(await host().ok(["diff", c.name])).toBe("");
    await host().ok([
      "exec",
      c.name,
      "sh",
      "-c",
      "touch /etc/passing; rm /etc/passing; echo > /new; chown 5 /bin",
    ]);
    expect((await host().ok(["diff", c.name])).trim().split("\n")).toEqual(["C /bin", "A /new"]);
    await host().ok(["stop", "-t", "0", c.name]);
    expect((await host().ok(["diff", c.name])).trim().split("\n")).toEqual(["C /bin", "A /new"]);
  });

  for (const state of ["running", "stopped"] as const)
    test(`${way}, ${state}: cp and export have the container's numbers`, async () => {
      take(way);
      const dir = mkdtempSync(join(host().dir, "userns-"));
      writeFileSync(join(dir, "file"), "from outside\n");
      chownSync(join(dir, "file"), 5, 6);
      await using c = await running(
        host(),
        ["sh", "-c", "mkdir /d; echo in > /d/f; chown 7:8 /d/f; chmod 600 /d/f; exec sleep 1000"],
        maps(first),
      );
      await host().ok(["exec", c.name, "sh", "-c", "until [ -s /d/f ]; do sleep 0.1; done"]);
      if (state === "stopped") await host().ok(["stop", "-t", "0", c.name]);
      await host().ok(["cp", join(dir, "file"), `${c.name}:/d/given`]);
      await host().ok(["cp", "-a", `${c.name}:/d`, join(dir, "whole")]);
      await host().ok(["cp", `${c.name}:/d`, join(dir, "plain")]);
      const owner = (path: string) => [lstatSync(path).uid, lstatSync(path).gid];
      expect(owner(join(dir, "whole"))).toEqual([0, 0]);
      expect(owner(join(dir, "whole/f"))).toEqual([7, 8]);
      expect(owner(join(dir, "whole/given"))).toEqual([5, 6]);
      expect(owner(join(dir, "plain/f"))).toEqual([0, 0]);
      expect(readFileSync(join(dir, "plain/given"), "utf8")).toBe("from outside\n");
      await host().ok(["export", "-o", join(dir, "all.tar"), c.name]);
      const listed = await run([
        "tar",
        "tvf",
        join(dir, "all.tar"),
        "--numeric-owner",
        "d/f",
        "d/given",
        "bin/busybox",
      ]);
      for (const line of [/ 7\/8 .* d\/f/, / 5\/6 .* d\/given/, / 0\/0 .* bin\/busybox/])
        expect(listed).toMatch(line);
      // Nobody of the container's (what came of it stays its root's alone), and what nobody makes in a user namespace.
      chownSync(join(dir, "file"), 70_000, 0);
      const refused = await host().rt(["cp", join(dir, "file"), `${c.name}:/d/foreign`]);
      expect(oneLine(refused.stderr)).toMatch(
        /belong to 70000:0, whom the container's user namespace has not got/,
      );
      const device = archive(
        { name: "null", type: "3", device: { major: 1, minor: 3 } },
        { name: "beside", content: "b" },
      );
      const left = await host().rt(["cp", "-", `${c.name}:/d`], { stdin: device });
      expect(oneLine(left.stderr)).toMatch(/^1 device nodes were left out/);
      if (state === "stopped") await host().ok(["start", c.name]);
      const there = await host().ok(["exec", c.name, "sh", "-c", "cd /d; stat -c '%n %u:%g' *"]);
      expect(there.trim().split("\n")).toEqual(["beside 0:0", "f 7:8", "foreign 0:0", "given 5:6"]);
      rmSync(dir, { recursive: true });
    });

  test(`${way}: sizes, checks, and removal of what nobody may enter`, async () => {
    take(way);
    const script =
      "head -c 1048576 /dev/zero > /big; mkdir -p /shut/in; chown 9 /shut/in; chmod 0 /shut/in /shut; chown 8 /shut";
    const made = await host().rt(["run", "--name", "heavy", ...maps(first), image, "sh", "-euc", script]);
    expect(made).toMatchObject({ code: 0, stdout: "" });
    const why = /container heavy: its files are copied, which takes time and room/;
    if (way === "mapped") expect(made.stderr).toBe("");
    else expect(oneLine(made.stderr)).toMatch(why);
    // Once in its life.
    expect((await host().rt(["start", "-a", "heavy"])).stderr).not.toMatch(why);
    const size = await host().ok(["ps", "-a", "-s", "--format", "{{.Size}}", "-f", "name=heavy"]);
    expect(size).toMatch(way === "mapped" ? /^1\.\d+MB/ : /^\d+(\.\d+)?MB/);
    expect(await host().ok(["system", "df"])).toMatch(/Containers +1 +0 +[1-9]/);
    await host().ok(["system", "check"]);
    const id = (await host().ok(["ps", "-aq", "--no-trunc", "-f", "name=heavy"])).trim();
    const top = join(host().root, "snapshots/overlay/active", id, way === "mapped" ? "upper" : "rootfs");
    expect(statSync(join(top, "shut"))).toMatchObject({ uid: first + 8, gid: first + 100_000 });
    expect(statSync(top)).toMatchObject({ uid: first, gid: first + 100_000 });
    await host().ok(["system", "prune", "-f"]);
    expect(existsSync(top)).toBe(false);
  });
}

test("an ordinary user's container with his own number has a copy of its image, and he all the rest", async () => {
  await using user = await ordinaryUser();
  const layout = join(user.home, "layout");
  await run(["cp", "-r", await busyboxLayout(), layout]);
  await run(["chown", "-R", `${user.uid}:${user.gid}`, layout]);
  await user.ok(["pull", "-q", `oci:${layout}`]);
  const kept = ["--network", "none", "--userns", "keep-id"];
  const script = "id -u; echo mine > /tmp/own; mkdir -m 0 /tmp/shut; sleep 1000";
  await using client = user.spawn(["run", "--name", "kept", ...kept, image, "sh", "-c", script]);
  await client.stdout.waitFor(`${user.uid}\n`);
  expect(oneLine(client.stderr.text)).toMatch(/^container kept: its files are copied/);
  const root = ["exec", "-u", "0", "kept", "sh", "-c"];
  await user.ok([...root, "echo x > /five; chown 5:6 /five; mkdir /never; chown 9 /never; chmod 0 /never"]);
  expect((await user.ok(["diff", "kept"])).trim().split("\n").sort()).toEqual([
    ...["A /five", "A /never", "A /tmp/own", "A /tmp/shut", "C /tmp"],
  ]);
  await user.ok(["cp", "kept:/tmp/own", join(user.home, "own")]);
  expect(lstatSync(join(user.home, "own")).uid).toBe(user.uid);
  writeFileSync(join(user.home, "given"), "given\n");
  chownSync(join(user.home, "given"), user.uid, user.gid);
  await user.ok(["cp", join(user.home, "given"), "kept:/given"]);
  expect(await user.ok([...root, "stat -c '%u:%g' /five /given"])).toMatch(/^5:6\n/);
  // His number is larger than those that are mapped for him: no image of his has it.
  expect((await user.rt(["commit", "kept", "again:1"])).stderr).toMatch(
    /belongs to the user \d+, and 65537 ids are mapped/,
  );
  await user.ok([...root, "rm -r /tmp/own /tmp/shut"]);
  await user.ok(["commit", "kept", "again:1"]);
  await user.ok(["rm", "-f", "kept"]);
  await client.exited;
  for (const flags of [kept, ["--network", "none"]])
    expect(
      await user.ok([
        "run",
        "--rm",
        "-u",
        "0",
        ...flags,
        "again:1",
        "stat",
        "-c",
        "%u:%g %a",
        "/five",
        "/never",
      ]),
    ).toBe("5:6 644\n9:0 0\n");
  expect(await user.rt(["system", "check"])).toMatchObject({ code: 0, stderr: "" });
}, 120_000);
