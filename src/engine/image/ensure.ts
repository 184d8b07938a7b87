import { RtError, withCause } from "../../base/errors.ts";
import type { ImageRecord } from "../../image/record.ts";
import { kindOf, packedReference } from "../../reference/kind.ts";
import type { Host } from "../host.ts";
import type { PullOptions } from "./pull.ts";

/**
 * The image for `rt run`, which is nearly always here: what a pull needs is loaded only where there is one.
 */
export interface EnsureOptions extends PullOptions {
  policy: "always" | "missing" | "never";
  /** It will be pulled. `name` is what people are shown: "alpine:latest". */
  onPull?: ((name: string) => void) | undefined;
}

/**
 * When the image is here this costs one read of the database and a look at the top layer's snapshot.
 * @throws RtError not-found: not here, and not to be pulled; and all that `pull` throws
 */
export async function ensureImage(host: Host, text: string, options: EnsureOptions): Promise<ImageRecord> {
  if (text === packedReference) return ensurePacked(host, options);
  const { kind, rest } = kindOf(text);
  // A file is read anew each time.
  const isFile = kind !== "registry" && kind !== "embed";
  const name = kind === "registry" ? rest : text;
  if (options.policy !== "always" && !isFile) {
    const image = host.images.find(name);
    if (image && (await isUsable(host, image, options.platform))) return image;
    if (options.policy === "never") throw await absent(text, image, options.platform);
  } else if (options.policy === "never") {
    throw await absent(text, undefined, undefined);
  }
  if (/^(sha256:)?[0-9a-f]{64}$/.test(name)) throw await absent(text, undefined, undefined);
  options.onPull?.(kind === "registry" ? await shownName(rest) : text);
  return pulled(host, text, options);
}

/** @throws RtError invalid-argument: nothing that a registry could have */
async function shownName(text: string): Promise<string> {
  const { familiar, parse } = await import("../../reference/reference.ts");
  return familiar(parse(text));
}

/**
 * The image in this executable. Another app's image has another name, but a name is not a digest: only the manifest that is
 * in here will do. There is no network on this way, whatever `policy` says.
 */
async function ensurePacked(host: Host, options: EnsureOptions): Promise<ImageRecord> {
  const packed = await host.embedded?.("packed");
  if (packed) {
    const image = host.images.find(packed.reference);
    const isIt = image && image.manifest.digest === packed.manifest?.digest;
    if (isIt && (await isUsable(host, image, options.platform))) return image;
  }
  options.onPull?.(packedReference);
  try {
    return await pulled(host, packedReference, options);
  } catch (error) {
    const isDamage = packed && error instanceof RtError && error.code === "data-loss";
    throw isDamage ? withCause("this app is damaged", error) : error;
  }
}

async function pulled(host: Host, text: string, options: EnsureOptions): Promise<ImageRecord> {
  const { pull } = await import("./pull.ts");
  return (await pull(host, text, options)).image;
}

async function absent(
  text: string,
  image: ImageRecord | undefined,
  platform: string | undefined,
): Promise<RtError> {
  if (!image || !platform) return new RtError("not-found", `No such image: ${text}`);
  const { formatPlatform } = await import("../../oci/platform.ts");
  const has = formatPlatform(image.platform);
  return new RtError(
    "not-found",
    `image ${text} is here for ${has} only, not for ${platform}: pull it with --platform`,
  );
}

/** For this platform, and unpacked by this storage driver: if by another only, it is unpacked now without a registry. */
async function isUsable(host: Host, image: ImageRecord, platform: string | undefined): Promise<boolean> {
  if (platform) {
    const { hostPlatform, matches, parsePlatform } = await import("../../oci/platform.ts");
    if (!matches(image.platform, parsePlatform(platform, hostPlatform()))) return false;
  }
  const top = image.chain.at(-1);
  if (!top || (await host.snapshots()).has(top)) return true;
  const { unpackHere } = await import("./unpack.ts");
  return unpackHere(host, image);
}
