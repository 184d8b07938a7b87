/** `rt tag`, `rt untag`, `rt history`, and the images of an index as `rt images --tree` shows them. */
import { expect } from "bun:test";
import { join } from "node:path";
import { type TestHost, testHost } from "../support/host.ts";
import { LayoutWriter } from "../support/layout.ts";
import { needs } from "../support/root.ts";
import { archive } from "../support/tar.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true });

const layer = (name: string, length = 3000) => archive({ name, content: "x".repeat(length) });

/** `localhost/app`, of two layers, and what else is asked for. */
async function world(make: (layout: LayoutWriter) => Promise<unknown> = async () => {}): Promise<TestHost> {
  const host = await testHost();
  const dir = join(host.dir, "app");
  const layout = new LayoutWriter(dir);
  await layout.image("latest", { layers: [layer("a"), layer("b")], config: { Cmd: ["x"] } });
  await make(layout);
  await layout.close();
  await host.ok(["pull", "-q", `oci:${dir}`]);
  return host;
}

const names = async (host: TestHost) =>
  (await host.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"])).split("\n").filter(Boolean).sort();
const events = async (host: TestHost) =>
  (
    await host.ok([
      ...["events", "--since", "1h", "--until", "0s", "--format"],
      "{{.Action}} {{.Actor.Attributes.name}}",
    ])
  )
    .split("\n")
    .filter((line) => /^(un)?tag /.test(line));

test("tag says nothing, and the image has the name; untag takes it away, and the image stays", async () => {
  await using host = await world();
  expect(await host.rt(["tag", "localhost/app", "team/web:1", "team/web"])).toMatchObject({
    ...{ stdout: "", stderr: "", code: 0 },
  });
  const id = (await host.ok(["images", "-q", "--no-trunc", "team/web:1"])).trim();
  await host.ok(["image", "tag", id.slice(7, 19), "registry.example:5000/a/b:2"]);
  expect(await names(host)).toEqual([
    ...["localhost/app:latest", "registry.example:5000/a/b:2", "team/web:1", "team/web:latest"],
  ]);
  expect(await host.rt(["untag", "team/web:1", "team/web:1"])).toMatchObject({ stdout: "", code: 0 });
  await host.ok(["image", "untag", id]);
  expect(await names(host)).toEqual(["<none>:<none>"]);
  expect(await host.ok(["image", "inspect", "-f", "{{.Id}} {{.RepoTags}}", id])).toBe(`${id} []\n`);
  expect(await events(host)).toEqual([
    ...["tag team/web:1", "tag team/web:latest", "tag registry.example:5000/a/b:2", "untag team/web:1"],
    ...["untag team/web:latest", "untag localhost/app:latest", "untag registry.example:5000/a/b:2"],
  ]);
});

test("a name that another image has leads to this one from then on, and LastTagTime says when", async () => {
  await using host = await world();
  await host.ok(["pull", "-q", "embed:hello"]);
  await host.ok(["tag", "embed:hello", "team/web"]);
  await host.ok(["tag", "localhost/app", "team/web"]);
  const [hello, app] = await Promise.all(
    ["embed:hello", "team/web"].map(async (name) =>
      JSON.parse(await host.ok(["image", "inspect", "-f", "{{json .}}", name])),
    ),
  );
  expect(hello.RepoTags).toEqual(["embed:hello"]);
  expect(app.RepoTags).toEqual(["team/web:latest", "localhost/app:latest"]);
  expect(Date.parse(app.Metadata.LastTagTime)).toBeGreaterThan(Date.parse("2020-01-01"));
  expect(Date.parse(app.Metadata.LastTagTime)).toBeLessThanOrEqual(Date.now());
});

test("a tag of an image that came by an index leads to the index", async () => {
  await using host = await world(async (layout) => {
    const spec = { layers: [layer("c")], config: {} };
    const own = await layout.image(null, spec);
    const other = await layout.image(null, { ...spec, architecture: "s390x" });
    const note = { ...own, platform: { os: "unknown", architecture: "unknown" } };
    await layout.index("many", [own, other, note]);
  });
  await host.ok(["pull", "-q", `oci:${join(host.dir, "app")}:many`]);
  await host.ok(["tag", "localhost/app:many", "team/many"]);
  const target = "{{.Descriptor.mediaType}} {{.Descriptor.digest}}";
  const [before, after] = await Promise.all(
    ["localhost/app:many", "team/many"].map((name) => host.ok(["inspect", "-f", target, name])),
  );
  expect(after).toBe(before!);
  expect(before).toContain("image.index.v1+json");
  const tree = await host.ok(["images", "--tree", "team/many"]);
  expect(tree.split("\n").map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
    ["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE"],
    ["team/many:latest", expect.any(String), expect.stringMatching(/B$/), expect.stringMatching(/B$/)],
    [expect.stringMatching(/^├─ linux\/a/), expect.any(String), expect.any(String), expect.any(String)],
    ["└─ linux/s390x", expect.any(String), "0B", "0B"],
    [""],
  ]);
  await host.ok(["pull", "-q", "--platform", "linux/s390x", `oci:${join(host.dir, "app")}:many`]);
  expect(await host.ok(["images", "--tree"])).not.toMatch(/s390x .* 0B/);
});

