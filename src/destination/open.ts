import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";
import { kindOf, type SourceKind } from "../reference/kind.ts";
import { parse } from "../reference/reference.ts";
import { parseSshAddress } from "../reference/ssh-address.ts";
import type { PushClientOptions } from "../registry/push-client.ts";
import { rejectForeign, splitPath } from "../source/local-path.ts";
import type { ArchiveForm } from "./archive.ts";
import type { Destination } from "./destination.ts";

export interface DestinationOptions extends PushClientOptions {
  /** Ends all requests. */
  signal?: AbortSignal;
}

/** `text` is all that the user wrote, `rest` what follows the kind. */
type Open = (text: string, rest: string, options: DestinationOptions) => Promise<Destination>;

/**
 * The destination that `text` names, of the kinds in reference/kind.ts. Each kind's code is loaded only when it is asked for.
 * Of a registry nothing is asked yet.
 *
 * @throws invalid-argument | not-found | unsupported
 */
export async function openDestination(text: string, options: DestinationOptions): Promise<Destination> {
  rejectForeign(text);
  const { kind, rest } = kindOf(text);
  const open = openers[kind];
  if (!open) throw new RtError("unsupported", `${shown(text)} cannot be written to`);
  return open(text, rest, options);
}

const openers: Readonly<Partial<Record<SourceKind, Open>>> = {
  async registry(_, rest, options) {
    const { RegistryDestination } = await import("./registry.ts");
    return new RegistryDestination(parse(rest), options, options.signal);
  },
  async oci(text, rest) {
    const { path, tag } = splitPath(rest, "oci");
    return (await import("./oci-layout.ts")).openOciDestination(text, path, tag);
  },
  async "oci-archive"(text, rest, { signal }) {
    const { path, tag } = splitPath(rest, "oci-archive");
    return openArchive(text, path, "oci", tag, signal);
  },
  async "docker-archive"(text, rest, { signal }) {
    const { path, tag } = splitPath(rest, "docker-archive");
    return openArchive(text, path, "docker", tag, signal);
  },
  async ssh(text, rest, options) {
    const address = parseSshAddress(rest);
    const called = address.image === "" ? undefined : parse(address.image);
    const [{ openSsh }, { PeerDestination }] = await Promise.all([
      import("../peer/ssh.ts"),
      import("./peer.ts"),
    ]);
    return new PeerDestination(await openSsh(address, "give", options), { name: text, called });
  },
};

async function openArchive(
  text: string,
  path: string,
  form: ArchiveForm,
  called: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Destination> {
  const { ArchiveDestination } = await import("./archive.ts");
  const { openArchiveFile } = await import("./archive-file.ts");
  // A name that is none is told before a file is made.
  const own = form === "docker" && called !== undefined ? parse(called) : called;
  return new ArchiveDestination(text, await openArchiveFile(path, signal), form, own);
}
