/** `rt pack`: how the file is made. What it does when it is started is in packed-app.test.ts. */
import { afterAll, expect } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { asApp, contentsOf, partOf } from "../support/app.ts";
import { run as tool } from "../support/command.ts";
import { FakeRegistry } from "../support/fake-registry.ts";
import { testHost } from "../support/host.ts";
import { busyboxLayout, helloLayout } from "../support/images.ts";
import { hostArchitecture, LayoutWriter } from "../support/layout.ts";
import { rtBinary } from "../support/rt.ts";
import { archive } from "../support/tar.ts";
import { until } from "../support/wait.ts";
import { fileLayer, imageOf } from "./image-world.ts";
import { containerTests, image, oneLine } from "./world.ts";

const { test, beforeAll, host } = containerTests();

const sha256 = async (path: string) => (await tool(["sha256sum", path])).slice(0, 64);

let rtBefore: string;
beforeAll(async () => {
  rtBefore = await sha256(rtBinary);
});
afterAll(async () => {
  if (rtBefore) expect(await sha256(rtBinary)).toBe(rtBefore);
});

/** A directory of its own for each test's files. */
let count = 0;
function place(): string {
  const path = join(host().dir, `place${count++}`);
  mkdirSync(path);
  return path;
}

test("the file is rt, padding, the image's blobs and a trailer; a line says so", async () => {
  const app = join(place(), "app");
  const id = (await host().ok(["images", "-q", "--no-trunc", image])).trim();
  const said = await host().ok(["pack", "-o", app, image]);
  expect(said).toMatch(/^\S+\/app: [\d.]+MB, sha256:[0-9a-f]{64}\n$/);
  expect(said).toContain(id);
  expect(statSync(app).mode & 0o7777).toBe(0o755);
  const { offset, length } = partOf(app);
  const rt = readFileSync(rtBinary);
  const bytes = readFileSync(app);
  expect(offset).toBe(Math.ceil(rt.length / 4096) * 4096);
  expect(bytes.length).toBe(offset + length + 56);
  expect(bytes.toString("latin1", 9, 16)).toBe("rt-app1");
  rt.set(bytes.subarray(9, 16), 9);
  expect(bytes.subarray(0, rt.length).equals(rt)).toBe(true);
  expect(bytes.subarray(rt.length, offset).every((byte) => byte === 0)).toBe(true);
  const { head, index } = contentsOf(app);
  expect(head.slice(0, 2)).toEqual(["oci-layout", "index.json"]);
  expect(head[2]).toBe(`blobs/${index.manifests[0]!.digest.replace(":", "/")}`);
  expect(head.length).toBe(5);
});

test("the same image and flags make the same bytes; -q says nothing", async () => {
  const dir = place();
  for (const name of ["a", "b"])
    expect(await host().ok(["pack", "-q", "-e", "A=1", "-o", join(dir, name), image])).toBe("");
  expect(await sha256(join(dir, "a"))).toBe(await sha256(join(dir, "b")));
});

const spellings: [string, (app: string) => string[], string][] = [
  ["-o FILE IMAGE", (app) => ["-o", app, image], "[]"],
  ["--output=FILE IMAGE", (app) => [`--output=${app}`, image], "[]"],
  ["IMAGE -o FILE", (app) => [image, "-o", app], "[]"],
  ["IMAGE -oFILE COMMAND", (app) => [image, `-o${app}`, "ls"], '["ls"]'],
  ["IMAGE --output FILE COMMAND -o x", (app) => [image, "--output", app, "a", "-o", "x"], '["a","-o","x"]'],
  ["-o FILE IMAGE -o x: that is the program's", (app) => ["-o", app, image, "-o", "x"], '["-o","x"]'],
];
for (const [what, args, command] of spellings) {
  test(what, async () => {
    const app = join(place(), "app");
    await host().ok(["pack", "-q", ...args(app)]);
    expect(contentsOf(app).index.annotations["rt.pack.command"]).toBe(command);
  });
}

