/** What a file that `rt pack` made does when it is started: here, elsewhere, damaged, many at once. */
import { afterAll, expect } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { asApp, contentsOf, flip, partOf } from "../support/app.ts";
import { run } from "../support/command.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { LayoutWriter } from "../support/layout.ts";
import { mountPoints } from "../support/leaks.ts";
import { peakOf } from "../support/memory.ts";
import { openPty } from "../support/pty.ts";
import { pushWithSkopeo } from "../support/push.ts";
import { startRegistry } from "../support/registry.ts";
import { tool } from "../support/root.ts";
import { type RtOptions, type RtProcess, spawnRt } from "../support/rt.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive } from "../support/tar.ts";
import { links } from "../support/traces.ts";
import { fileLayer, storeIsEmpty } from "./image-world.ts";
import { containerTests, image, oneLine } from "./world.ts";

const { test, beforeAll, host } = containerTests(["docker-registry", "skopeo"]);

let dir: string;
/** Busybox, packed from a registry that is no longer there. */
let busybox: string;

beforeAll(async () => {
  dir = await mkdtemp(join(scratchDirectory(), "rt-apps-"));
  busybox = join(dir, "busybox");
  await using registry = await startRegistry();
  await pushWithSkopeo(await busyboxLayout(), "latest", registry, "team/busybox:1");
  await using packer = await testHost();
  await packer.ok(["pack", "-q", "-o", busybox, `${registry.address}/team/busybox:1`]);
}, 240_000);
afterAll(() => {
  if (dir) rmSync(dir, { recursive: true });
});

/** How the line begins, by whoever sees it first. */
const damaged = /^(this app is damaged: |cannot start: this (app|file) is (cut short|damaged))/;

let count = 0;
/** An app of the shared host's busybox. */
async function packed(...args: string[]): Promise<string> {
  const path = join(dir, `app${count++}`);
  await host().ok(["pack", "-q", "-o", path, ...args]);
  return path;
}

/** `path ARG...` on the shared host, which must end with 0. */
function start(path: string, args: string[] = [], options: RtOptions = {}): Promise<string> {
  return host().ok(args, { ...options, ...asApp(path, options.env) });
}

/** As an ordinary rt. */
function engine(path: string, args: string[], on: TestHost = host()) {
  return on.rt(args, asApp(path, { RT_APP: "0" }));
}

test("elsewhere, the registry gone: arguments, stdin, exit status, and nothing left", async () => {
  await using other = await testHost();
  const app = (args: string[], stdin?: string) =>
    other.rt(args, { ...asApp(busybox), ...(stdin !== undefined && { stdin }) });
  expect(await app(["echo", "a b", "", "--help", "-v"])).toMatchObject({
    stdout: "a b  --help -v\n",
    stderr: "",
    code: 0,
  });
  expect((await app(["sha256sum"], "to the byte\n\0")).stdout).toStartWith(
    new Bun.CryptoHasher("sha256").update("to the byte\n\0").digest("hex"),
  );
  expect((await app(["sh", "-c", "exit 42"])).code).toBe(42);
  const missing = await app(["/no/such"]);
  expect([oneLine(missing.stderr).includes("/no/such"), missing.code]).toEqual([true, 127]);
  // Without arguments the image's own command, which is a shell.
  expect((await app([], "echo from stdin; exit 3\n")).stdout).toBe("from stdin\n");
  expect(await other.ok(["ps", "-aq"])).toBe("");
});

test("flags that look like rt's are the program's", async () => {
  const app = await packed("--entrypoint", "echo", image);
  for (const args of [["--version"], ["-v"], ["--help"], ["run"], ["help"]])
    expect(await start(app, args)).toBe(`${args.join(" ")}\n`);
});

test("the command that was packed, and arguments in its place", async () => {
  const app = await packed(image, "echo", "packed");
  expect(await start(app)).toBe("packed\n");
  expect(await start(app, ["echo", "given"])).toBe("given\n");
  const fixed = await packed("--entrypoint", "echo", image, "packed");
  expect(await start(fixed)).toBe("packed\n");
  expect(await start(fixed, ["given"])).toBe("given\n");
});

