import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";
import { kindOf, type SourceKind } from "../reference/kind.ts";
import { parse } from "../reference/reference.ts";
import { parseSshAddress } from "../reference/ssh-address.ts";
import type { RegistryOptions } from "../registry/client.ts";
import type { EmbeddedLayout } from "./embedded.ts";
import { rejectForeign, splitPath } from "./local-path.ts";
import type { Source } from "./source.ts";

export interface SourceOptions extends RegistryOptions {
  /** The layout embedded under a name, or undefined if there is none. For `embed:NAME`. */
  embedded?: (name: string) => Promise<EmbeddedLayout | undefined>;
  /** Of the caller, for what takes long to open. */
  signal?: AbortSignal | undefined;
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
  async ssh(text, rest, options) {
    const address = parseSshAddress(rest);
    if (address.image === "")
      throw new RtError("invalid-argument", `${shown(text)} names no image: want ssh://HOST/IMAGE`);
    parse(address.image);
    const [{ openSsh }, { PeerSource }] = await Promise.all([import("../peer/ssh.ts"), import("./peer.ts")]);
    const channel = await openSsh(address, "take", options);
    try {
      return await PeerSource.asked(channel, address.image, text, "as asked");
    } catch (error) {
      await channel.close(false);
      throw error;
    }
  },
  async embed(text, rest, options) {
    const layout = await options.embedded?.(rest);
    if (!layout) throw new RtError("not-found", `there is no image named ${shown(rest)} in this executable`);
    return (await import("./embedded.ts")).openEmbedded(text, layout);
  },
};
