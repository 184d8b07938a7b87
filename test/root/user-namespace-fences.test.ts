/** What keeps the root of a user namespace from being anybody on the host. */
import { expect } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, pidOf, running } from "../cli/world.ts";
import { facts } from "../support/probe.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests(["mknod", "setpriv"]);

const maps = ["--uidmap", "0:100000:65536"];
const free = ["--security-opt", "seccomp=unconfined"];
const run = (flags: readonly string[], ...command: string[]) =>
  host().ok(["run", "--rm", "--network", "none", ...maps, ...flags, image, ...command]);

/** "try WHAT ERRNO" of a container that may mount. */
async function attempt(flags: readonly string[], ...what: string[]): Promise<string> {
  const all = ["--cap-add", "SYS_ADMIN", ...free, ...flags];
  return facts(await run(all, "probe", "try", ...what))
    .get("try")!
    .split(" ")
    .at(-1)!;
}

test("its maps and its word on groups are written for good", async () => {
  const write = (file: string, text: string) => `echo '${text}' 2>&1 > /proc/self/${file}`;
  for (const [file, text] of [
    ["uid_map", "0 0 1"],
    ["gid_map", "0 0 1"],
    ["uid_map", "0 100000 65536"],
  ]) {
    for (const flags of [["--privileged"], free]) {
      const { code } = await host().rt([
        "run",
        "--rm",
        ...maps,
        ...flags,
        image,
        "sh",
        "-c",
        write(file!, text!),
      ]);
      expect([file, code]).toEqual([file, 1]);
    }
  }
  expect(await run(["--privileged"], "cat", "/proc/self/setgroups")).toBe("allow\n");
});

test("what is mounted of the host's stays as it was mounted", async () => {
  const dir = join(host().dir, "locked");
  mkdirSync(dir);
  chmodSync(dir, 0o777);
  const volume = ["-v", `${dir}:/v:ro`];
  expect(await attempt(volume, "remount-rw", "/v")).toBe("EPERM");
  for (const privileged of [["--privileged"], ["--cap-add", "SYS_ADMIN", ...free]]) {
    const script =
      "(mount -o remount,bind,rw /v; mount -o remount,bind,dev,suid /v; true > /v/new; echo $?) 2>/dev/null";
    const flags = ["--rm", ...privileged, ...volume];
    expect(await host().ok(["run", ...flags, ...maps, image, "sh", "-c", script])).toBe("1\n");
    // The host's own root may.
    expect(await host().ok(["run", ...flags, image, "sh", "-c", `${script}; rm -f /v/new`])).toBe("0\n");
  }
});

test("a device node in a layer or a volume does not open, whatever is mounted again", async () => {
  const volume = join(host().dir, "nodes");
  mkdirSync(volume);
  Bun.spawnSync(["mknod", "-m", "666", join(volume, "zero"), "c", "1", "5"]);
  const script =
    "mount -o remount,bind,dev /v; mount -o remount,bind,dev /; mknod /z c 1 5; true < /v/zero || echo closed";
  const flags = ["--cap-add", "SYS_ADMIN", "--cap-add", "MKNOD", ...free, "-v", `${volume}:/v`];
  expect(await run(flags, "sh", "-c", `(${script}) 2>/dev/null`)).toBe("closed\n");
});

test("a privileged one cannot open the host's devices, but for those that everybody can, and one that it is given", async () => {
  const node = "/dev/rt-test-zero";
  Bun.spawnSync(["mknod", "-m", "600", node, "c", "1", "5"]);
  try {
    const look = `stat -c %u ${node} /dev/null; true < /dev/null && (true < ${node} || echo closed) 2>/dev/null`;
    expect(await run(["--privileged"], "sh", "-c", look)).toBe("65534\n0\nclosed\n");
    expect(await run(["--privileged", "--device", node], "sh", "-c", look)).toBe("0\n0\n");
    expect(await run(["--device", node], "sh", "-c", look)).toBe("0\n0\n");
  } finally {
    rmSync(node);
  }
});

test("in a user namespace inside, masks cannot be taken away", async () => {
  const masked = "/proc/keys";
  if (!existsSync(masked)) return;
  const script = `unshare -Urm sh -c 'umount ${masked}; umount /proc/sys; mount -o remount,bind,rw /proc/sys; wc -c < ${masked}; true > /proc/sys/kernel/domainname'`;
  const { stdout } = await host().rt([
    "run",
    "--rm",
    ...maps,
    "--cap-add",
    "SYS_ADMIN",
    ...free,
    image,
    "sh",
    "-c",
    script,
  ]);
  expect(stdout).toBe("0\n");
});

test("a host's process can be neither signalled nor looked into, though it is in sight", async () => {
  await using victim = Bun.spawn(["sleep", "1000"], { env: { SECRET: "canary" } });
  const script = `kill -9 ${victim.pid}; kill -0 1; cat /proc/${victim.pid}/environ; readlink /proc/${victim.pid}/root; true > /proc/1/oom_score_adj; echo 1 > /proc/sys/kernel/panic; echo end`;
  const output = await run(["--privileged", "--pid", "host"], "sh", "-c", `(${script}) 2>/dev/null`);
  expect(output).toBe("end\n");
  expect(victim.exitCode).toBeNull();
  victim.kill();
});