test("flags that were packed: environment, mounts, user, directory, network, capabilities", async () => {
  const place = join(dir, "place");
  mkdirSync(place);
  writeFileSync(join(place, "file"), "of the host");
  const flags = ["-e", "FIXED=1", "-e", "TZ", "-v", "./place:/place:ro", "-w", "/place", "-u", "app"];
  const app = await packed(
    ...flags,
    "--network",
    "host",
    "--cap-drop",
    "ALL",
    "--read-only",
    "--init",
    image,
  );
  const script = "cat file; pwd; id -un; echo $FIXED $TZ; tail -n +3 /proc/net/dev | wc -l; touch /x 2>&1";
  const { stdout } = await host().rt(["sh", "-c", script], {
    ...asApp(app, { TZ: "of the caller" }),
    cwd: dir,
  });
  const interfaces = links().length;
  expect(stdout).toBe(
    `of the host/place\napp\n1 of the caller\n${interfaces}\ntouch: /x: Read-only file system\n`,
  );
});

test("a profile of system calls goes along, and its file may go", async () => {
  const profile = join(dir, "profile.json");
  const syscalls = [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 30 }];
  writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }, null, 2));
  const app = await packed("--security-opt", `seccomp=${profile}`, image);
  rmSync(profile);
  const { stderr, code } = await host().rt(["mkdir", "/x"], asApp(app));
  expect([stderr, code]).toEqual(["mkdir: can't create directory '/x': Read-only file system\n", 1]);
});

test("embed:hello as an app; the image is imported once, under a name of its own", async () => {
  await using other = await testHost();
  const app = join(other.dir, "app");
  await other.ok(["pack", "-q", "-o", app, "embed:hello"]);
  await using elsewhere = await testHost();
  for (let i = 0; i < 2; i++) {
    const { stdout, stderr, code } = await elsewhere.rt(["exit", "6"], asApp(app));
    expect([stdout, stderr, code]).toEqual(["", "", 6]);
  }
  const digest = contentsOf(app).index.manifests[0]!.digest;
  const list = await elsewhere.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"]);
  expect(list).toBe(`embed:packed-${digest.slice(7, 19)}\n`);
});

test("two apps on one host do not take each other's image", async () => {
  await using other = await testHost();
  const hello = join(other.dir, "hello");
  await other.ok(["pack", "-q", "-o", hello, "embed:hello"]);
  for (let round = 0; round < 2; round++) {
    expect((await other.rt(["busybox", "echo", "busybox"], asApp(busybox))).stdout).toBe("busybox\n");
    expect((await other.rt(["ids"], asApp(hello))).stdout).toContain("uid");
  }
  expect((await other.ok(["images", "-q"])).trim().split("\n").length).toBe(3);
});

test("an image that calls itself as the app's does is not taken for it", async () => {
  await using other = await testHost();
  const name = `embed:packed-${contentsOf(busybox).index.manifests[0]!.digest.slice(7, 19)}`;
  const source = join(other.dir, "impostor");
  const writer = new LayoutWriter(source);
  await writer.image(`docker.io/library/${name}`, { layers: [archive({ name: "file", content: "x" })] });
  await writer.close();
  expect(await other.ok(["pull", "-q", `oci:${source}`])).toBe(`docker.io/library/${name}\n`);
  expect((await other.rt(["echo", "mine"], asApp(busybox))).stdout).toBe("mine\n");
});

test("with RT_APP=0 it is an ordinary rt that knows embed:packed", async () => {
  await using other = await testHost();
  expect((await engine(busybox, ["--version"], other)).stdout).toMatch(/^rt version /);
  expect((await engine(busybox, ["run", "--rm", "embed:packed", "echo", "by run"], other)).stdout).toBe(
    "by run\n",
  );
  const tag = `embed:packed-${contentsOf(busybox).index.manifests[0]!.digest.slice(7, 19)}`;
  const shown = await engine(busybox, ["inspect", "-f", "{{json .RepoTags}}", "embed:packed"], other);
  expect(shown.stdout).toBe(`["${tag}"]\n`);
  expect((await engine(busybox, ["pull", "embed:packed"], other)).stdout).toContain("Image is up to date");
  expect((await engine(busybox, ["rmi", "embed:packed"], other)).stdout).toStartWith(`Untagged: ${tag}\n`);
  expect(await storeIsEmpty(other)).toEqual([]);
  // What was removed is imported again.
  expect((await other.rt(["echo", "again"], asApp(busybox))).stdout).toBe("again\n");
});