test("the marks of the tree: in use, and what it takes", async () => {
  await using host = await world();
  const row = async () => (await host.ok(["images", "--tree"])).split("\n")[1]!;
  expect(await row()).toMatch(/^localhost\/app:latest +[0-9a-f]{12} +[\d.]+kB +[\d.]+(k?)B$/);
  const id = (await host.ok(["create", "--network", "none", "localhost/app"])).trim();
  expect(await row()).toEndWith(" ✔");
  await host.ok(["rm", id]);
  for (const flag of ["-q", "--no-trunc", "--digests", "--format=json"]) {
    const { code, stderr } = await host.rt(["images", "--tree", flag]);
    expect([code, oneLine(stderr)]).toEqual([125, expect.stringContaining("not yet supported with --tree")]);
  }
});

test("history: each step with its layer; ids, sizes and times for programs", async () => {
  await using host = await world();
  const lines = (await host.ok(["history", "localhost/app"])).trimEnd().split("\n");
  expect(lines[0]).toMatch(/^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$/);
  expect(lines.slice(1).map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
    [expect.stringMatching(/^[0-9a-f]{12}$/), expect.stringMatching(/ago$/), "rt test", "3kB"],
    ["<missing>", expect.stringMatching(/ago$/), "rt test", "3kB"],
  ]);
  const id = (await host.ok(["images", "-q", "--no-trunc"])).trim();
  expect(await host.ok(["history", "-q", "--no-trunc", id.slice(7, 15)])).toBe(`${id}\n<missing>\n`);
  const plain = [
    "image",
    "history",
    "--human=false",
    "--format",
    "{{.CreatedAt}} {{.Size}}",
    "localhost/app",
  ];
  expect(await host.ok(plain)).toBe("2025-01-01T00:00:00Z 3000\n".repeat(2));
  const rows = (await host.ok(["history", "--format", "json", "localhost/app"])).trim().split("\n");
  expect(Object.keys(JSON.parse(rows[0]!)).sort()).toEqual([
    ...["Comment", "CreatedAt", "CreatedBy", "CreatedSince", "ID", "Size"],
  ]);
});

test("what cannot be named, and what is not here", async () => {
  await using host = await world();
  await host.ok(["pull", "-q", "embed:hello"]);
  const app = "localhost/app";
  const zeros = "0".repeat(64);
  const wrong: [words: string[], code: number, line: RegExp][] = [
    [["tag", "nosuch", "x"], 1, /^No such image: nosuch$/],
    [
      ["tag", app, "Bad"],
      125,
      /^invalid reference format: repository name \(library\/Bad\) must be lowercase$/,
    ],
    [["tag", app, "../x"], 125, /^invalid reference format/],
    [["tag", app, "a", "b:"], 125, /^invalid reference format/],
    [["tag", app, zeros], 125, /is an image ID, not a name/],
    [["tag", app, `x@sha256:${zeros}`], 125, /^refusing to create a tag with a digest reference$/],
    [
      ["tag", app, "x", "sha256:ab12"],
      125,
      /^refusing to create an ambiguous tag using digest algorithm as name$/,
    ],
    [["tag", app], 125, /needs NAME/],
    [["untag", "nosuch"], 1, /^No such image: nosuch$/],
    [["untag", app, "embed:hello"], 125, /^embed:hello: tag not known$/],
    [["untag", app, app, "nosuch"], 125, /^nosuch:latest: tag not known$/],
    [["untag", app, `x@sha256:${zeros}`], 125, /^untag by digest not supported$/],
    [["history", "nosuch"], 1, /^No such image: nosuch$/],
    [
      ["history", "--platform", "linux/s390x", app],
      1,
      /was found but its platform \(linux\/\w+\) does not match/,
    ],
    [["history", "--platform", "nonsense/", app], 125, /^invalid platform/],
    [["image", "inspect", "--platform", "linux/s390x", app], 1, /does not match the specified platform/],
  ];
  for (const [words, code, line] of wrong) {
    const result = await host.rt(words);
    expect([words, result.code, oneLine(result.stderr)]).toEqual([words, code, expect.stringMatching(line)]);
  }
  // Nothing was done by any of them.
  expect(await names(host)).toEqual(["embed:hello", "localhost/app:latest"]);
  expect(await events(host)).toEqual([]);
  const both = await host.rt(["image", "inspect", "-f", "{{.Os}}", "nosuch", app]);
  expect(both).toMatchObject({ stdout: "linux\n", stderr: "rt: No such image: nosuch\n", code: 1 });
  const none = await host.rt(["image", "inspect", "nosuch"]);
  expect(none).toMatchObject({ stdout: "[]\n", code: 1 });
});
