/** HEAD, GET and PUT /containers/X/archive, and export. */
import { expect } from "bun:test";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { held } from "../../support/hijack.ts";
import { openDescriptors } from "../../support/leaks.ts";
import { needs } from "../../support/root.ts";
import { archive } from "../../support/tar.ts";
import { until } from "../../support/wait.ts";

const { test } = needs({ root: true, tools: ["tar"] });

async function serving(): Promise<ApiHost> {
  const api = await apiHost();
  const argv = ["run", "-dq", "--network", "none", "--name", "has", "embed:hello", "sleep", "600"];
  await api.host.ok(argv);
  const files = [
    ...[
      ["mkdir", "/dir", "/dir/sub"],
      ["write", "/dir/a", "hello"],
      ["symlink", "b", "/dir/link"],
    ],
    ...[
      ["symlink", "../dir/a", "/dir/b"],
      ["symlink", "nowhere", "/dir/dangling"],
    ],
    ...[
      ["symlink", "/dir", "/way"],
      ["symlink", "loop", "/dir/loop"],
      ["symlink", "../../../etc", "/dir/out"],
    ],
  ];
  for (const words of files) await api.host.ok(["exec", "has", "/probe", ...words]);
  return api;
}

const target = (path: string) => `/v1.51/containers/has/archive?path=${encodeURIComponent(path)}`;

function statIn(fields: ReadonlyMap<string, string>) {
  const text = Buffer.from(fields.get("x-docker-container-path-stat") ?? "", "base64").toString();
  return JSON.parse(text) as { name: string; size: number; mode: number; mtime: string; linkTarget: string };
}

async function tar(argv: string[], input: Uint8Array): Promise<string> {
  const child = Bun.spawn(["tar", ...argv], { stdin: input, stdout: "pipe", stderr: "pipe" });
  const text = await child.stdout.text();
  expect(await child.exited).toBe(0);
  return text;
}

test("what is at a path", async () => {
  await using api = await serving();
  const stat = async (path: string) => {
    const { status, fields, text } = await api.request("HEAD", target(path));
    expect([status, text]).toEqual([200, ""]);
    return statIn(fields);
  };
  const [directory, link] = [2 ** 31, 2 ** 27];
  const file = await stat("/dir/a");
  expect(file).toMatchObject({ name: "a", size: 5, linkTarget: "" });
  expect(file.mode & ~0o777).toBe(0);
  expect(Date.parse(file.mtime)).toBeGreaterThan(Date.now() - 600_000);
  expect((await stat("/dir")).mode - directory).toBeLessThan(0o1000);
  expect(await stat("dir/")).toMatchObject({ name: "dir" });
  expect(await stat("/")).toMatchObject({ name: "/" });
  const chain = await stat("/dir/link");
  expect(chain).toMatchObject({ name: "link", linkTarget: "/dir/a" });
  expect(chain.mode - link).toBeLessThan(0o1000);
  expect(await stat("/dir/dangling")).toMatchObject({ linkTarget: "/dir/nowhere" });
  expect(await stat("/dir/out")).toMatchObject({ linkTarget: "/etc" });
  expect((await stat("/dir/loop")).linkTarget).toBe("/dir/loop");
  expect(await stat("/way/a")).toMatchObject({ name: "a", size: 5 });
}, 60_000);

test("out, and in again", async () => {
  await using api = await serving();
  using answered = held(await api.open("GET", target("/dir")));
  expect(answered.status).toBe(200);
  expect(answered.fields.get("content-type")).toBe("application/x-tar");
  expect(statIn(answered.fields).name).toBe("dir");
  const archive = Buffer.concat(await Array.fromAsync(answered.body));
  const names = (await tar(["tf", "-"], archive)).trim().split("\n").sort();
  expect(names).toContain("dir/sub/");
  expect(names).toContain("dir/a");
  await api.host.ok(["exec", "has", "/probe", "mkdir", "/other"]);
  const put = await api.request("PUT", `${target("/other")}&noOverwriteDirNonDir=true`, archive);
  expect([put.status, put.text]).toEqual([200, ""]);
  expect(await api.host.ok(["exec", "has", "/probe", "cat", "/other/dir/a"])).toContain("hello");
  // In chunks, and compressed.
  async function* pieces() {
    const packed = Bun.gzipSync(archive);
    for (let at = 0; at < packed.length; at += 100) yield packed.subarray(at, at + 100);
  }
  await api.host.ok(["exec", "has", "/probe", "mkdir", "/third"]);
  expect((await api.request("PUT", target("/third"), pieces())).status).toBe(200);
  expect(await api.host.ok(["exec", "has", "/probe", "cat", "/third/dir/a"])).toContain("hello");
}, 60_000);

test("the whole root", async () => {
  await using api = await serving();
  using answered = held(await api.open("GET", "/v1.51/containers/has/export"));
  expect(answered.status).toBe(200);
  const archive = Buffer.concat(await Array.fromAsync(answered.body));
  const names = (await tar(["tf", "-"], archive)).split("\n");
  expect(names).toContain("probe");
  expect(names).toContain("dir/a");
}, 60_000);

test("a client that goes in the middle of an archive leaves nothing open", async () => {
  await using api = await serving();
  const big = archive({ name: "big", content: new Uint8Array(8 << 20) });
  expect((await api.request("PUT", target("/"), big)).status).toBe(200);
  const sockets = () => openDescriptors(process.pid).filter((each) => each.includes("socket:")).length;
  const ask = async (path: string) => (await api.open("GET", path)).wire.destroy();
  const before = sockets();
  for (let round = 0; round < 3; round++)
    for (const path of [target("/big"), "/v1.51/containers/has/export"]) await ask(path);
  await until("nothing of them is left", () => sockets() <= before);
}, 60_000);

test("what is wrong", async () => {
  await using api = await serving();
  const missing = "Could not find the file /none in container has";
  const asked = async (method: string, where: string, body?: Uint8Array) => {
    const { status, json } = await api.request(method, where, body);
    return [status, json?.message];
  };
  expect(await asked("GET", target("/none"))).toEqual([404, missing]);
  expect((await asked("HEAD", target("/none")))[0]).toBe(404);
  expect(await asked("PUT", target("/none"), new Uint8Array(1024))).toEqual([404, missing]);
  expect((await asked("PUT", target("/dir/a"), new Uint8Array(1024)))[0]).toBe(400);
  expect((await asked("PUT", target("/dir"), Buffer.from("no archive".repeat(200))))[0]).toBe(400);
  expect((await asked("GET", target("")))[0]).toBe(400);
  expect((await asked("GET", target("/a\0b")))[0]).toBe(400);
  expect((await asked("GET", "/v1.51/containers/nobody/archive?path=/"))[0]).toBe(404);
  expect((await asked("GET", "/v1.51/containers/nobody/export"))[0]).toBe(404);
}, 60_000);