test("while it runs: seen by ps, entered by exec, and signals reach it", async () => {
  const app = await packed("--name", "the-app", image);
  const script = "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done";
  await using client = spawnRt(["sh", "-c", script], host().env, asApp(app));
  await client.stdout.waitFor("up");
  const row = await engine(app, ["ps", "--format", "{{.Names}} {{.Image}}"]);
  expect(row.stdout).toBe("the-app embed:packed\n");
  expect((await engine(app, ["exec", "the-app", "echo", "inside"])).stdout).toBe("inside\n");
  client.kill("SIGTERM");
  expect(await client.exited).toBe(5);
});

test("on a terminal there is one, and with -t=false or a pipe there is none", async () => {
  const script = ["sh", "-c", "test -t 0 && tty; test -t 1 || echo none"];
  const env = { ...host().env, TERM: "xterm" };
  const onTerminal = async (command: string[], app: string) => {
    await using terminal = openPty(command, { env: { ...env, ...asApp(app).env } });
    expect(await terminal.exited).toBe(0);
    return terminal.screen.text;
  };
  expect(await onTerminal([busybox, ...script], busybox)).toBe("/dev/pts/0\r\n");
  expect(await onTerminal(["sh", "-c", '"$@" | cat', "sh", busybox, ...script], busybox)).toBe("none\r\n");
  const without = await packed("--tty=false", image);
  expect(await onTerminal([without, ...script], without)).toBe("none\r\n");
  // -t to pack says nothing that an app does not do by itself.
  expect(await start(await packed("-it", image), script, { stdin: "" })).toBe("none\n");
});

test("an app packed from an app is the one that rt makes: they do not nest", async () => {
  const [byRt, byApp] = [await packed("-e", "A=1", image, "env"), join(dir, "by-app")];
  const { code, stderr } = await engine(busybox, ["pack", "-q", "-e", "A=1", "-o", byApp, image, "env"]);
  expect([stderr, code]).toEqual(["", 0]);
  await run(["cmp", byRt, byApp]);
  const itself = await engine(busybox, ["pack", "-o", busybox, "embed:packed"]);
  expect(oneLine(itself.stderr)).toMatch(/it is the running rt itself$/);
  // What is in it goes into another, with other flags.
  const again = join(dir, "again");
  expect((await engine(busybox, ["pack", "-q", "-o", again, "embed:packed", "echo", "again"])).code).toBe(0);
  expect(await start(again)).toBe("again\n");
});

test("20 first starts at once: all run, one import", async () => {
  await using other = await testHost();
  const runs = Array.from({ length: 20 }, (_, i) =>
    other.rt(["sh", "-c", `echo ${i}; exit ${i}`], { ...asApp(busybox), timeoutMs: 100_000 }),
  );
  const results = await Promise.all(runs);
  expect(results.map(({ stdout, code }) => [stdout, code])).toEqual(results.map((_, i) => [`${i}\n`, i]));
  expect((await other.ok(["images", "-q"])).trim().split("\n").length).toBe(1);
}, 120_000);

test("a flipped bit anywhere in the image: one line, 125, nothing in the store", async () => {
  const app = await packed(image);
  const { offset, length } = partOf(app);
  const { head } = contentsOf(app);
  const bytes = await Bun.file(app)
    .slice(offset, offset + 4096)
    .bytes();
  const table = new DataView(bytes.buffer).getUint32(0, true);
  const size = statSync(app).size;
  const places: [string, number][] = [
    ["the table's length", offset],
    ["the table", offset + 4 + 12],
    ["a digest in the table", offset + 4 + table - 60],
    ["oci-layout", offset + 4 + table + 3],
    ["index.json", offset + 4 + table + 100],
    ["the manifest", offset + 4 + table + 700],
    ["the layer's start", size - 56 - 500_000],
    ["the layer's end", size - 56 - 1],
    ["the offset in the trailer", size - 15],
    ["the length in the trailer", size - 8],
    ["the last byte", size - 1],
    ["the trailer's magic", size - 24],
  ];
  expect([head.length, length > 500_000]).toEqual([5, true]);
  for (const [what, place] of places) {
    await using other = await testHost();
    const options = asApp(app);
    flip(app, place);
    const { stdout, stderr, code } = await other.rt(["echo", "ran"], options);
    flip(app, place);
    expect([what, oneLine(stderr).match(damaged)?.index, stdout, code]).toEqual([what, 0, "", 125]);
    expect([what, await storeIsEmpty(other)]).toEqual([what, []]);
  }
  expect(await start(app, ["echo", "whole"])).toBe("whole\n");
});

