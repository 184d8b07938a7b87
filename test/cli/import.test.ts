/** `rt import`: a root file system's archive as an image. */
import { afterAll, expect } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { tarLayer } from "../support/layout.ts";
import { needs, tool } from "../support/root.ts";
import { archive, member } from "../support/tar.ts";
import { storeIsEmpty } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["tar", "busybox"] });

let host: TestHost;
let tar: Uint8Array;

beforeAll(async () => {
  host = await testHost();
  const tree = join(host.dir, "tree");
  mkdirSync(join(tree, "bin"), { recursive: true });
  copyFileSync(tool("busybox")!, join(tree, "bin/sh"));
  tar = await tarLayer(tree);
  writeFileSync(at("root.tar"), tar);
  writeFileSync(at("root.tar.gz"), Bun.gzipSync(new Uint8Array(tar)));
  writeFileSync(at("root.tar.zst"), Bun.zstdCompressSync(new Uint8Array(tar)));
}, 120_000);
afterAll(() => host?.[Symbol.asyncDispose]());

const at = (name: string) => join(host.dir, name);
const id = /^sha256:[0-9a-f]{64}\n$/;

test("from a file, from stdin, plain or compressed: one layer of the same diffID, which runs", async () => {
  const forms: [args: string[], stdin?: Uint8Array][] = [
    [["import", at("root.tar"), "team/root:1"]],
    [["import", "-", "team/root:2"], readFileSync(at("root.tar"))],
    [["import", at("root.tar.gz"), "team/root:3"]],
    [["import", "-", "team/root:4"], readFileSync(at("root.tar.zst"))],
  ];
  const diffID = `sha256:${new Bun.CryptoHasher("sha256").update(tar).digest("hex")}`;
  for (const [args, stdin] of forms) {
    expect(await host.ok(args, stdin ? { stdin } : {})).toMatch(id);
    const [image] = JSON.parse(await host.ok(["image", "inspect", args[2]!]));
    expect(image.RootFS.Layers).toEqual([diffID]);
    const command = ["run", "--rm", "--network", "none", args[2]!, "/bin/sh", "-c", "echo it runs"];
    expect(await host.ok(command)).toBe("it runs\n");
  }
});

test("-c, -m, --platform, and what an image without a name has", async () => {
  const changes = ["-c", 'CMD ["/bin/sh", "-c", "echo $A"]', "-c", "ENV A=b", "-c", "LABEL x=y"];
  const made = await host.ok(["import", ...changes, "-m", "by hand", at("root.tar"), "team/changed"]);
  const [image] = JSON.parse(await host.ok(["image", "inspect", "team/changed"]));
  expect(image).toMatchObject({
    ...{ Id: made.trim(), Comment: "by hand", Architecture: process.arch === "x64" ? "amd64" : process.arch },
    Config: { Cmd: ["/bin/sh", "-c", "echo $A"], Env: expect.arrayContaining(["A=b"]), Labels: { x: "y" } },
  });
  expect(await host.ok(["run", "--rm", "--network", "none", "team/changed"])).toBe("b\n");
  const other = await host.ok(["import", "--platform", "linux/arm64/v8", at("root.tar")]);
  const [nameless] = JSON.parse(await host.ok(["image", "inspect", other.trim()]));
  expect(nameless).toMatchObject({ RepoTags: [], Architecture: "arm64", Comment: "Imported from -" });
});

test("from an address: what is redirected is followed, and what is refused is told", async () => {
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname, origin } = new URL(request.url);
      if (pathname === "/root.tar.gz") return new Response(Bun.file(at("root.tar.gz")));
      if (pathname === "/moved") return Response.redirect(`${origin}/root.tar.gz`);
      if (pathname === "/circle") return Response.redirect(`${origin}/circle`);
      if (pathname === "/file")
        return new Response(null, { status: 302, headers: { Location: "file:///etc/passwd" } });
      if (pathname === "/page") return new Response("<!doctype html><p>sign in");
      return new Response("no", { status: 404 });
    },
  });
  const address = `http://127.0.0.1:${server.port}`;
  for (const path of ["/root.tar.gz", "/moved"]) {
    expect(await host.ok(["import", `${address}${path}`, "team/web"])).toMatch(id);
    const [image] = JSON.parse(await host.ok(["image", "inspect", "team/web"]));
    expect(image.Comment).toBe(`Imported from ${address}${path}`);
  }
  const wrong: Record<string, RegExp> = {
    "/nothing": /answers 404/,
    "/circle": /in a circle/,
    "/file": /not a web address/,
    "/page": /not a tar archive|cut short|malformed|header|archive/,
  };
  for (const [path, line] of Object.entries(wrong)) {
    const { stderr, code } = await host.rt(["import", `${address}${path}`]);
    expect([path, oneLine(stderr), code]).toEqual([path, expect.stringMatching(line), 125]);
  }
  const secret = await host.rt(["import", `http://user:hunter2@127.0.0.1:${server.port}/root.tar.gz`]);
  expect([secret.code, secret.stderr.includes("hunter2")]).toEqual([125, false]);
});

