import { RtError } from "../base/errors.ts";
import { callerPath } from "../base/working-directory.ts";
import { shown } from "../oci/json.ts";
import { canonical, parse } from "../reference/reference.ts";
import type { EmbeddedLayout } from "./embedded.ts";
import type { NamedSource } from "./named-source.ts";
import type { RegistryOptions } from "./registry.ts";

export interface SourceOptions extends RegistryOptions {
  /** The layout embedded under a name, or undefined if there is none. For `embed:NAME`. */
  embedded?: (name: string) => Promise<EmbeddedLayout | undefined>;
}

type Kind = "docker" | "oci" | "oci-archive" | "docker-archive" | "embed";

/**
 * The source that `text` names. Each kind's code is loaded only when it is asked for.
 *
 *   alpine:3.20, docker://alpine:3.20        a registry (no request is made yet)
 *   oci:DIR[:TAG]                            an OCI layout
 *   oci-archive:FILE[:TAG]                   the same in a tar
 *   docker-archive:FILE[:REF]                what `docker save` writes
 *   embed:NAME                               a layout in this executable
 *
 * @throws invalid-argument | not-found | data-loss | unsupported
 */
export async function openSource(text: string, options: SourceOptions): Promise<NamedSource> {
  const { kind, rest } = split(text);
  if (kind === "docker") {
    const reference = parse(rest);
    const { RegistrySource } = await import("./registry.ts");
    return new RegistrySource(reference, options);
  }
  if (kind === "embed") {
    const layout = await options.embedded?.(rest);
    if (!layout) throw new RtError("not-found", `there is no image named ${shown(rest)} in this executable`);
    const { embeddedSource } = await import("./embedded.ts");
    return embeddedSource(rest, layout);
  }
  const { path, tag } = splitPath(rest, kind);
  if (kind === "oci") return (await import("./oci-layout.ts")).openOciLayout(text, path, tag);
  const archive = await import("./archive.ts");
  return kind === "oci-archive"
    ? archive.openOciArchive(text, path, tag)
    : archive.openDockerArchive(text, path, tag);
}

/** The name that an image from `text` gets in the local store; reads the file where that is what decides. */
export async function referenceOf(text: string): Promise<string> {
  const { kind, rest } = split(text);
  if (kind === "docker") return canonical(parse(rest));
  if (kind === "embed") return text;
  const source = await openSource(text, { config: { registries: new Map() }, warn: () => {} });
  try {
    return source.reference;
  } finally {
    await source.close();
  }
}

/** Is this text a file or embedded source, rather than the name of an image in a registry? */
export function isLocalSource(text: string): boolean {
  return split(text).kind !== "docker";
}

function split(text: string): { kind: Kind; rest: string } {
  if (text.startsWith("docker://")) return { kind: "docker", rest: text.slice("docker://".length) };
  const found = /^(oci|oci-archive|docker-archive|embed):(.*)$/s.exec(text);
  if (!found) rejectForeign(text);
  return found ? { kind: found[1] as Kind, rest: found[2]! } : { kind: "docker", rest: text };
}

/** What skopeo, podman or a browser would understand, and what as a name would be looked for at Docker Hub. */
function rejectForeign(text: string): void {
  const transport = /^(docker-daemon|containers-storage|ostree|sif|tarball|dir(?=:[./]))(?=:)/.exec(
    text,
  )?.[0];
  if (transport) {
    throw new RtError(
      "unsupported",
      `${transport}: is none of rt's sources: there are oci:, oci-archive:, docker-archive: and names of registries`,
    );
  }
  const address = /^https?:\/\/(.*)$/s.exec(text)?.[1];
  if (address !== undefined) {
    throw new RtError("invalid-argument", `an image's name has no scheme: write ${shown(address)}`);
  }
}

/** As skopeo has it: the first colon ends the path. */
function splitPath(rest: string, kind: string): { path: string; tag: string | undefined } {
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === "") throw new RtError("invalid-argument", `${kind}: wants a path, as in ${kind}:/tmp/image`);
  if (tag === "") throw new RtError("invalid-argument", `${kind}:${shown(path)}: has an empty tag`);
  return { path: callerPath(path, `${kind}:`), tag };
}
