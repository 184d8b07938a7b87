import { describe, expect, test } from "bun:test";
import { digestOf } from "../../../src/oci/digest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import { FakeRegistry, json, type TestManifest, tinyImage, withIndex } from "../../support/fake-registry.ts";
import { failsWith, pull } from "../source/pull.ts";

const image = tinyImage();
const manifest = image.documents[0]!;

describe("documents that are not what was promised are refused", () => {
  test("a manifest asked by digest must have that digest, whatever the header says", async () => {
    await using registry = await FakeRegistry.start();
    registry.push("a", "1", image);
    const other = tinyImage([Buffer.from("evil")]).documents[0]!;
    registry.always(/manifests/, (_, wire) => {
      wire.reply(
        200,
        { "Content-Type": other.mediaType, "Docker-Content-Digest": image.manifestDigest },
        other.bytes,
      );
    });
    const line = await failsWith("data-loss", pull(`${registry.host}/a@${image.manifestDigest}`));
    expect(line).toContain(`whose digest is ${digestOf(other.bytes)}, not ${image.manifestDigest}: refused`);
    await failsWith("data-loss", pull(`${registry.host}/a:1`));
  });

  test("a header of another algorithm, or none, says nothing; a malformed one is a lie", async () => {
    await using registry = await FakeRegistry.start();
    const name = registry.push("a", "1", image);
    const send = (header: Record<string, string>) =>
      registry.once(/manifests/, (_, wire) => {
        wire.reply(200, { "Content-Type": manifest.mediaType, ...header }, manifest.bytes);
      });
    send({});
    expect((await pull(name)).layers).toEqual(image.layers);
    send({ "Docker-Content-Digest": `sha512:${"0".repeat(128)}` });
    expect((await pull(name)).layers).toEqual(image.layers);
    send({ "Docker-Content-Digest": "sha256:../../.." });
    await failsWith("data-loss", pull(name));
  });

  test("the index's word on a manifest's digest and size", async () => {
    for (const size of [manifest.bytes.length - 1, manifest.bytes.length + 1]) {
      await using registry = await FakeRegistry.start();
      const honest = withIndex(image, ["amd64"]);
      const index = JSON.parse(new TextDecoder().decode(honest.documents.at(-1)!.bytes));
      for (const entry of index.manifests) entry.size = size;
      const documents = [manifest, { bytes: json(index), mediaType: mediaTypes.ociIndex }];
      const name = registry.push("a", "1", { ...image, documents });
      expect(await failsWith("data-loss", pull(name))).toContain(`where ${size} were promised`);
    }
  });

  const edits: [string, (m: TestManifest) => object, string][] = [
    ["config size + 1", (m) => ({ ...m, config: { ...m.config, size: m.config.size + 1 } }), "data-loss"],
    ["config size - 1", (m) => ({ ...m, config: { ...m.config, size: m.config.size - 1 } }), "data-loss"],
    [
      "config of another digest",
      (m) => ({ ...m, config: { ...m.config, ...m.layers[0], mediaType: m.config.mediaType } }),
      "data-loss",
    ],
    ["config of 5 MiB", (m) => ({ ...m, config: { ...m.config, size: 5 * 2 ** 20 } }), "exhausted"],
    ["layer size + 1", (m) => ({ ...m, layers: [{ ...m.layers[0]!, size: 10 }, m.layers[1]] }), "data-loss"],
    ["layer size - 1", (m) => ({ ...m, layers: [{ ...m.layers[0]!, size: 8 }, m.layers[1]] }), "data-loss"],
    ["a layer too few", (m) => ({ ...m, layers: [m.layers[0]] }), "data-loss"],
    ["a layer too many", (m) => ({ ...m, layers: [...m.layers, m.layers[0]] }), "data-loss"],
    ["layers and manifests", (m) => ({ ...m, manifests: [] }), "data-loss"],
    [
      "a digest that climbs",
      (m) => ({ ...m, config: { ...m.config, digest: "sha256:../../../etc/passwd" } }),
      "data-loss",
    ],
    [
      "another mediaType than the header's",
      (m) => ({ ...m, mediaType: mediaTypes.ociManifest }),
      "data-loss",
    ],
    ["schema 1", () => ({ schemaVersion: 1, name: "a", fsLayers: [], history: [] }), "unsupported"],
    [
      "a helm chart",
      (m) => ({ ...m, config: { ...m.config, mediaType: "application/vnd.cncf.helm.config.v1+json" } }),
      "unsupported",
    ],
    [
      "an encrypted layer",
      (m) => ({ ...m, layers: m.layers.map((l) => ({ ...l, mediaType: "x+encrypted" })) }),
      "unsupported",
    ],
  ];
  for (const [name, edit, code] of edits) {
    test(name, async () => {
      await using registry = await FakeRegistry.start();
      const text = registry.push("a", "1", tinyImage(image.layers, edit));
      await failsWith(code as "data-loss", pull(text));
      expect(registry.seen(/passwd|\.\./)).toEqual([]);
    });
  }
});