test("events: import, and the name", async () => {
  const since = new Date().toISOString();
  const made = (await host.ok(["import", at("root.tar"), "team/told:1"])).trim();
  const until = new Date(Date.now() + 1000).toISOString();
  const format = "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}";
  const told = await host.ok(["events", "--since", since, "--until", until, "--format", format]);
  expect(told).toBe(`tag ${made} team/told:1\nimport ${made} ${made}\n`);
});

test("what is no root file system: one line each, and nothing of it", async () => {
  await using empty = await testHost();
  const xz = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0);
  const bzip2 = Buffer.from("BZh91AY&SY");
  const file = (name: string, content = "x") => ({ name, content });
  const inputs: [what: string, bytes: Uint8Array, line: RegExp][] = [
    ["nothing", new Uint8Array(), /is empty/],
    ["text", Buffer.from("hello, world\n".repeat(100)), /archive|header/],
    ["xz", xz, /decompress it first/],
    ["bzip2", bzip2, /with bzip2, .* decompress it first \(bzip2 -d\)$/],
    ["half a gzip", Bun.gzipSync(new Uint8Array(tar)).subarray(0, 5000), /gzip/],
    ["cut short", tar.subarray(0, 5000), /short|early|ends/],
    ["out by dots", archive(file("../../escape")), /\.\./],
    ["out by a link", archive({ name: "l", type: "2", link: "/etc" }, file("l/passwd")), /./],
    ["a device too many", Buffer.concat([member({ name: "d", type: "9" }), new Uint8Array(1024)]), /./],
  ];
  for (const [what, stdin, line] of inputs) {
    const { stderr, code } = await empty.rt(["import", "-", "team/bad:1"], { stdin });
    if (code === 0) {
      // Some of these are honest to tar: then what they hold lies inside.
      await empty.ok(["rmi", "-f", "team/bad:1"]);
      continue;
    }
    expect([what, oneLine(stderr), code]).toEqual([what, expect.stringMatching(line), 125]);
    expect([what, ...(await storeIsEmpty(empty))]).toEqual([what]);
  }
  const wrong: [args: string[], line: RegExp][] = [
    [["import", join(host.dir, "nosuch.tar")], /nosuch\.tar/],
    [["import", host.dir], /./],
    [["import", at("root.tar"), "BAD NAME"], /BAD NAME|reference/],
    [["import", at("root.tar"), `a@sha256:${"0".repeat(64)}`], /digest reference/],
    [["import", "-c", "RUN x", at("root.tar")], /RUN/],
    [["import", "--platform", "a/b/c/d", at("root.tar")], /platform/],
    [["import"], /FILE/],
  ];
  for (const [args, line] of wrong) {
    const { stderr, code } = await empty.rt(args);
    expect([args, oneLine(stderr), code > 0]).toEqual([args, expect.stringMatching(line), true]);
    expect([args, ...(await storeIsEmpty(empty))]).toEqual([args]);
  }
});

test("a full disk: one line, and the room is there again", async () => {
  const small = at("small");
  mkdirSync(small);
  await run(["mount", "-t", "tmpfs", "-o", "size=3m", "rt-small", small]);
  try {
    const { stderr, code } = await host.rt(["--root", small, "import", at("root.tar"), "a:1"]);
    expect([oneLine(stderr), code]).toEqual([expect.stringMatching(/no space left/i), 125]);
    expect(await host.ok(["--root", small, "images", "-q"])).toBe("");
    const left = (await run(["find", join(small, "content"), "-type", "f", "-size", "+0"])).trim();
    expect(left).toBe("");
  } finally {
    await run(["umount", small]);
  }
});
