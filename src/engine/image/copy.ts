import { existsSync } from "node:fs";
import { join } from "node:path";
import { abortable } from "../../base/abort.ts";
import { RtError } from "../../base/errors.ts";
import type { SentImage } from "../../destination/destination.ts";
import { type SendProgress, sendImage } from "../../image/send.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { shown } from "../../oci/json.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { isNear } from "../../reference/kind.ts";
import { parse, repositoryOf } from "../../reference/reference.ts";
import { findManifest } from "../../source/resolve.ts";
import type { Host } from "../host.ts";
import { destinationName } from "./push.ts";

export interface CopyImageOptions {
  /** The index with all that it names; else of an index the manifest for `platform`. */
  all: boolean;
  /** "linux/arm64"; this machine's unless given. */
  platform?: string | undefined;
  /** False: the registry there may be plain http, or TLS that does not verify. */
  sourceTlsVerify?: boolean | undefined;
  destinationTlsVerify?: boolean | undefined;
  onProgress?: ((progress: SendProgress) => void) | undefined;
}

/**
 * An image from anywhere to anywhere, byte for byte, past the store: what is missing there passes through this process.
 * @throws RtError of any class; one line
 */
export async function copyImage(
  host: Host,
  from: string,
  to: string,
  options: CopyImageOptions,
): Promise<SentImage> {
  const [{ openSource }, { openDestination }] = await Promise.all([
    import("../../source/open.ts"),
    import("../../destination/open.ts"),
  ]);
  const { abort: signal } = host.session;
  const config = await host.config();
  const shared = {
    config,
    env: host.env,
    caller: host.caller,
    signal,
    helperAnswers: new Map(),
    warn: (line: string) => host.warn(line),
  };
  const { sourceTlsVerify, destinationTlsVerify } = options;
  const source = await openSource(from, {
    ...shared,
    ...(sourceTlsVerify !== undefined && { tlsVerify: sourceTlsVerify }),
    ...(host.embedded && { embedded: host.embedded }),
  });
  try {
    const name = destinationName(to, source.reference);
    // Before anything is made where it goes.
    const whole = await abortable(source.root(), signal).catch((error) => {
      throw withHint(host, from, error);
    });
    const read = (entry: Descriptor) => abortable(source.document(entry), signal);
    const platform = options.platform ? parsePlatform(options.platform, hostPlatform()) : hostPlatform();
    const root = options.all ? whole : (await findManifest(source.name, whole, read, platform)).raw;
    await using destination = await openDestination(to, {
      ...shared,
      ...(destinationTlsVerify !== undefined && { tlsVerify: destinationTlsVerify }),
    });
    const sent = await sendImage({
      source,
      destination,
      platform: undefined,
      root,
      names: name ? [name] : [],
      // Within one registry nothing need travel.
      elsewhere: () => (isNear(from) ? [] : [repositoryOf(parse(source.reference))]),
      onProgress: options.onProgress ?? (() => {}),
      signal,
    });
    await destination.commit();
    return sent;
  } finally {
    await source.close();
  }
}

/** A name that is of this host's store alone is looked for in vain where the name leads. */
function withHint(host: Host, from: string, error: unknown): unknown {
  const isElsewhere = !(error instanceof RtError) || error.code === "cancelled" || isNear(from);
  if (isElsewhere || !isOurs(host, from)) return error;
  const text = `${error.message}; of this host's own images, rt push ${shown(from)} DESTINATION sends this one`;
  return new RtError(error.code, text, { cause: error, exitCode: error.exitCode });
}

/** An ordinary user's store is not open to a command that has stayed outside of his namespace. */
function isOurs(host: Host, text: string): boolean {
  if (process.geteuid?.() !== 0 || !existsSync(join(host.paths.root, "db.sqlite"))) return false;
  return host.images.find(text) !== undefined;
}