test("what a flag names is read once: it may be a pipe", async () => {
  const profile = '{"defaultAction":"SCMP_ACT_ALLOW"}';
  const binary = join(place(), "piped");
  writeFileSync(binary, `#!/bin/sh\nprintf '%s\\n' "$TEXT" | ${rtBinary} "$@"\n`, { mode: 0o755 });
  for (const [flag, value, TEXT, kept] of [
    ["--env-file", "/dev/stdin", "A=b", "--env=A=b"],
    ["--label-file", "/dev/stdin", "A=b", "--label=A=b"],
    ["--security-opt", "seccomp=/dev/stdin", profile, `--security-opt=seccomp=${profile}`],
  ] as const) {
    const app = join(place(), "app");
    const words = ["pack", "-q", flag, value, "-o", app, image];
    const { code, stderr } = await host().rt(words, { binary, env: { TEXT } });
    expect([flag, code, stderr]).toEqual([flag, 0, ""]);
    expect(JSON.parse(contentsOf(app).index.annotations["rt.pack.flags"]!)).toEqual([kept]);
  }
});

test("flags are kept as they were given, files of them are read, what packing uses is not kept", async () => {
  const dir = place();
  writeFileSync(join(dir, "env"), "# a comment\nFILE=of env\nTZ\nABSENT\n");
  writeFileSync(join(dir, "labels"), "l1=x\nl2\n");
  const app = join(dir, "app");
  const flags = [
    "-it",
    "--rm",
    "-e",
    "A=1",
    "--env-file",
    join(dir, "env"),
    "-e",
    "BARE",
    "-e=B=a=b\nc",
    "--pull",
  ];
  const more = ["never", "--label-file", join(dir, "labels"), "-v", "./x:/x:ro", "--read-only", "-w/tmp"];
  const profile = join(dir, "profile.json");
  writeFileSync(profile, '{ "defaultAction": "SCMP_ACT_ALLOW" }\n');
  const root = ["--root", host().root, "--log-level", "info", "--net=host", "--tty=false"];
  root.push("--security-opt", `seccomp=${profile}`, "--security-opt=seccomp=builtin");
  await host().ok(["pack", "-q", ...flags, ...more, ...root, "-o", app, image, "sh", "-c", "echo $A"], {
    env: { TZ: "of the caller" },
  });
  const { annotations } = contentsOf(app).index;
  expect(JSON.parse(annotations["rt.pack.flags"]!)).toEqual([
    ...["--env=FILE=of env", "--env=TZ=of the caller", "--label=l1=x", "--label=l2"],
    ...[
      "--env=A=1",
      "--env=BARE",
      "--env=B=a=b\nc",
      "--volume=./x:/x:ro",
      "--read-only=true",
      "--workdir=/tmp",
    ],
    ...["--network=host", "--tty=false"],
    ...['--security-opt=seccomp={"defaultAction":"SCMP_ACT_ALLOW"}', "--security-opt=seccomp=builtin"],
  ]);
  expect(JSON.parse(annotations["rt.pack.command"]!)).toEqual(["sh", "-c", "echo $A"]);
});

test("only the chosen platform goes in; another architecture's is warned about", async () => {
  await using other = await testHost();
  const app = join(other.dir, "app");
  const foreign = hostArchitecture() === "amd64" ? "arm64" : "amd64";
  const source = `oci:${await helloLayout()}`;
  await other.ok(["pack", "-q", "-o", app, source]);
  expect(contentsOf(app).index.manifests.map(({ platform }) => platform.architecture)).toEqual([
    hostArchitecture(),
  ]);
  expect(contentsOf(app).head.length).toBe(5);
  const { stderr, code } = await other.rt([
    "pack",
    "-q",
    "--platform",
    `linux/${foreign}`,
    "-o",
    app,
    source,
  ]);
  expect(oneLine(stderr)).toMatch(
    /^warning: the app is a program for linux\/\w+, but its image is for linux\/\w+/,
  );
  expect(code).toBe(0);
  const { index } = contentsOf(app);
  expect(index.manifests.map(({ platform }) => platform.architecture)).toEqual([foreign]);
  expect(index.annotations["rt.pack.flags"]).toBe(`["--platform=linux/${foreign}"]`);
});

