import { copyExecutable, ownExecutable } from "../../app/executable.ts";
import { AppFile } from "../../app/file.ts";
import { trailer } from "../../app/format.ts";
import { appLayout } from "../../app/image-layout.ts";
import { checkTarget } from "../../app/target.ts";
import { commit } from "../../base/build-info.ts";
import { RtError } from "../../base/errors.ts";
import type { ImageRecord } from "../../image/record.ts";
import { formatPlatform, hostPlatform, matches } from "../../oci/platform.ts";
import { isNear } from "../../reference/kind.ts";
import { protect } from "../care/collect.ts";
import type { CreateOptions } from "../container/run-options.ts";
import type { Host } from "../host.ts";
import { ensureImage } from "./ensure.ts";

export interface PackOptions extends Pick<CreateOptions, "image" | "pull"> {
  /** In place of the image's, when not empty. */
  command: readonly string[];
  /** Path of the app. */
  output: string;
  /** Flags of `rt run` that the app is to run with. */
  flags: readonly string[];
  /** The executable that the app is made from; our own unless given. */
  executable?: string;
}

export interface PackResult {
  image: ImageRecord;
  /** Bytes of the app. */
  size: number;
}

/**
 * `rt pack`: one file that is this executable with an image inside (app/format.ts draws it). The same executable,
 * image and flags make the same bytes. What was at `output` before is replaced as a whole, or not at all.
 * @throws RtError of any class; one line
 */
export async function pack(host: Host, options: PackOptions): Promise<PackResult> {
  const { abort } = host.session;
  try {
    return await writeApp(host, options, abort);
  } catch (error) {
    if (!(abort.aborted && abort.reason instanceof RtError)) throw error;
    const { exitCode } = abort.reason;
    throw new RtError("cancelled", "interrupted: no app was written", { cause: error, exitCode });
  }
}

async function writeApp(host: Host, options: PackOptions, abort: AbortSignal): Promise<PackResult> {
  const executable = options.executable ?? ownExecutable;
  if (executable === ownExecutable && commit === "dev")
    throw new RtError(
      "unsupported",
      "run from its sources, rt is no executable to pack: bun build.ts makes one",
    );
  // Both before anything is pulled.
  const target = checkTarget(options.output, executable);
  using file = new AppFile(target, () => abort.throwIfAborted());
  const image = await obtainImage(host, options);
  using _ = await protect(
    host,
    [image.manifest, image.configuration, ...image.layers].map(({ digest }) => digest),
  );

  const sha256 = await copyExecutable(file, executable);
  const offset = file.size;
  const flags = [...platformFlag(host, image), ...options.flags];
  const content = await host.content();
  const { name: driver } = await host.snapshots();
  const unpackedFrom = (index: number) => host.images.layer(image.chain[index]!, driver)?.blob;
  for (const part of appLayout(image, content, unpackedFrom, { flags, command: options.command })) {
    if ("bytes" in part) file.write(part.bytes);
    else await file.copyBlob(content.path(part.blob.digest), part.blob);
  }
  file.write(trailer({ offset, length: file.size - offset }, sha256));
  await file.commit();
  return { image, size: file.size };
}

function obtainImage(
  host: Host,
  { image, pull: { policy, platform, listener } }: PackOptions,
): Promise<ImageRecord> {
  return ensureImage(host, image, {
    policy,
    platform,
    onPull: (name) => {
      if (policy === "missing" && !isNear(image)) listener?.missing(name);
    },
    onProgress: (progress) => listener?.progress(progress),
  }).finally(() => listener?.end());
}

/** An image of another platform is not started by chance: the app says that it wants it. */
function platformFlag(host: Host, image: ImageRecord): string[] {
  const { os, architecture } = image.platform;
  if (matches({ os, architecture }, hostPlatform())) return [];
  const platform = formatPlatform(image.platform);
  const own = formatPlatform(hostPlatform());
  host.warn(
    `warning: the app is a program for ${own}, but its image is for ${platform}: it needs an emulator`,
  );
  return [`--platform=${platform}`];
}
