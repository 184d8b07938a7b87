/**
 * The multi-layer Debian image of the tests, without the one member that podman and docker cannot unpack: a hard link
 * to a file of a lower layer (they unpack each layer by itself). As an OCI layout with the tag "gzip".
 */
import { join } from "node:path";
import { debianLayout } from "../support/debian.ts";
import { type Descriptor, LayoutWriter } from "../support/layout.ts";
import { fixture } from "../support/scratch.ts";
import { withoutEnd } from "../support/tar.ts";

const refused = "./srv/hard/env-of-layer-0";
const headerBytes = 512;

export interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

export async function benchDebianLayout(): Promise<string> {
  const source = await debianLayout();
  const dir = await fixture("bench-debian", source, async (into) => {
    const manifest: Manifest = JSON.parse(await text(source, await tagged(source, "plain")));
    const config: { config: Record<string, unknown> } = JSON.parse(
      await text(source, manifest.config.digest),
    );
    const layers = await Promise.all(manifest.layers.map((layer) => blob(source, layer.digest).bytes()));
    if (!layers.some(endsWithRefused)) throw new Error(`no layer of ${source} ends with ${refused}`);
    const layout = new LayoutWriter(join(into, "layout"));
    await layout.image("gzip", {
      layers: layers.map(acceptable),
      config: config.config,
      compression: "gzip",
    });
    await layout.close();
  });
  return join(dir, "layout");
}

/** The digest of the manifest with this tag. */
export async function tagged(layout: string, tag: string): Promise<string> {
  const index: { manifests: Descriptor[] } = await Bun.file(join(layout, "index.json")).json();
  const found = index.manifests.find(
    (each) => each.annotations?.["org.opencontainers.image.ref.name"] === tag,
  );
  if (!found) throw new Error(`no ${tag} in ${layout}`);
  return found.digest;
}

export function blob(layout: string, digest: string): Bun.BunFile {
  return Bun.file(join(layout, "blobs", digest.replace(":", "/")));
}

function text(layout: string, digest: string): Promise<string> {
  return blob(layout, digest).text();
}

function endsWithRefused(tar: Uint8Array): boolean {
  const last = withoutEnd(tar).subarray(-headerBytes);
  return new TextDecoder("latin1").decode(last.subarray(0, refused.length)) === refused;
}

function acceptable(tar: Uint8Array): Uint8Array {
  if (!endsWithRefused(tar)) return tar;
  return Buffer.concat([withoutEnd(tar).subarray(0, -headerBytes), new Uint8Array(2 * headerBytes)]);
}
