/** `rt load` of what docker 1.2 to 1.9 wrote: `repositories` and a directory for each layer, and what nobody honest writes of it. */
import { afterAll, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { digestOf, hexOf } from "../../src/oci/digest.ts";
import { json } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { archive, type Member } from "../support/tar.ts";
import { fileLayer, storeIsEmpty } from "./image-world.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true });

let host: TestHost;
beforeAll(async () => {
  host = await testHost();
});
afterAll(() => host?.[Symbol.asyncDispose]());

interface V1 {
  id: string;
  json: Record<string, unknown>;
  /** Undefined: it has no layer.tar. */
  layer?: Uint8Array | { link: string; type: "1" | "2" };
}

const idOf = (name: string) => hexOf(digestOf(name));
const architecture = process.arch === "x64" ? "amd64" : process.arch;

function v1(layers: readonly V1[], repositories: object): Uint8Array {
  const members = layers.flatMap(({ id, json: document, layer }): Member[] => [
    { name: `${id}/`, type: "5" },
    { name: `${id}/VERSION`, content: "1.0" },
    { name: `${id}/json`, content: json({ id, ...document }) },
    ...(layer === undefined
      ? []
      : layer instanceof Uint8Array
        ? [{ name: `${id}/layer.tar`, content: layer }]
        : [{ name: `${id}/layer.tar`, ...layer }]),
  ]);
  return archive(...members, { name: "repositories", content: json(repositories) });
}

/** Where it lies, and once from its beginning to its end. */
async function both(tar: Uint8Array): Promise<{ code: number; stdout: string; stderr: string }[]> {
  const file = `${host.dir}/v1.tar`;
  await Bun.write(file, tar);
  const fromFile = await host.rt(["load", "-i", file]);
  if (fromFile.code === 0) await host.ok(["image", "prune", "-af"]);
  return [fromFile, await host.rt(["load"], { stdin: tar, front: ["sh", "-c", 'cat | exec "$0" "$@"'] })];
}

async function refused(what: string, tar: Uint8Array, line: RegExp): Promise<void> {
  for (const { code, stderr } of await both(tar)) {
    expect([what, oneLine(stderr), code]).toEqual([what, expect.stringMatching(line), 125]);
    expect([what, ...(await storeIsEmpty(host))]).toEqual([what]);
  }
}

const [base, middle, top] = ["base", "middle", "top"].map(idOf) as [string, string, string];

test("an image of three layers: config, history and files are those of its chain, and it runs", async () => {
  const probe = archive({ name: "probe", mode: 0o755, content: readFileSync(await probeBinary()) });
  const added = fileLayer("added", 2_000_000);
  const created = (day: number) => `2015-06-0${day}T10:00:00.5Z`;
  const layers: V1[] = [
    {
      id: top,
      json: {
        ...{
          parent: middle,
          created: created(3),
          author: "me",
          docker_version: "1.9.1",
          architecture,
          os: "linux",
        },
        ...{
          Size: 7,
          container: "c",
          config: { Cmd: ["/probe", "args", "<a>"], Env: ["A=1"], Labels: { x: "y" } },
        },
        container_config: { Cmd: ["/bin/sh", "-c", '#(nop) CMD ["/probe"]'] },
        throwaway: true,
      },
    },
    {
      id: middle,
      json: {
        parent: base,
        created: created(2),
        comment: "more",
        container_config: { Cmd: ["touch", "added"] },
      },
      layer: added,
    },
    { id: base, json: { created: created(1), container_config: null }, layer: probe },
  ];
  const names = { "team/web": { "1": top, "2": top }, "other.example/base": { latest: base } };
  const told =
    "Loaded image: team/web:1\nLoaded image: team/web:2\nLoaded image: other.example/base:latest\n";
  for (const result of await both(v1(layers, names)))
    expect(result).toMatchObject({ code: 0, stderr: "", stdout: told });
  const [image] = JSON.parse(await host.ok(["inspect", "team/web:1"]));
  const diffIDs = [digestOf(probe), digestOf(added)];
  expect(image).toMatchObject({
    ...{ Author: "me", Created: created(3), Architecture: architecture, Os: "linux", DockerVersion: "1.9.1" },
    Config: { Cmd: ["/probe", "args", "<a>"], Env: ["A=1"], Labels: { x: "y" } },
    RootFS: { Layers: diffIDs },
  });
  // What docker makes of it, byte for byte.
  const config = [
    `{"architecture":"${architecture}","author":"me","config":{"Cmd":["/probe","args","\\u003ca\\u003e"],"Env":["A=1"],`,
    `"Labels":{"x":"y"}},"container":"c","container_config":{"Cmd":["/bin/sh","-c","#(nop) CMD [\\"/probe\\"]"]},`,
    `"created":"${created(3)}","docker_version":"1.9.1","history":[{"created":"${created(1)}"},`,
    `{"created":"${created(2)}","created_by":"touch added","comment":"more"},`,
    `{"created":"${created(3)}","author":"me","created_by":"/bin/sh -c #(nop) CMD [\\"/probe\\"]","empty_layer":true}],`,
    `"os":"linux","rootfs":{"type":"layers","diff_ids":${JSON.stringify(diffIDs)}}}`,
  ].join("");
  expect(image.Id).toBe(digestOf(config));
  expect(await host.ok(["run", "--rm", "--network", "none", "team/web:2"])).toContain("<a>");
  expect((await host.ok(["history", "-q", "team/web:1"])).trim().split("\n")).toHaveLength(3);
  await host.ok(["image", "prune", "-af"]);
  expect(await storeIsEmpty(host)).toEqual([]);
});

test("what nobody named has no name; layers that are links are those that they lead to", async () => {
  const shared = fileLayer("shared", 3000);
  const layers: V1[] = [
    { id: base, json: {}, layer: shared },
    { id: middle, json: { parent: base }, layer: { type: "2", link: `../${base}/layer.tar` } },
    { id: top, json: { parent: middle }, layer: { type: "1", link: `${base}/layer.tar` } },
  ];
  for (const { code, stdout, stderr } of await both(v1(layers, {})))
    expect([code, stderr, stdout]).toEqual([
      0,
      "",
      expect.stringMatching(/^Loaded image ID: sha256:[0-9a-f]{64}\n$/),
    ]);
  const [id] = (await host.ok(["images", "-aq"])).trim().split("\n");
  const [image] = JSON.parse(await host.ok(["inspect", id!]));
  expect(image.RootFS.Layers).toEqual(Array(3).fill(digestOf(shared)));
  await host.ok(["image", "prune", "-af"]);
});

test("a chain of 130 layers", async () => {
  const ids = Array.from({ length: 130 }, (_, index) => idOf(`layer ${index}`));
  const layers = ids.map((id, index) => ({
    ...{ id, json: { parent: ids[index - 1] ?? "" } },
    layer: archive({ name: `file${index}`, content: "" }),
  }));
  const { code, stderr, stdout } = await host.rt(["load"], {
    stdin: v1(layers, { deep: { "1": ids.at(-1) } }),
  });
  expect([code, stderr, stdout]).toEqual([0, "", "Loaded image: deep:1\n"]);
  await host.ok(["image", "prune", "-af"]);
}, 120_000);

test("what is none: one line each, and nothing of it", async () => {
  const layer = fileLayer("f", 10);
  const one: V1 = { id: top, json: {}, layer };
  const named = { a: { "1": top } };
  const many = Array.from({ length: 17 }, (_, index) => ({
    ...{ id: idOf(`${index}`), json: { comment: "x".repeat(4_000_000) }, layer },
  }));
  const inputs: [what: string, tar: Uint8Array, line: RegExp][] = [
    ["a name of nothing", v1([one], { a: { "1": base } }), /json of a:1 does not exist/],
    ["an ID that is a path", v1([one], { a: { "1": "../../etc" } }), /64 hex digits/],
    ["an ID that is a number", v1([one], { a: { "1": 1 } }), /a string/],
    ["no reference", v1([one], { "NO:": { "/x": top } }), /invalid reference/],
    ["no layer", v1([{ id: top, json: {} }], named), /layer\.tar" does not exist/],
    ["no parent", v1([{ ...one, json: { parent: base } }], named), /the parent of .* does not exist/],
    [
      "a parent that is a path",
      v1([{ ...one, json: { parent: "../x" } }], named),
      /the parent of .* does not exist/,
    ],
    ["its own parent", v1([{ ...one, json: { parent: top } }], named), /form a circle/],
    ["its own parent, and no name", v1([{ ...one, json: { parent: top } }], {}), /holds no image/],
    [
      "parents in a circle",
      v1(
        [
          { ...one, json: { parent: base } },
          { id: base, json: { parent: top }, layer },
        ],
        named,
      ),
      /form a circle/,
    ],
    [
      "a layer that is a link to itself",
      v1([{ ...one, layer: { type: "2", link: "layer.tar" } }], named),
      /does not exist/,
    ],
    [
      "a layer outside",
      v1([{ ...one, layer: { type: "2", link: "../../etc/passwd" } }], named),
      /does not exist/,
    ],
    [
      "a compressed layer",
      v1([{ ...one, layer: Bun.gzipSync(new Uint8Array(layer)) }], named),
      /is compressed/,
    ],
    ["a config of numbers", v1([{ ...one, json: { config: { Cmd: [1] } } }], named), /a string/],
    ["a list of repositories", archive({ name: "repositories", content: "[]" }), /an object/],
    ["no JSON", archive({ name: "repositories", content: "{" }), /not valid JSON/],
    ["68 MB of json files", v1(many, {}), /more than 67108864 bytes/],
  ];
  for (const [what, tar, line] of inputs) await refused(what, tar, line);
}, 120_000);

test("cut short at each block: refused, or whole", async () => {
  const layer = (name: string) => archive({ name, content: "x" });
  const whole = v1(
    [
      { id: base, json: {}, layer: layer("a") },
      { id: top, json: { parent: base }, layer: layer("b") },
    ],
    { web: { "1": top } },
  );
  for (let length = 512; length < whole.length; length += 512) {
    const { code, stdout } = await host.rt(["load"], { stdin: whole.subarray(0, length) });
    if (code === 0) {
      expect([length, stdout]).toEqual([length, "Loaded image: web:1\n"]);
      await host.ok(["rmi", "web:1"]);
    } else expect([length, code]).toEqual([length, 125]);
    expect([length, ...(await storeIsEmpty(host))]).toEqual([length]);
  }
}, 120_000);
