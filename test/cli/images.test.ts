/** What is here, as `rt images`, `rt inspect` and `rt info` show it; and what a pull draws while it works. */
import { afterAll, expect } from "bun:test";
import { digestOf } from "../../src/oci/digest.ts";
import { FakeRegistry } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout, helloLayout } from "../support/images.ts";
import { pushLayout, pushWithSkopeo } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { fileLayer, imageOf } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["docker-registry", "skopeo", "tar", "busybox"] });

let registry: Registry;
let host: TestHost;
/** Targets by name. */
const target: Record<string, string> = {};

beforeAll(async () => {
  registry = await startRegistry();
  host = await testHost();
  const busybox = await busyboxLayout();
  target.oci = await pushLayout(busybox, "latest", registry, "team/busybox:oci");
  target.hello = await pushLayout(await helloLayout(), "latest", registry, "hello:1");
  await pushWithSkopeo(busybox, "latest", registry, "team/busybox:v2s2", { format: "v2s2" });
  for (const name of ["team/busybox:oci", "team/busybox:v2s2", "hello:1"]) {
    const lines = (await host.ok(["pull", at(name)])).split("\n");
    target[name] = lines.find((line) => line.startsWith("Digest: "))!.slice("Digest: ".length);
  }
}, 120_000);

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

const at = (name: string) => `${registry.address}/${name}`;
const list = async (...args: string[]) => (await host.ok(["images", ...args])).trimEnd().split("\n");

