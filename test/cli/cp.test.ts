/** `rt cp`: docker's rules for what goes where, both ways, into and out of containers that run and that do not. */
import { afterEach, beforeEach, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { isLocked } from "../../src/runtime/lock.ts";
import { busyboxLayout } from "../support/images.ts";
import { processesMentioning } from "../support/leaks.ts";
import { archive } from "../support/tar.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, type Running, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(host().dir, "cp-"));
  mkdirSync(join(dir, "tree/sub"), { recursive: true });
  writeFileSync(join(dir, "file"), "a file\n");
  writeFileSync(join(dir, "tree/one"), "one\n");
  writeFileSync(join(dir, "tree/sub/two"), "two\n");
  symlinkSync("sub/two", join(dir, "tree/link"));
  linkSync(join(dir, "tree/one"), join(dir, "tree/again"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const make = `mkdir -p /there/tree-less /src/sub; echo inside > /src/one; echo two > /src/sub/two; ln -s sub/two /src/link
  ln /src/one /src/again; echo old > /old; ln -s /there /to-dir; ln -s old /to-file; ln -s /src/one /to-one; ln -s /new-one /dangling`;

interface Subject extends AsyncDisposable {
  name: string;
  env: Record<string, string>;
  rt(
    args: string[],
    input?: Uint8Array,
  ): Promise<{ stdout: string; stderr: string; code: number; stdoutBytes: Uint8Array }>;
  /** What the container has at a path, or undefined. */
  has(path: string): Promise<string | undefined>;
  shell(script: string): Promise<string>;
}

/** The same container in each state that it may be in, with each driver. */
const subjects: Record<string, () => Promise<Subject>> = {};
for (const driver of ["overlay", "copy"])
  for (const state of ["running", "stopped"])
    subjects[`${state}, ${driver}`] = async () => {
      const env = { RT_STORAGE_DRIVER: driver };
      await host().ok(["pull", "-q", `oci:${await busyboxLayout()}`], { env });
      const name = `subject-${state}-${driver}`;
      mkdirSync(join(host().dir, "shared"), { recursive: true });
      writeFileSync(join(host().dir, "shared-file"), "shared\n");
      const flags = [
        "--name",
        name,
        "-v",
        `${host().dir}/shared:/mnt/shared`,
        "-v",
        `${host().dir}/shared:/mnt/ro:ro`,
      ];
      flags.push("-v", "named:/mnt/named", "-v", `${host().dir}/shared-file:/mnt/one-file`);
      const program = ["sh", "-c", `${make}; echo up; exec sleep 1000`];
      const client = host().spawn(["run", ...flags, image, ...program], { env });
      await client.stdout.waitFor("up");
      if (state === "stopped") {
        await host().ok(["kill", name], { env });
        await client.exited;
      }
      const rt = (args: string[], input?: Uint8Array) =>
        host().rt(args, { env, ...(input && { stdin: input }) });
      const subject: Subject = {
        name,
        env,
        rt,
        async has(path) {
          const { stdoutBytes, code } = await rt(["cp", "-L", `${name}:${path}`, "-"]);
          if (code !== 0) return undefined;
          return await unpacked(stdoutBytes);
        },
        shell: (script) => host().ok(["exec", name, "sh", "-c", script], { env }),
        async [Symbol.asyncDispose]() {
          await host().rt(["rm", "-f", "-v", name], { env });
          await client[Symbol.asyncDispose]();
          rmSync(join(host().dir, "shared"), { recursive: true, force: true });
        },
      };
      return subject;
    };

/** "name=content" of the files in an archive, one a line. */
async function unpacked(bytes: Uint8Array): Promise<string> {
  const out = mkdtempSync(join(host().dir, "out-"));
  writeFileSync(join(out, "a.tar"), bytes);
  mkdirSync(join(out, "x"));
  expect(
    await Bun.spawn(["tar", "xf", join(out, "a.tar"), "-C", join(out, "x")], { stderr: "ignore" }).exited,
  ).toBe(0);
  const text = listing(join(out, "x"));
  rmSync(out, { recursive: true });
  return text;
}

function listing(path: string): string {
  const lines: string[] = [];
  const walk = (at: string, name: string) => {
    const found = lstatSync(at);
    if (found.isDirectory()) {
      if (name) lines.push(`${name}/`);
      for (const each of readdirSync(at).sort()) walk(join(at, each), name ? `${name}/${each}` : each);
    } else if (found.isSymbolicLink()) lines.push(`${name} -> ${readlinkSync(at)}`);
    else lines.push(`${name}=${readFileSync(at, "utf8").trim()}`);
  };
  walk(path, "");
  return lines.join("\n");
}

const below = (name: string, one: string) =>
  `${name}/\n${name}/again=${one}\n${name}/link -> sub/two\n${name}/one=${one}\n${name}/sub/\n${name}/sub/two=two`;
const contents = (one: string) => below("x", one).replaceAll(/^x\/\n?/gm, "");

for (const [title, open] of Object.entries(subjects)) {
  test(`${title}: a file into a container`, async () => {
    await using c = await open();
    const cp = async (from: string, to: string) => {
      const { stdout, stderr, code } = await c.rt(["cp", join(dir, from), `${c.name}:${to}`]);
      return code === 0 ? `${stdout}${stderr}` : `${code} ${oneLine(stderr)}`;
    };
    expect(await cp("file", "/new")).toBe(""); // not there: made
    expect(await c.has("/new")).toBe("new=a file");
    expect(await cp("file", "/old")).toBe(""); // a file: replaced
    expect(await c.has("/old")).toBe("old=a file");
    expect(await cp("file", "/there")).toBe(""); // a directory: into it
    expect(await cp("file", "there/tree-less/")).toBe("");
    expect(await c.has("/there")).toBe(
      "there/\nthere/file=a file\nthere/tree-less/\nthere/tree-less/file=a file",
    );
    expect(await cp("tree/one", "/to-dir")).toBe(""); // a link to a directory
    expect(await c.has("/there/one")).toBe("one=one");
    expect(await cp("tree/one", "/to-file")).toBe(""); // a link to a file: that is replaced
    expect(await c.has("/old")).toBe("old=one");
    expect(await cp("tree/one", "/dangling")).toBe("");
    expect(await c.has("/new-one")).toBe("new-one=one");
    expect(await cp("file", "/nowhere/")).toBe("1 no such directory");
    expect(await cp("file", "/no/where")).toBe(`1 Could not find the file /no/where in container ${c.name}`);
    expect(await cp("file", "/old/")).toBe("1 /old/ is not a directory");
    expect(await cp("file", "/there/../../../../under")).toBe("");
    expect(await c.has("/under")).toBe("under=a file");
    mkdirSync(join(dir, "tree-less"));
    expect(await cp("tree-less", "/new")).toBe("1 cannot copy directory");
    writeFileSync(join(dir, "sub"), "");
    expect(await cp("sub", "/src")).toBe("1 cannot overwrite directory /src/sub with non-directory");
    expect(await cp("missing", "/x")).toBe(`1 lstat ${join(dir, "missing")}: no such file or directory`);
    expect(await c.has("/src")).toBe(below("src", "inside"));
  });

  test(`${title}: a directory into a container`, async () => {
    await using c = await open();
    const ok = async (from: string, to: string) => {
      const result = await c.rt(["cp", `${dir}/${from}`, `${c.name}:${to}`]);
      expect(result).toMatchObject({ stdout: "", stderr: "", code: 0 });
    };
    await ok("tree", "/new"); // not there: made
    expect(await c.has("/new")).toBe(below("new", "one"));
    await ok("tree/.", "/newer");
    expect(await c.has("/newer")).toBe(below("newer", "one"));
    await ok("tree", "/there"); // there: into it
    expect(await c.has("/there/tree")).toBe(below("tree", "one"));
    await ok("tree/", "/there/tree-less/");
    expect(await c.has("/there/tree-less/tree")).toBe(below("tree", "one"));
    await ok("tree/.", "/src"); // its contents over what is there
    expect(await c.has("/src")).toBe(below("src", "one"));
  });

  test(`${title}: out of a container`, async () => {
    await using c = await open();
    const cp = async (from: string, to: string, flags: string[] = []) => {
      const { stdout, stderr, code } = await c.rt([
        "cp",
        ...flags,
        `${c.name}:${from}`,
        join(dir, to) + (to.endsWith("/") ? "" : ""),
      ]);
      return code === 0 ? `${stdout}${stderr}` : `${code} ${oneLine(stderr)}`;
    };
    mkdirSync(join(dir, "out"));
    expect(await cp("/src/one", "new")).toBe("");
    expect(readFileSync(join(dir, "new"), "utf8")).toBe("inside\n");
    expect(await cp("src/one", "file")).toBe("");
    expect(readFileSync(join(dir, "file"), "utf8")).toBe("inside\n");
    expect(await cp("/src/one", "out")).toBe("");
    expect(await cp("/src", "out")).toBe("");
    expect(listing(join(dir, "out"))).toBe(`one=inside\n${below("src", "inside")}`);
    expect(await cp("/src", "made")).toBe("");
    expect(await cp("/src/.", "made-too")).toBe("");
    expect(await cp("/src/.", "tree")).toBe("");
    for (const name of ["made", "made-too", "tree"])
      expect(listing(join(dir, name))).toBe(contents("inside"));
    expect(statSync(join(dir, "made/one")).ino).toBe(statSync(join(dir, "made/again")).ino);
    expect(await cp("/src", "file")).toBe("1 cannot copy directory");
    expect(await cp("/src/one", "nowhere/")).toBe("1 no such directory");
    expect(await cp("/src/one", "no/where")).toBe(
      `1 invalid output path: directory "${join(dir, "no")}" does not exist`,
    );
    expect(await cp("/missing", "x")).toBe(`1 Could not find the file /missing in container ${c.name}`);
    expect(await cp("/src/one/", "x")).toMatch(/^1 .*(not a directory|Could not find the file)/);
    // A link is a link, unless it is asked to be followed.
    expect(await cp("/to-one", "as-link")).toBe("");
    expect(readlinkSync(join(dir, "as-link"))).toBe("/src/one");
    expect(await cp("/to-one", "as-file", ["-L"])).toBe("");
    expect(readFileSync(join(dir, "as-file"), "utf8")).toBe("inside\n");
    expect(await cp("/to-dir", "as-dir", ["--follow-link"])).toBe("");
    expect(statSync(join(dir, "as-dir")).isDirectory()).toBe(true);
    // Nothing of the kernel's.
    expect(await cp("/proc/1/environ", "x")).toBe(
      `1 Could not find the file /proc/1/environ in container ${c.name}`,
    );
    expect(existsSync(join(dir, "x"))).toBe(false);
  });

  test(`${title}: volumes as the container sees them`, async () => {
    await using c = await open();
    const shared = join(host().dir, "shared");
    const put = (to: string) => c.rt(["cp", join(dir, "tree"), `${c.name}:${to}`]);
    for (const place of ["/mnt/shared", "/mnt/named"]) {
      expect(await put(place)).toMatchObject({ stderr: "", code: 0 });
      expect(await c.has(`${place}/tree`)).toBe(below("tree", "one"));
    }
    expect(listing(shared)).toBe(below("tree", "one"));
    expect(await c.has("/mnt/shared/.")).toBe(below("tree", "one"));
    expect((await c.has("/mnt"))?.split("\n")).toContain("mnt/ro/tree/one=one");
    const refused = await put("/mnt/ro");
    expect(oneLine(refused.stderr)).toContain("read-only");
    expect(refused.code).toBe(1);
    // A single file that is mounted is written to in its place.
    expect(await c.rt(["cp", join(dir, "file"), `${c.name}:/mnt/one-file`])).toMatchObject({
      stderr: "",
      code: 0,
    });
    expect(readFileSync(join(host().dir, "shared-file"), "utf8")).toBe("a file\n");
  });

  test(`${title}: archives on stdin and stdout`, async () => {
    await using c = await open();
    const put = (bytes: Uint8Array, to: string) => c.rt(["cp", "-", `${c.name}:${to}`], bytes);
    const bytes = archive(
      { name: "d", type: "5", mode: 0o751 },
      { name: "d/f", content: "f\n", mode: 0o640, uid: 1000, gid: 100 },
      { name: "implied/deep/g", content: "g\n" },
      { name: ".wh.one", content: "no deletion\n" },
    );
    expect(await put(bytes, "/src")).toMatchObject({ stdout: "", stderr: "", code: 0 });
    expect(await c.has("/src/d")).toBe("d/\nd/f=f");
    expect(await c.has("/src/implied")).toBe("implied/\nimplied/deep/\nimplied/deep/g=g");
    expect(await c.has("/src/.wh.one")).toBe(".wh.one=no deletion");
    expect(await c.has("/src/one")).toBe("one=inside");
    expect(await put(gzipSync(bytes), "/there")).toMatchObject({ stderr: "", code: 0 });
    expect(await c.has("/there/d")).toBe("d/\nd/f=f");
    expect((await put(gzipSync(bytes).subarray(0, 60), "/there")).code).toBe(1);
    expect(oneLine((await put(bytes, "/old")).stderr)).toBe("destination /old must be a directory");
    expect(oneLine((await put(bytes, "/missing")).stderr)).toBe(
      `Could not find the file /missing in container ${c.name}`,
    );
    expect(oneLine((await put(archive({ name: "../out", content: "x" }), "/there")).stderr)).toContain(
      "leads out of the archive",
    );
    expect(oneLine((await put(Buffer.alloc(2000, "junk"), "/there")).stderr)).toContain("not a tar archive");
    expect((await put(bytes.subarray(0, 900), "/there")).code).toBe(1);
    const out = (await c.rt(["cp", `${c.name}:/src/d`, "-"])).stdoutBytes;
    const tar = Bun.spawn(["tar", "tvf", "-", "--numeric-owner"], { stdin: out as Uint8Array<ArrayBuffer> });
    const rows = (await tar.stdout.text()).trimEnd().split("\n");
    expect(rows[0]).toMatch(/^drwxr-x--x 0\/0 .* d\/$/);
    expect(rows[1]).toMatch(/^-rw-r----- 1000\/100 .* d\/f$/);
    const dot = (await c.rt(["cp", `${c.name}:/src/d/.`, "-"])).stdoutBytes;
    expect(await unpacked(dot)).toBe("f=f");
  });
}

test("owners, modes, times; -a keeps what gives rights, too", async () => {
  await using c = await subjects["running, overlay"]!();
  await c.shell("chown -R 1000:100 /src; chmod 6755 /src/one; touch -d @1000000000 /src/sub/two");
  const node = archive({ name: "null", type: "3", device: { major: 1, minor: 3 } });
  expect(await c.rt(["cp", "-", `${c.name}:/src`], node)).toMatchObject({ stderr: "", code: 0 });
  const plain = await c.rt(["cp", `${c.name}:/src`, join(dir, "plain")]);
  expect(plain).toMatchObject({ stderr: "rt: 1 device nodes were left out (-a copies them)\n", code: 0 });
  const of = (path: string) => lstatSync(join(dir, path));
  expect([of("plain/one").uid, of("plain/one").gid, of("plain/one").mode & 0o7777]).toEqual([0, 0, 0o755]);
  expect(existsSync(join(dir, "plain/null"))).toBe(false);
  expect(of("plain/sub/two").mtimeMs).toBe(1e12);
  await host().ok(["cp", "-a", `${c.name}:/src`, join(dir, "whole")], { env: c.env });
  expect([of("whole/one").uid, of("whole/one").gid, of("whole/one").mode & 0o7777]).toEqual([
    1000, 100, 0o6755,
  ]);
  expect(of("whole/null").isCharacterDevice()).toBe(true);
  expect([of("whole/link").uid, of("whole/sub").uid]).toEqual([1000, 1000]);
  // Into a container numbers are kept.
  chownSync(join(dir, "file"), 5, 6);
  chmodSync(join(dir, "file"), 0o4711);
  utimesSync(join(dir, "file"), 1e9, 1e9);
  await host().ok(["cp", join(dir, "file"), `${c.name}:/there/`], { env: c.env });
  expect(await c.shell("stat -c '%u %g %a %Y' /there/file")).toBe("5 6 4711 1000000000\n");
});

test("a read-only root is refused, and its volumes are not", async () => {
  const flags = ["--read-only", "-v", "kept:/kept", "--tmpfs", "/scratch"];
  for (const state of ["running", "stopped"]) {
    let c: Running | undefined;
    try {
      let name = "readonly";
      if (state === "running") {
        c = await running(host(), ["sleep", "1000"], flags);
        name = c.name;
      } else await host().ok(["run", "--name", name, ...flags, image, "true"]);
      const refused = await host().rt(["cp", join(dir, "file"), `${name}:/there`]);
      expect(oneLine(refused.stderr)).toBe("container rootfs is marked read-only");
      expect(refused.code).toBe(1);
      await host().ok(["cp", join(dir, "file"), `${name}:/kept`]);
      await host().ok(["cp", `${name}:/kept/file`, join(dir, `from-${state}`)]);
      expect(readFileSync(join(dir, `from-${state}`), "utf8")).toBe("a file\n");
      if (state === "running") {
        await host().ok(["cp", join(dir, "file"), `${name}:/scratch`]);
        expect(await host().ok(["exec", name, "cat", "/scratch/file"])).toBe("a file\n");
      }
    } finally {
      await c?.[Symbol.asyncDispose]();
      await host().rt(["rm", "-f", "-v", "readonly"]);
    }
  }
});

test("a device in a volume of what does not run is not opened", async () => {
  const node = join(dir, "node");
  expect(Bun.spawnSync(["mknod", node, "c", "1", "3"]).exitCode).toBe(0);
  try {
    await host().ok(["run", "--name", "device", "-v", `${node}:/two`, image, "true"]);
    const { code, stderr } = await host().rt(["cp", `${join(dir, "tree/sub")}/.`, "device:/"]);
    expect(code).toBe(1);
    expect(oneLine(stderr)).toEndWith("cannot open /two: EACCES");
  } finally {
    await host().rt(["rm", "-f", "device"]);
  }
});

test("twenty at once, running and not: all of it arrives", async () => {
  for (const subject of ["running, overlay", "stopped, overlay", "stopped, copy"]) {
    await using c = await subjects[subject]!();
    const all = Array.from({ length: 20 }, (_, index) =>
      c.rt(["cp", join(dir, "tree"), `${c.name}:/at-once-${index}`]),
    );
    for (const { stderr, code } of await Promise.all(all)) expect([stderr, code]).toEqual(["", 0]);
    for (const index of [0, 7, 19])
      expect(await c.has(`/at-once-${index}`)).toBe(below(`at-once-${index}`, "one"));
  }
});

test("an interrupt ends it, and its helpers with it", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  await using waiting = host().spawn(["cp", "-", "over:/"]);
  const helpers = () => processesMentioning(host().dir).filter(({ command }) => command.includes("receive"));
  await until("its helper waits for an archive", () => helpers().length === 1);
  waiting.kill("SIGINT");
  expect(await waiting.exited).toBe(130);
  expect(oneLine(waiting.stderr.text)).toBe("interrupted");
  await until("its helper is gone", () => helpers().length === 0);
  await host().ok(["rm", "over"]);
});

test("what cannot be: docker's words, exit 1", async () => {
  for (const [args, words] of [
    [["a1:/x", "b1:/y"], "copying between containers is not supported"],
    [["x", "./y"], "must specify at least one container source"],
    [["./a:b", "/c:d"], "must specify at least one container source"],
    [["", "a1:/x"], "source can not be empty"],
    [["a1:", "x"], "source can not be empty"],
    [["x", "a1:"], "destination can not be empty"],
    [["nosuch:/x", "y"], "No such container: nosuch"],
  ] as const) {
    const { stderr, code } = await host().rt(["cp", ...args]);
    expect(oneLine(stderr)).toBe(words);
    expect(code).toBe(1);
  }
});

test("in a terminal it tells what was copied; -q does not", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  await using told = host().pty(["cp", join(dir, "file"), "over:/x"]);
  expect(await told.exited).toBe(0);
  expect(told.screen.text).toMatch(/^Successfully copied 2\.05kB to over:\/x\r\n$/);
  await using quiet = host().pty(["cp", "-q", join(dir, "file"), "over:/x"]);
  expect(await quiet.exited).toBe(0);
  expect(quiet.screen.text).toBe("");
  await host().ok(["rm", "over"]);
});

test("who starts a container waits for what is being copied into it, and no new copy begins meanwhile", async () => {
  await host().ok([
    "create",
    "--storage-driver=overlay",
    "--name",
    "still",
    image,
    "sh",
    "-c",
    "cat /late; sleep 1000",
  ]);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "still"])).trim();
  await using copying = host().spawn(["cp", "-", "still:/"]);
  const tar = archive({ name: "late", content: "in time\n" });
  copying.write(tar.subarray(0, 512));
  const upper = join(host().root, "snapshots/overlay/active", id, "upper");
  await until("it copies", () => isLocked(upper));
  await using starting = host().spawn(["start", "still"]);
  await until("its lock is held", () => existsSync(join(host().state, "containers", id, "lock")));
  await using second = host().spawn(["cp", "/etc/hostname", "still:/second"]);
  // Others start, and end, meanwhile.
  for (let round = 0; round < 3; round++) await host().ok(["run", "--rm", image, "true"]);
  expect(await statusOf(host(), "still")).toBe("created");
  copying.write(tar.subarray(512));
  copying.closeStdin();
  expect([await copying.exited, await starting.exited]).toEqual([0, 0]);
  // It came before the end of the start, or it copied into what runs.
  if ((await second.exited) !== 0)
    expect(oneLine(second.stderr.text)).toContain("the container is being started: try again");
  await until("it has it", async () => (await host().ok(["logs", "still"])) === "in time\n");
  await host().ok(["rm", "-f", "still"]);
});
