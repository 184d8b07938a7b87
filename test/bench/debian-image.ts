/**
 * The multi-layer Debian image of the tests, without two members: podman and docker cannot unpack a hard link to a file of
 * a lower layer (they unpack each layer by itself), and docker cannot push or save a layer with a sparse file again. As an OCI layout with the tag "gzip"; the tag "changed" is
 * the same with another file in its last layer.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { debianLayout } from "../support/debian.ts";
import { type Descriptor, LayoutWriter } from "../support/layout.ts";
import { fixture } from "../support/scratch.ts";
import { member, withoutEnd, withoutMembers } from "../support/tar.ts";

const refused = ["./srv/hard/env-of-layer-0\0", "GNU.sparse.name=./srv/sparse\n"];
const blockBytes = 512;
const changeBytes = 1 << 20;

/** Also the key of what is made: a changed recipe makes a new fixture. */
const recipe = Bun.file(import.meta.path).text();

export interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

export async function benchDebianLayout(): Promise<string> {
  const source = await debianLayout();
  const dir = await fixture("bench-debian", `${await recipe}${source}`, async (into) => {
    const manifest: Manifest = JSON.parse(await text(source, await tagged(source, "plain")));
    const config: { config: Record<string, unknown> } = JSON.parse(
      await text(source, manifest.config.digest),
    );
    const layers = await Promise.all(manifest.layers.map((layer) => blob(source, layer.digest).bytes()));
    const layout = new LayoutWriter(join(into, "layout"));
    const same = layers.map((layer) => withoutMembers(layer, isRefused));
    const image = (tag: string, last: Uint8Array) =>
      layout.image(tag, {
        layers: [...same.slice(0, -1), last],
        config: config.config,
        compression: "gzip",
      });
    await image("gzip", same.at(-1)!);
    await image("changed", withChange(same.at(-1)!));
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

function isRefused(headers: string): boolean {
  return refused.some((text) => headers.includes(text));
}

function withChange(tar: Uint8Array): Uint8Array {
  const file = member({ name: "./srv/changed", content: randomBytes(changeBytes) });
  return Buffer.concat([withoutEnd(tar), file, new Uint8Array(2 * blockBytes)]);
}

function text(layout: string, digest: string): Promise<string> {
  return blob(layout, digest).text();
}
