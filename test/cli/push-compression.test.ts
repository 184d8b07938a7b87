/** What layers become on their way to a real registry, read by other people's programs: zcat, busybox and zstd. */
import { expect } from "bun:test";
import { mediaTypes } from "../../src/oci/media-types.ts";
import { runBytes } from "../support/command.ts";
import { digestOf } from "../support/layout.ts";
import { startRegistry } from "../support/registry.ts";
import { tool } from "../support/root.ts";
import { containerTests, image } from "./world.ts";

const { test, host } = containerTests(["docker-registry", "zstd", "busybox"]);

interface Layer {
  mediaType: string;
  digest: string;
  size: number;
}

const forms = [
  {
    flags: [],
    type: `${mediaTypes.ociLayerTar}+gzip`,
    readers: [
      ["gzip", "-dc"],
      ["busybox", "gunzip", "-c"],
    ],
  },
  {
    flags: ["--compression", "gzip", "--compression-level", "9", "--force-compression"],
    type: `${mediaTypes.ociLayerTar}+gzip`,
    readers: [
      ["gzip", "-dc"],
      ["busybox", "gunzip", "-c"],
    ],
  },
  {
    flags: ["--compression", "zstd", "--force-compression"],
    type: `${mediaTypes.ociLayerTar}+zstd`,
    readers: [["zstd", "-dc"]],
  },
];

for (const { flags, type, readers } of forms) {
  test(`push ${flags.join(" ")}: every layer is the archive that its diffID names`, async () => {
    await using registry = await startRegistry();
    const script =
      "seq 200000 > /numbers; dd if=/dev/urandom of=/noise bs=1M count=3 2>/dev/null; rm /bin/vi";
    await host().ok(["run", "--name", "made", image, "sh", "-c", script]);
    const id = (await host().ok(["commit", "made", "team/made:1"])).trim();
    const name = `${registry.address}/team/made:1`;
    await host().ok(["push", ...flags, "team/made:1", name]);
    const get = async (path: string, accept = "*/*") => {
      const answer = await fetch(`${registry.url}/v2/team/made/${path}`, { headers: { Accept: accept } });
      expect(answer.status).toBe(200);
      return answer.bytes();
    };
    const read = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString());
    const { config, layers } = read(await get("manifests/1", mediaTypes.ociManifest)) as {
      config: Layer;
      layers: Layer[];
    };
    expect(config.digest).toBe(id);
    await host().ok([
      "push",
      "--compression",
      "gzip",
      "team/made:1",
      `${registry.address}/team/made:as-it-is`,
    ]);
    const asItIs: Layer[] = read(await get("manifests/as-it-is", mediaTypes.ociManifest)).layers;
    // Of the image that it was made from: gzip already, and of another level.
    const isKept = layers[0]!.digest === asItIs[0]!.digest;
    expect(isKept).toBe(!flags.includes("--force-compression"));
    const diffIDs: string[] = read(await get(`blobs/${config.digest}`)).rootfs.diff_ids;
    expect(layers.map(({ mediaType }) => mediaType).at(-1)).toBe(type);
    for (const [at, layer] of layers.entries()) {
      if (flags.includes("--force-compression")) expect(layer.mediaType).toBe(type);
      const blob = await get(`blobs/${layer.digest}`);
      expect([digestOf(blob), blob.length]).toEqual([layer.digest, layer.size]);
      for (const [program, ...more] of layer.mediaType === type ? readers : []) {
        const tar = await runBytes([tool(program!)!, ...more], { stdin: blob });
        expect(digestOf(tar)).toBe(diffIDs[at]!);
      }
    }
    await host().ok(["rm", "made"]);
    await host().ok(["rmi", "team/made:1"]);
    expect(
      await host().ok(["run", "--rm", name, "sh", "-c", "tail -n 1 /numbers; ls /bin/vi 2>&1 | wc -l"]),
    ).toBe("200000\n1\n");
  });
}