test("a layer that was here in another compression: the image goes in as it came all the same", async () => {
  await using other = await testHost();
  const layer = archive({ name: "file", content: "x".repeat(10_000) });
  const source = join(other.dir, "two");
  const writer = new LayoutWriter(source);
  await writer.image("gzip", { layers: [layer], compression: "gzip" });
  await writer.image("zstd", { layers: [layer], compression: "zstd" });
  await writer.close();
  await other.ok(["pull", "-q", `oci:${source}:gzip`]);
  await other.ok(["pull", "-q", `oci:${source}:zstd`]);
  const app = join(other.dir, "app");
  const said = await other.ok(["pack", "-o", app, "localhost/two:zstd"]);
  const { layout, index } = contentsOf(app);
  const name = `blobs/${index.manifests[0]!.digest.replace(":", "/")}`;
  const manifest = JSON.parse(Buffer.from(layout.document(name)).toString());
  expect(manifest.layers.map(({ mediaType }: { mediaType: string }) => mediaType)).toEqual([
    "application/vnd.oci.image.layer.v1.tar+zstd",
  ]);
  expect(said).toContain(manifest.config.digest);
  await using fresh = await testHost();
  const { stderr, code } = await fresh.rt(["/file"], asApp(app));
  expect(oneLine(stderr)).toContain("/file");
  expect(code).toBe(126);
});

test("what was there is replaced, a link to it followed; the mode is by umask", async () => {
  const dir = place();
  writeFileSync(join(dir, "file"), "old");
  chmodSync(join(dir, "file"), 0o600);
  symlinkSync("file", join(dir, "link"));
  const before = statSync(join(dir, "file")).ino;
  const command = [
    "sh",
    "-c",
    'umask 027; "$@"',
    "sh",
    rtBinary,
    "pack",
    "-q",
    "-o",
    join(dir, "link"),
    "embed:hello",
  ];
  await tool(command, { env: host().env });
  const after = statSync(join(dir, "file"));
  expect([after.ino === before, after.mode & 0o7777]).toEqual([false, 0o750]);
  partOf(join(dir, "file"));
  expect(readdirSync(dir).sort()).toEqual(["file", "link"]);
});

interface Refusal {
  what: string;
  args: (dir: string) => string[] | Promise<string[]>;
  line: RegExp;
}