test("the table", async () => {
  const lines = await list();
  expect(lines[0]).toMatch(/^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
  expect(lines).toHaveLength(4);
  const row = lines.find((line) => line.includes("v2s2"))!;
  expect(row).toMatch(
    new RegExp(
      `^${RegExp.escape(at("team/busybox"))} +v2s2 +[0-9a-f]{12} +\\d+ (months|years) ago +\\d[.\\d]*MB$`,
    ),
  );
  // One column under its heading.
  expect(row.indexOf("v2s2")).toBe(lines[0]!.indexOf("TAG"));
  expect(await list("ls")).toEqual(["REPOSITORY   TAG       IMAGE ID   CREATED   SIZE"]);
  expect((await host.ok(["image", "ls"])).trimEnd().split("\n")).toEqual(lines);
});

test("ids: short, whole, and one for each name", async () => {
  const whole = await list("-q", "--no-trunc");
  for (const id of whole) expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(await list("-q")).toEqual(whole.map((id) => id.slice(7, 19)));
  const ids = await list("--no-trunc", "--format", "{{.ID}}");
  expect(whole.toSorted()).toEqual(ids.toSorted());
});

test("digests: of two tags in one repository each its own", async () => {
  const lines = await list("--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}");
  const names = ["hello:1", "team/busybox:oci", "team/busybox:v2s2"];
  expect(lines.toSorted()).toEqual(names.map((name) => `${at(name)} ${target[name]}`).toSorted());
  expect((await list("--digests"))[0]).toMatch(/^REPOSITORY +TAG +DIGEST +IMAGE ID +CREATED +SIZE$/);
});

test("--format: json, a template, a table", async () => {
  const rows = (await list("--format", "json")).map((line) => JSON.parse(line));
  const hello = rows.find(({ Repository }) => Repository === at("hello"));
  expect(hello).toMatchObject({ Tag: "1", Containers: "0" });
  expect(hello.ID).toMatch(/^[0-9a-f]{12}$/);
  expect(hello.CreatedAt).toBe("2025-01-01 00:00:00 +0000 UTC");
  expect((await list("--format", ""))[0]).toMatch(/^REPOSITORY +TAG +IMAGE ID /);
  expect((await list("-q", "--format", ""))[0]).toMatch(/^[0-9a-f]{12}$/);
  expect((await list("--format", "table {{.Tag}}\t{{.Size}}"))[0]).toMatch(/^TAG +SIZE$/);
  const { stderr, code } = await host.rt(["images", "--format", "{{.Nope}}"]);
  expect(oneLine(stderr)).toContain("Nope");
  expect(code).toBe(1);
});

test("--filter and a pattern", async () => {
  const tags = async (...args: string[]) =>
    (await list(...args, "--format", "{{.Tag}}")).filter(Boolean).sort();
  expect(await tags("--filter", `reference=${at("team/*")}`)).toEqual(["oci", "v2s2"]);
  expect(await tags("--filter", `reference=${at("team/busybox:o*")}`)).toEqual(["oci"]);
  expect(await tags(at("hello"))).toEqual(["1"]);
  expect(await tags(at("team/busybox:v2s2"))).toEqual(["v2s2"]);
  expect(await tags("--filter", "dangling=true")).toEqual([]);
  expect(await tags("--filter", "dangling=false")).toEqual(["1", "oci", "v2s2"]);
  expect(await tags("--filter", "label=none")).toEqual([]);
  expect(await tags("--filter", `before=${at("hello:1")}`)).toEqual([]);
  for (const [filter, line] of [
    ["nope=1", /nope/],
    ["dangling", /KEY=VALUE/],
    ["dangling=perhaps", /true or false/],
    ["until=soon", /want a time, or how long ago/],
    ["before=nosuch", /No such image: nosuch/],
  ] as const) {
    const { stderr, code } = await host.rt(["images", "--filter", filter]);
    expect(oneLine(stderr)).toMatch(line);
    expect(code).toBe(filter.includes("nosuch") ? 1 : 125);
  }
});

test("inspect: docker's fields", async () => {
  const name = at("team/busybox:oci");
  const [image] = JSON.parse(await host.ok(["image", "inspect", name]));
  expect(Object.keys(image)).toEqual(
    expect.arrayContaining([
      "Id",
      "RepoTags",
      "RepoDigests",
      "Created",
      "Config",
      "Architecture",
      "Os",
      "Size",
      "GraphDriver",
      "RootFS",
    ]),
  );
  expect(image.RepoTags.toSorted()).toEqual([name, at("team/busybox:v2s2")].toSorted());
  expect(image.RepoDigests.toSorted()).toEqual(
    [target["team/busybox:oci"], target["team/busybox:v2s2"]]
      .map((digest) => `${at("team/busybox")}@${digest}`)
      .toSorted(),
  );
  expect(image).toMatchObject({
    Created: "2025-01-01T00:00:00Z",
    Os: "linux",
    Config: { Cmd: ["sh"] },
    RootFS: { Type: "layers" },
  });
  const byId = JSON.parse(await host.ok(["inspect", image.Id.slice(7, 19)]));
  expect(byId).toEqual([image]);
  expect(await host.ok(["inspect", "--type", "image", "-f", "{{json .Config.Cmd}} {{.Id}}", name])).toBe(
    `["sh"] ${image.Id}\n`,
  );
  const { stdout, stderr, code } = await host.rt(["image", "inspect", name, "nosuch"]);
  expect(JSON.parse(stdout)).toHaveLength(1);
  expect(oneLine(stderr)).toBe("No such image: nosuch");
  expect(code).toBe(1);
});

test("info says what is here, and in what", async () => {
  const facts = JSON.parse(await host.ok(["system", "info", "--format", "json"]));
  expect(facts).toMatchObject({ Images: 2, Driver: "overlay", DockerRootDir: host.root });
  expect(await host.ok(["info"])).toContain("\nStorage Driver: overlay\n");
  expect(await host.ok(["--storage-driver", "copy", "info", "-f", "{{.Driver}}"])).toBe("copy\n");
  const { stderr, code } = await host.rt(["--storage-driver", "zfs", "info"]);
  expect(oneLine(stderr)).toBe('unknown storage driver "zfs": there are overlay and copy');
  expect(code).toBe(125);
});

test("a run on the copy driver", async () => {
  const lines = await host.ok([
    "--storage-driver",
    "copy",
    "run",
    "--rm",
    at("team/busybox:oci"),
    "sh",
    "-c",
    "echo on >/file && cat /file",
  ]);
  expect(lines).toBe("on\n");
});

test("on a terminal: a bar for each layer, drawn in place, and each ends as a line of its own", async () => {
  await using fake = await FakeRegistry.start();
  await using own = await testHost();
  const layers = [fileLayer("a", 3_000_000), fileLayer("b", 3_000_000), fileLayer("c", 1000)];
  const name = fake.push("team/app", "1", imageOf(layers));
  for (const layer of layers.slice(0, 2)) {
    fake.once(new RegExp(`GET .*/blobs/${digestOf(layer)}`), async (_, wire) => {
      wire.head(200, { "Content-Length": String(layer.length) });
      wire.socket.write(layer.subarray(0, 1_500_000));
      await terminal.screen.waitFor(new RegExp(`${short(layer)}: Downloading \\[=+> +\\] +[\\d.]+MB/3MB`));
      wire.socket.write(layer.subarray(1_500_000));
    });
  }
  await using terminal = own.pty(["pull", name], { columns: 100, rows: 24 });
  expect(await terminal.exited).toBe(0);
  const screen = drawn(terminal.screen.text, 100);
  expect(screen).toEqual([
    "1: Pulling from team/app",
    ...layers.map((layer) => `${short(layer)}: Pull complete`),
    expect.stringMatching(/^Digest: sha256:[0-9a-f]{64}$/),
    `Status: Downloaded newer image for ${name}`,
    name,
  ]);
  for (const line of terminal.screen.text.split(/\r?\n/)) expect(Bun.stringWidth(line)).toBeLessThan(100);
});

test("on a terminal, Control-C: the line is below the bars, and the terminal as it was", async () => {
  await using fake = await FakeRegistry.start();
  await using own = await testHost();
  const layer = fileLayer("a", 3_000_000);
  const name = fake.push("team/app", "1", imageOf([layer]));
  fake.once(/blobs\/.*/, (request, wire) => fake.serve(request, wire));
  fake.once(new RegExp(`GET .*/blobs/${digestOf(layer)}`), (_, wire) => {
    wire.head(200, { "Content-Length": String(layer.length) });
    wire.socket.write(layer.subarray(0, 1_500_000));
  });
  await using terminal = own.pty(["pull", name]);
  const before = terminal.flags();
  await terminal.screen.waitFor(/Downloading/);
  terminal.type("\u0003");
  expect(await terminal.exited).toBe(130);
  const lines = drawn(terminal.screen.text, 80);
  expect(lines.at(-1)).toMatch(/^(\^C)?rt: pull interrupted; the next one goes on from here$/); // the terminal echoes the key
  expect(terminal.flags()).toEqual(before);
});

function short(layer: Uint8Array): string {
  return digestOf(layer).slice(7, 19);
}

/** Cursor up, erase line or all below, and single characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: what moves a terminal are control characters
const controls = /\x1b\[(\d*)A|\x1b\[(2K|J)|\r|\n|([^\x1b\r\n])/g;

/** The lines that a terminal shows in the end, of text that moves up, erases lines, and erases below. */
function drawn(text: string, columns: number): string[] {
  const lines: string[] = [""];
  let row = 0;
  let column = 0;
  for (const [token, up, erase, character] of text.matchAll(controls)) {
    if (up !== undefined) row = Math.max(0, row - Number(up || 1));
    else if (erase === "2K") lines[row] = "";
    else if (erase === "J") lines.splice(row, lines.length, (lines[row] ?? "").slice(0, column));
    else if (token === "\r") column = 0;
    else if (token === "\n") {
      row++;
      lines[row] ??= "";
    } else {
      if (column === columns) throw new Error(`a line is wider than ${columns}: ${lines[row]}`);
      lines[row] =
        `${lines[row]!.slice(0, column).padEnd(column)}${character}${lines[row]!.slice(column + 1)}`;
      column++;
    }
  }
  return lines.map((line) => line.trimEnd()).filter(Boolean);
}