describe("blobs", () => {
  test("bytes beyond the descriptor's size are a lie, with and without a length", async () => {
    await using registry = await FakeRegistry.start();
    const name = registry.push("a", "1", image);
    const path = new RegExp(digestOf(image.layers[0]!));
    registry.once(path, (_, wire) => wire.reply(200, {}, Buffer.from("layer one!")));
    expect(await failsWith("data-loss", pull(name))).toContain("announces 10 bytes");
    registry.once(path, (_, wire) => {
      wire.head(200, { "Transfer-Encoding": "chunked" });
      wire.socket.write("a\r\nlayer one!\r\n0\r\n\r\n");
    });
    expect(await failsWith("data-loss", pull(name))).toContain("sends more bytes");
  });

  test("a blob of the right length and wrong content is the caller's to refuse", async () => {
    await using registry = await FakeRegistry.start();
    const name = registry.push("a", "1", image);
    registry.once(new RegExp(digestOf(image.layers[0]!)), (_, wire) => wire.reply(200, {}, "LAYER ONE"));
    expect(await failsWith("data-loss", pull(name))).toBe("wrong layer digest");
  });

  test("a foreign layer that the registry lacks is not looked for elsewhere", async () => {
    await using registry = await FakeRegistry.start();
    const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const urls = [`${registry.url}/elsewhere`];
    const strange = tinyImage(image.layers, (m) => ({
      ...m,
      layers: m.layers.map((layer) => ({ ...layer, mediaType: foreign, urls })),
    }));
    const name = registry.push("a", "1", { ...strange, blobs: [strange.config] });
    expect(await failsWith("unsupported", pull(name))).toContain("is a foreign layer");
    expect(registry.seen(/elsewhere/)).toEqual([]);
  });
});

describe("platforms", () => {
  test("the index's entry is taken; the attestation never", async () => {
    await using registry = await FakeRegistry.start();
    const name = registry.push("a", "1", withIndex(image, ["s390x", "amd64"]));
    expect((await pull(name)).layers).toEqual(image.layers);
    const arm = { os: "linux", architecture: "arm64" };
    const line = await failsWith("unsupported", pull(name, { platform: arm }));
    expect(line).toBe(
      `${name} has no image for linux/arm64: it has linux/s390x, linux/amd64; choose one with --platform`,
    );
  });

  test("a lone manifest of another architecture is named", async () => {
    await using registry = await FakeRegistry.start();
    const name = registry.push("a", "1", image);
    const line = await failsWith(
      "unsupported",
      pull(name, { platform: { os: "linux", architecture: "arm64" } }),
    );
    expect(line).toBe(`${name} is for linux/amd64, not linux/arm64; see --platform`);
  });

  test("indexes in indexes end somewhere", async () => {
    await using registry = await FakeRegistry.start();
    let nested = withIndex(image, ["amd64"]);
    expect((await pull(registry.push("a", "1", withIndex(nested, ["amd64"])))).layers).toEqual(image.layers);
    for (let i = 0; i < 5; i++) nested = withIndex(nested, ["amd64"]);
    expect(await failsWith("exhausted", pull(registry.push("a", "2", nested)))).toContain("nests indexes");
  });
});
