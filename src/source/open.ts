import { RtError } from "../base/errors.ts";
import { callerPath } from "../base/working-directory.ts";
import { shown } from "../oci/json.ts";
import { kindOf, type SourceKind } from "../reference/kind.ts";
import { parse } from "../reference/reference.ts";
import type { RegistryOptions } from "../registry/client.ts";
import type { EmbeddedLayout } from "./embedded.ts";
import type { Source } from "./source.ts";

export interface SourceOptions extends RegistryOptions {
  /** The layout embedded under a name, or undefined if there is none. For `embed:NAME`. */
  embedded?: (name: string) => Promise<EmbeddedLayout | undefined>;
}

/** `text` is all that the user wrote, `rest` what follows the kind. */
type Open = (text: string, rest: string, options: SourceOptions) => Promise<Source>;

/**
 * The source that `text` names; the kinds are listed in reference/kind.ts. Each kind's code is loaded only when it is asked
 * for. Of a registry nothing is asked yet.
 *
 * @throws invalid-argument | not-found | data-loss | unsupported
 */
export async function openSource(text: string, options: SourceOptions): Promise<Source> {
  const { kind, rest } = kindOf(text);
  return openers[kind](text, rest, options);
}

const openers: Readonly<Record<SourceKind, Open>> = {
  async registry(text, rest, options) {
    rejectForeign(text);
    const reference = parse(rest);
    const { RegistrySource } = await import("./registry.ts");
    return new RegistrySource(reference, options);
  },
  async oci(text, rest) {
    const { path, tag } = splitPath(rest, "oci");
    return (await import("./oci-layout.ts")).openOciLayout(text, path, tag);
  },
  async "oci-archive"(text, rest) {
    const { path, tag } = splitPath(rest, "oci-archive");
    return (await import("./oci-archive.ts")).openOciArchive(text, path, tag);
  },
  async "docker-archive"(text, rest) {
    const { path, tag } = splitPath(rest, "docker-archive");
    return (await import("./docker-archive.ts")).openDockerArchive(text, path, tag);
  },
  async embed(text, rest, options) {
    const layout = await options.embedded?.(rest);
    if (!layout) throw new RtError("not-found", `there is no image named ${shown(rest)} in this executable`);
    return (await import("./embedded.ts")).openEmbedded(text, layout);
  },
};

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
