import { expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import { LayoutWriter } from "../../support/layout.ts";
import { pushLayout, pushWithSkopeo } from "../../support/push.ts";
import { startRegistry } from "../../support/registry.ts";
import { needs } from "../../support/root.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { archive } from "../../support/tar.ts";
import { failsWith, noise, pull } from "../source/pull.ts";

/** Debian's docker-registry, and images that skopeo put there: what the scripted registry claims to resemble. */
const { test } = needs({ tools: ["docker-registry", "skopeo"] });

const tars = [archive({ name: "a", content: "one" }), archive({ name: "b", content: noise(300_000) })];

async function inScratch(use: (dir: string, layout: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(scratchDirectory(), "rt-real-"));
  try {
    const layout = join(dir, "layout");
    const writer = new LayoutWriter(layout);
    const amd64 = await writer.image("gzip", { layers: tars, architecture: "amd64" });
    const arm64 = await writer.image(null, { layers: tars.slice(1), architecture: "arm64" });
    await writer.image("zstd", { layers: tars, architecture: "amd64", compression: "zstd" });
    await writer.index("index", [amd64, arm64]);
    await writer.close();
    await use(dir, layout);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const unpacked = (layers: Uint8Array[]) =>
  layers.map((layer) =>
    digestOf(layer[0] === 0x28 ? Bun.zstdDecompressSync(layer) : Bun.gunzipSync(new Uint8Array(layer))),
  );
const diffIDs = tars.map((tar) => digestOf(tar));

test("Docker v2s2, OCI, zstd and an index, by tag and by digest", () =>
  inScratch(async (_, layout) => {
    await using registry = await startRegistry();
    await pushWithSkopeo(layout, "gzip", registry, "t/docker:1", { format: "v2s2" });
    await pushWithSkopeo(layout, "gzip", registry, "t/oci:1", { format: "oci" });
    await pushWithSkopeo(layout, "zstd", registry, "t/zstd:1", { format: "oci" });
    const digest = await pushLayout(layout, "index", registry, "t/index:1");
    for (const name of ["t/docker:1", "t/oci:1", "t/zstd:1", "t/index:1", `t/index@${digest}`]) {
      expect(unpacked((await pull(`${registry.address}/${name}`)).layers)).toEqual(diffIDs);
    }
    const arm = await pull(`${registry.address}/t/index:1`, {
      platform: { os: "linux", architecture: "arm64" },
    });
    expect(unpacked(arm.layers)).toEqual(diffIDs.slice(1));
    const resumed = await pull(`${registry.address}/t/docker:1`, { offset: 40 });
    expect(resumed.layers[1]?.length).toBeGreaterThan(1000);
    expect(await failsWith("not-found", pull(`${registry.address}/t/docker:2`))).toContain(
      "manifest unknown",
    );
    expect(await failsWith("not-found", pull(`${registry.address}/nothing`))).toContain(
      "has no manifest latest",
    );
  }));

test("Basic authentication", () =>
  inScratch(async (dir, layout) => {
    const auth = { user: "someone", password: "pass:word" };
    await using registry = await startRegistry({ auth });
    await pushWithSkopeo(layout, "gzip", registry, "t/docker:1", { format: "v2s2" });
    const name = `${registry.address}/t/docker:1`;
    const file = (entry: object) => {
      const path = join(dir, "auth.json");
      writeFileSync(path, JSON.stringify({ auths: { [registry.address]: entry } }));
      return { authFile: path };
    };
    const base64 = Buffer.from(`${auth.user}:${auth.password}`).toString("base64");
    expect(unpacked((await pull(name, file({ auth: base64 }))).layers)).toEqual(diffIDs);
    await failsWith("unauthorized", pull(name));
    await failsWith("unauthorized", pull(name, file({ username: "someone", password: "else" })));
  }));

test("archives and directories that skopeo writes", () =>
  inScratch(async (dir, layout) => {
    const copy = async (target: string) => {
      const command = ["skopeo", "--insecure-policy", "copy", "--quiet", `oci:${layout}:gzip`, target];
      const done = Bun.spawnSync(command, { stdout: "ignore", stderr: "pipe" });
      if (!done.success) throw new Error(done.stderr.toString());
    };
    await copy(`docker-archive:${dir}/docker.tar:alpine:3.20`);
    await copy(`oci-archive:${dir}/oci.tar:1.0`);
    await copy(`oci:${dir}/copy:1.0`);
    const saved = await pull(`docker-archive:${dir}/docker.tar`);
    expect(saved.layers.map((layer) => digestOf(layer))).toEqual(diffIDs);
    expect(saved.reference).toBe("docker.io/library/alpine:3.20");
    for (const name of [
      `oci-archive:${dir}/oci.tar`,
      `oci-archive:${dir}/oci.tar:1.0`,
      `oci:${dir}/copy:1.0`,
    ]) {
      expect(unpacked((await pull(name)).layers)).toEqual(diffIDs);
    }
  }));
