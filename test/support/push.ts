/** Puts the fixtures' images into a registry: with skopeo, as people's images get there, or untouched, byte for byte. */
import { join } from "node:path";
import { run } from "./command.ts";
import { type Descriptor, mediaTypes } from "./layout.ts";
import type { Registry } from "./registry.ts";

export interface SkopeoOptions {
  /** The manifest's type at the destination; skopeo converts. */
  format?: "oci" | "v2s2";
  /** Every platform of an index. */
  all?: boolean;
}

/** `reference` is "repository:tag" within the registry. */
export async function pushWithSkopeo(
  layout: string,
  tag: string,
  registry: Registry,
  reference: string,
  options: SkopeoOptions = {},
): Promise<void> {
  const command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"];
  if (options.format) command.push("--format", options.format);
  if (options.all) command.push("--all");
  if (registry.authorization) {
    const credentials = Buffer.from(registry.authorization.replace("Basic ", ""), "base64").toString();
    command.push("--dest-creds", credentials);
  }
  await run([...command, `oci:${layout}:${tag}`, `docker://${registry.address}/${reference}`]);
}

/** The image or index of `tag` as it is, with all it refers to; answers its digest. OCI distribution-spec, "Push". */
export async function pushLayout(
  layout: string,
  tag: string,
  registry: Registry,
  reference: string,
): Promise<string> {
  const [repository, name] = reference.split(":");
  if (!repository || !name) throw new Error(`want repository:tag, not ${reference}`);
  const index: { manifests: Descriptor[] } = await Bun.file(join(layout, "index.json")).json();
  const top = index.manifests.find((each) => each.annotations?.["org.opencontainers.image.ref.name"] === tag);
  if (!top) throw new Error(`no ${tag} in ${layout}`);
  await new Push(layout, registry, repository).manifest(top, name);
  return top.digest;
}

class Push {
  readonly #layout: string;
  readonly #registry: Registry;
  readonly #base: string;

  constructor(layout: string, registry: Registry, repository: string) {
    this.#layout = layout;
    this.#registry = registry;
    this.#base = `${registry.url}/v2/${repository}`;
  }

  async manifest(descriptor: Descriptor, name: string = descriptor.digest): Promise<void> {
    const body = await this.#content(descriptor);
    const manifest = JSON.parse(new TextDecoder().decode(body));
    if (descriptor.mediaType === mediaTypes.index)
      for (const each of manifest.manifests) await this.manifest(each);
    else await Promise.all([manifest.config, ...manifest.layers].map((each) => this.#blob(each)));
    await this.#send(
      "PUT",
      `${this.#base}/manifests/${name}`,
      { "Content-Type": descriptor.mediaType },
      body,
    );
  }

  async #blob(descriptor: Descriptor): Promise<void> {
    const started = await this.#send("POST", `${this.#base}/blobs/uploads/`, {});
    const location = new URL(started.headers.get("location") ?? "", this.#registry.url);
    location.searchParams.set("digest", descriptor.digest);
    await this.#send(
      "PUT",
      location.href,
      { "Content-Type": "application/octet-stream" },
      await this.#content(descriptor),
    );
  }

  #content(descriptor: Descriptor): Promise<Uint8Array<ArrayBuffer>> {
    return Bun.file(join(this.#layout, "blobs", descriptor.digest.replace(":", "/"))).bytes();
  }

  async #send(
    method: string,
    url: string,
    headers: Record<string, string>,
    body?: string | Uint8Array<ArrayBuffer>,
  ): Promise<Response> {
    const { authorization } = this.#registry;
    const all = authorization ? { ...headers, Authorization: authorization } : headers;
    const response = await fetch(url, { method, headers: all, ...(body !== undefined && { body }) });
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
    return response;
  }
}