test("a file that is cut short: one line, 125, and never rt with the app's arguments", async () => {
  const app = await packed(image);
  for (const part of [1, 24, 1000, partOf(app).length, partOf(app).length + 56 + 1]) {
    await using other = await testHost();
    const cut = join(other.dir, "cut");
    copyFileSync(app, cut);
    truncateSync(cut, statSync(app).size - part);
    // Words that would be rt's.
    for (const args of [[], ["images"], ["--version"]]) {
      const { stdout, stderr, code } = await other.rt(args, asApp(cut));
      expect([part, oneLine(stderr).match(damaged)?.index, stdout, code]).toEqual([part, 0, "", 125]);
    }
  }
});

test("what the caller says of RT_PACKED does not count", async () => {
  const { offset, length } = partOf(busybox);
  for (const RT_PACKED of ["", "1,2", `${offset},${length}`, "nonsense"]) {
    expect(await host().ok(["images", "-q", "nosuch"], { env: { RT_PACKED } })).toBe("");
    expect(await start(busybox, ["echo", "app"], { env: { RT_PACKED } })).toBe("app\n");
  }
});

test("in an empty root, without environment, the app alone", async () => {
  const root = join(dir, "empty-root");
  mkdirSync(root);
  copyFileSync(busybox, join(root, "app"));
  const script = "cat; id -u; pwd; exit 9";
  const child = Bun.spawn([tool("chroot")!, root, "/app", "sh", "-c", script], {
    env: {},
    stdin: Buffer.from("from outside\n"),
    stdout: "pipe",
    stderr: "pipe",
  });
  try {
    const [stdout, stderr, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    expect([stdout, stderr, code]).toEqual(["from outside\n0\n/\n", "", 9]);
    expect(readdirSync(root).sort()).toEqual(["app", "proc", "run", "var"]);
  } finally {
    // rt has mounted it, since there was none.
    Bun.spawnSync([tool("umount")!, join(root, "proc")]);
  }
  expect(mountPoints().filter((path) => path.startsWith(root))).toEqual([]);
});

test("another bit of the layout does not stop an app whose image is in the store", async () => {
  await using other = await testHost();
  const app = await packed(image);
  expect((await other.rt(["echo", "first"], asApp(app))).stdout).toBe("first\n");
  flip(app, statSync(app).size - 24 - 1000);
  expect((await other.rt(["echo", "second"], asApp(app))).stdout).toBe("second\n");
});

const third = 100 << 20;

test("an image of 300 MB is packed and started with little memory", async () => {
  await using other = await testHost();
  const source = join(other.dir, "big");
  const writer = new LayoutWriter(source);
  const probe = archive({ name: "bin/", type: "5", mode: 0o755 });
  const layers = [1, 2, 3].map((n) => fileLayer(`file${n}`, third));
  await writer.image("latest", {
    layers: [...layers, probe],
    compression: "plain",
    config: { Cmd: ["/file1"] },
  });
  await writer.close();
  layers.length = 0;
  await other.ok(["pull", "-q", `oci:${source}`], { timeoutMs: 100_000 });
  const app = join(other.dir, "app");
  const packing = await memoryOf(other.spawn(["pack", "-q", "-o", app, "localhost/big"]));
  expect(packing).toMatchObject({ stderr: "", code: 0 });
  expect(statSync(app).size).toBeGreaterThan(3 * third);
  expect(packing.megabytes).toBeLessThan(100);
  rmSync(source, { recursive: true });
  rmSync(other.root, { recursive: true });
  const starting = await memoryOf(other.spawn([], asApp(app)));
  // It was unpacked and found, and is noise rather than a program.
  expect(oneLine(starting.stderr)).toContain("/file1");
  expect(starting.code).toBe(126);
  expect(starting.megabytes).toBeLessThan(200);
}, 120_000);

async function memoryOf(client: RtProcess) {
  await using process = client;
  const megabytes = (await peakOf(process)) / 1000;
  return { stderr: process.stderr.text, code: await process.exited, megabytes };
}