const refusals: Refusal[] = [
  { what: "no -o", args: () => [image], line: /pack needs -o FILE/ },
  { what: "no image", args: (dir) => ["-o", join(dir, "app")], line: /IMAGE/ },
  { what: "-o without a file", args: () => [image, "-o"], line: /pack needs -o FILE/ },
  { what: "an empty name", args: () => ["-o", "", image], line: /to "": that is no file's name$/ },
  { what: "a directory", args: (dir) => ["-o", dir, image], line: /it is a directory, name a file in it$/ },
  {
    what: "a name that ends with a slash",
    args: (dir) => ["-o", `${dir}/new/`, image],
    line: /that is no file's name$/,
  },
  {
    what: "a missing directory",
    args: (dir) => ["-o", join(dir, "no/app"), image],
    line: /no\/app: there is no such directory$/,
  },
  {
    what: "a file in place of a directory",
    args: (dir) => {
      writeFileSync(join(dir, "file"), "");
      return ["-o", join(dir, "file/app"), image];
    },
    line: /ENOTDIR/,
  },
  {
    what: "a device",
    args: () => ["-o", "/dev/null", image],
    line: /to "\/dev\/null": it is not a regular file$/,
  },
  {
    what: "a fifo",
    args: async (dir) => {
      await tool(["mkfifo", join(dir, "fifo")]);
      return ["-o", join(dir, "fifo"), image];
    },
    line: /fifo": it is not a regular file$/,
  },
  {
    what: "links in a circle",
    args: (dir) => {
      symlinkSync("b", join(dir, "a"));
      symlinkSync("a", join(dir, "b"));
      return ["-o", join(dir, "a"), image];
    },
    line: /ELOOP/,
  },
  {
    what: "an image that is not here, and may not be pulled",
    args: (dir) => ["--pull", "never", "-o", join(dir, "app"), "nosuch:1"],
    line: /No such image: nosuch:1$/,
  },
  {
    what: "embed:packed of a plain rt",
    args: (dir) => ["-o", join(dir, "app"), "embed:packed"],
    line: /packed/,
  },
  {
    what: "a flag that run has not",
    args: (dir) => ["--nosuch", "-o", join(dir, "app"), image],
    line: /--nosuch/,
  },
  {
    what: "a value that run would refuse at every start",
    args: (dir) => ["--ulimit", "nofile=x", "-o", join(dir, "app"), image],
    line: /nofile=x/,
  },
  {
    what: "a flag that comes later",
    args: (dir) => ["--runtime", "runc", "-o", join(dir, "app"), image],
    line: /--runtime is not there yet/,
  },
];
for (const { what, args, line } of refusals) {
  test(`refused: ${what}`, async () => {
    const dir = place();
    const given = await args(dir);
    const before = readdirSync(dir).sort();
    const { stdout, stderr, code } = await host().rt(["pack", ...given]);
    expect(oneLine(stderr)).toMatch(line);
    expect([stdout, code]).toEqual(["", 125]);
    expect(readdirSync(dir).sort()).toEqual(before);
  });
}

test("the running rt is not written to, by whatever name", async () => {
  const dir = place();
  const rt = join(dir, "rt");
  copyFileSync(rtBinary, rt);
  linkSync(rt, join(dir, "hard"));
  symlinkSync("rt", join(dir, "soft"));
  for (const name of ["rt", "hard", "soft"]) {
    const { stderr, code } = await host().rt(["pack", "-o", join(dir, name), image], { binary: rt });
    expect(oneLine(stderr)).toMatch(/it is the running rt itself$/);
    expect(code).toBe(125);
  }
  expect(readdirSync(dir).sort()).toEqual(["hard", "rt", "soft"]);
  expect(await sha256(rt)).toBe(rtBefore);
});

for (const { what, options, line } of [
  { what: "a full disk", options: "size=20m", line: /^no space left to write \S+\/app: free some/ },
  {
    what: "a read-only file system",
    options: "ro",
    line: /^cannot write \S+\/app: EROFS: read-only file system$/,
  },
]) {
  test(`${what}: one line, and nothing half-made`, async () => {
    const dir = place();
    await tool(["mount", "-t", "tmpfs", "-o", options, "small", dir]);
    try {
      const { stderr, code } = await host().rt(["pack", "-o", join(dir, "app"), image]);
      expect(oneLine(stderr)).toMatch(line);
      expect(code).toBe(125);
      expect(readdirSync(dir)).toEqual([]);
    } finally {
      await tool(["umount", dir]);
    }
  });
}

test("a blob of the store that is damaged, and one that is gone", async () => {
  await using other = await testHost();
  await other.ok(["pull", "-q", `oci:${await busyboxLayout()}`]);
  const blobs = join(other.root, "content/blobs/sha256");
  const [largest] = readdirSync(blobs).sort(
    (a, b) => statSync(join(blobs, b)).size - statSync(join(blobs, a)).size,
  );
  const path = join(blobs, largest!);
  const bytes = readFileSync(path);
  const app = join(other.dir, "app");
  const damage: [() => void, RegExp][] = [
    [
      () => writeFileSync(path, bytes.with(bytes.length >> 1, bytes[bytes.length >> 1]! ^ 1)),
      /another digest/,
    ],
    [() => writeFileSync(path, bytes.subarray(1)), /has \d+ bytes in place of \d+/],
    [() => Bun.spawnSync(["rm", path]), /is not in the store/],
  ];
  chmodSync(path, 0o600);
  for (const [make, line] of damage) {
    make();
    const { stderr, code } = await other.rt(["pack", "-o", app, image]);
    expect(oneLine(stderr)).toMatch(line);
    expect(oneLine(stderr)).toContain("rt rmi -f");
    expect([code, existsSync(app)]).toEqual([125, false]);
  }
});

test("SIGINT while the image is pulled: nothing of the app stays", async () => {
  await using other = await testHost();
  await using registry = await FakeRegistry.start();
  const name = registry.push("team/app", "1", imageOf([fileLayer("file", 1_000_000)]));
  registry.always(/GET .*\/blobs\//, () => {}); // never answered
  const dir = join(other.dir, "place");
  mkdirSync(dir);
  await using client = other.spawn(["pack", "-q", "-o", join(dir, "app"), name]);
  await until("a blob is asked for", () => registry.seen(/GET .*\/blobs\//).length > 0);
  client.kill("SIGINT");
  expect(await client.exited).toBe(130);
  expect(oneLine(client.stderr.text)).toBe("interrupted: no app was written");
  expect(readdirSync(dir)).toEqual([]);
});
