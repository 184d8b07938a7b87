/** Images whose documents only a lenient reader takes, as docker and podman do: they are pulled, shown and run. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mediaTypes as types } from "../../src/oci/media-types.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { digestOf, hostArchitecture, LayoutWriter, mediaTypes } from "../support/layout.ts";
import { factsNamed, probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { archive } from "../support/tar.ts";

const { test } = needs({ root: true });

interface Odd {
  /** The config's text, of which each § becomes the one byte 0xE9. */
  config?: (json: string) => string;
  configType?: string;
  layerType?: string;
  manifest?: (manifest: Record<string, unknown>) => object;
  /** More entries of an index, in front of the image's own. */
  entries?: object[];
}

/** A layout of the prober at /probe; answers its source, and the prober's way to say what it sees. */
async function oddLayout(host: TestHost, odd: Odd): Promise<string> {
  const dir = join(host.dir, "layout");
  const layout = new LayoutWriter(dir);
  const layer = archive({ name: "probe", mode: 0o755, content: readFileSync(await probeBinary()) });
  const platform = { os: "linux", architecture: hostArchitecture() };
  const plain = JSON.stringify({
    ...platform,
    config: { Entrypoint: ["/probe"], Cmd: ["env"], Env: ["A=b"] },
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    history: [{ created_by: "x" }],
  });
  const config = Buffer.from((odd.config?.(plain) ?? plain).replaceAll("§", "é"), "latin1");
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: await layout.blob(config, odd.configType ?? mediaTypes.config),
    layers: [await layout.blob(layer, odd.layerType ?? types.dockerLayerTar)],
  };
  const entry = {
    ...(await layout.json(odd.manifest?.(manifest) ?? manifest, mediaTypes.manifest)),
    platform,
  };
  if (odd.entries) await layout.index("latest", [...odd.entries, entry] as never);
  else layout.tag("latest", entry);
  await layout.close();
  return `oci:${dir}`;
}

const cases: [what: string, odd: Odd, env: string][] = [
  ["a raw byte in the history", { config: (json) => json.replace('"x"', '"Ren§"') }, "A=b"],
  ["a raw byte in Env", { config: (json) => json.replace("A=b", "A=§") }, "A=\ufffd"],
  ["half a surrogate pair in Env", { config: (json) => json.replace("A=b", "A=\\ud800") }, "A=\ufffd"],
  [
    "names in lower case",
    { config: (json) => json.replaceAll(/"(Entrypoint|Cmd|Env)"/g, (name) => name.toLowerCase()) },
    "A=b",
  ],
  ["null history entries", { config: (json) => json.replace('{"created_by":"x"}', "null") }, "A=b"],
  [
    "an entrypoint that was taken away",
    { config: (json) => json.replace('["/probe"],"Cmd":["env"]', '[""],"Cmd":["/probe","env"]') },
    "A=b",
  ],
  ["a config of type application/octet-stream", { configType: "application/octet-stream" }, "A=b"],
  ["a config of type text/html", { configType: "text/html" }, "A=b"],
  ["a config without a type", { configType: "" }, "A=b"],
  ["a layer of type application/octet-stream", { layerType: "application/octet-stream" }, "A=b"],
  ["a layer without a type", { layerType: "" }, "A=b"],
  [
    "a layer's type with a charset",
    { layerType: "application/vnd.oci.image.layer.v1.tar; charset=utf-8" },
    "A=b",
  ],
  [
    "a manifest in other cases",
    { manifest: ({ config, layers }) => ({ SchemaVersion: 2, CONFIG: config, Layers: layers }) },
    "A=b",
  ],
  [
    "sha512 for another platform",
    {
      entries: [
        {
          mediaType: mediaTypes.manifest,
          digest: `sha512:${"ab".repeat(64)}`,
          size: 5,
          platform: { os: "linux", architecture: "s390x" },
        },
      ],
    },
    "A=b",
  ],
];

for (const [what, odd, env] of cases) {
  test(`${what}: pulled, shown and run`, async () => {
    await using host = await testHost();
    const source = await oddLayout(host, odd);
    await host.ok(["pull", "-q", source]);
    expect(JSON.parse(await host.ok(["inspect", "localhost/layout"]))).toHaveLength(1);
    const output = await host.ok(["run", "--rm", "localhost/layout"]);
    expect(factsNamed(output, "env")).toContain(env);
  });
}

test("an image without layers is pulled, and its missing program is told", async () => {
  await using host = await testHost();
  const source = await oddLayout(host, {
    config: (json) => json.replace(/"diff_ids":\[[^\]]*\]/, '"diff_ids":null'),
    manifest: (manifest) => ({ ...manifest, layers: null }),
  });
  await host.ok(["pull", "-q", source]);
  const { code, stderr } = await host.rt(["run", "--rm", "localhost/layout"]);
  expect(stderr).toMatch(/^rt: [^\n]*\/probe[^\n]*\n$/);
  expect(code).toBe(127);
});