test("files of the host's root are closed to it, and those that all may read cannot be written", async () => {
  const dir = join(host().dir, "closed");
  mkdirSync(dir, { mode: 0o755 });
  writeFileSync(join(dir, "secret"), "secret", { mode: 0o600 });
  writeFileSync(join(dir, "open"), "open", { mode: 0o644 });
  chmodSync(dir, 0o755);
  const script =
    "cat /v/secret; true > /v/open; rm -f /v/open; chown 0 /v/open; chmod 777 /v; mknod /v/n c 1 5; cat /v/open";
  expect(await run(["--privileged", "-v", `${dir}:/v`], "sh", "-c", `(${script}) 2>/dev/null`)).toBe("open");
  expect(statSync(join(dir, "open")).uid).toBe(0);
});

test("a setuid program makes its user the container's root, and nobody on the host", async () => {
  await using container = await running(host(), ["sleep", "1000"], maps);
  const exec = (...words: string[]) => host().ok(["exec", ...words]);
  await exec(container.name, "sh", "-c", "cp /bin/probe /rooted; chmod 4755 /rooted");
  const ids = facts(await exec("-u", "1000", container.name, "/rooted", "ids"));
  expect([ids.get("uid"), ids.get("euid")]).toEqual(["1000", "0"]);
  const pid = await pidOf(host(), container.name);
  const status = await Bun.file(`/proc/${pid}/status`).text();
  expect(/^Uid:\s+(\d+)\s+(\d+)/m.exec(status)?.slice(1)).toEqual(["100000", "100000"]);
  expect(
    /^Groups:\s*(.*)$/m
      .exec(status)?.[1]
      ?.trim()
      .split(" ")
      .every((gid) => Number(gid) >= 100_000),
  ).toBe(true);
});

test("an exec has no group of its caller's, whatever its container's namespace says of groups", async () => {
  const dir = join(host().dir, "grouped");
  mkdirSync(dir);
  chmodSync(dir, 0o755);
  const secret = join(dir, "secret");
  writeFileSync(secret, "secret");
  chownSync(secret, 0, 6);
  chmodSync(secret, 0o640);
  const front = ["setpriv", "--groups", "0,6"];
  const flags = ["--privileged", ...maps, "-v", `${dir}:/v`];
  // Its own /proc says that setgroups(2) is denied, as it is.
  const lie = "mkdir -p /t/self; echo deny > /t/self/setgroups; mount -o bind /t /proc; exec sleep 1000";
  for (const [command, more, status] of [
    [["unshare", "-Urm", "sh", "-c", lie], [], 1],
    [["unshare", "-Ur", "sleep", "1000"], ["--pid", "host"], 1],
    [["unshare", "-U", "sleep", "1000"], ["--pid", "host"], 125],
  ] as const) {
    await using container = await running(host(), command, [...flags, ...more]);
    const pid = await pidOf(host(), container.name);
    await until(
      "the container sleeps",
      async () => (await Bun.file(`/proc/${pid}/comm`).text()) === "sleep\n",
    );
    const { code, stdout } = await host().rt(["exec", container.name, "cat", "/v/secret"], { front });
    expect([command, code, stdout]).toEqual([command, status, ""]);
  }
});

test("no descriptor and no directory of ours is in the program", async () => {
  for (const flags of [[], ["--pid", "host"], ["--init"], ["-t"]]) {
    const walk = await run(flags, "probe", "fchdir-walk");
    expect([flags, walk.replaceAll("\r", "")]).toEqual([flags, "walked 1021\n"]);
    const names = await run(flags, "probe", "ls", "/proc/self/fd");
    expect([flags, names.trim().split("\n").length]).toEqual([flags, 4]);
  }
});

test("nobody who may trace everything in it catches what starts or joins there", async () => {
  const tracing = ["--cap-add", "SYS_PTRACE", ...free];
  await using container = await running(host(), ["probe", "stalk", "6"], [...maps, ...tracing]);
  await container.client.stdout.waitFor("ready");
  while (!container.client.stdout.text.includes("looked")) {
    await host().rt(["exec", container.name, "probe", "exit", "0"]);
    const joined = ["--pid", `container:${container.name}`, ...maps];
    await host().rt(["run", "--rm", "--network", "none", ...joined, image, "probe", "exit", "0"]);
  }
  await until("it has ended", () => container.client.exited);
  expect(container.client.stdout.text.replace(/^looked \d+$/m, "looked")).toBe("ready\nlooked\n");
}, 120_000);

test("maps that the kernel does not take are one line", async () => {
  const many = Array.from({ length: 341 }, (_, index) => [
    "--uidmap",
    `${index * 2}:${100_000 + index * 2}:1`,
  ]).flat();
  for (const flags of [many, ["--uidmap", "0:100000:10", "--uidmap", "5:200000:10"]]) {
    const { stderr, code } = await host().rt(["run", "--rm", ...flags, image, "true"]);
    expect(code).toBe(125);
    oneLine(stderr);
  }
});

test("the namespace of another container is joined with all that it has, and nothing of the host's comes along", async () => {
  await using other = await running(host(), ["sleep", "1000"], maps);
  const flags = ["--userns", `container:${other.name}`, "--pid", `container:${other.name}`];
  const joined = (...command: string[]) =>
    host().ok(["run", "--rm", "--network", "none", ...flags, image, ...command]);
  const own = await host().ok(["exec", other.name, "readlink", "/proc/1/ns/user"]);
  expect(await joined("readlink", "/proc/self/ns/user")).toBe(own);
  expect(await joined("kill", "-0", "1")).toBe("");
  expect(await joined("probe", "fchdir-walk")).toBe("walked 1021\n");
});
