import { RtError } from "../../base/errors.ts";
import type { ImageRecord } from "../../image/record.ts";
import { formatPlatform, hostPlatform, matches, parsePlatform } from "../../oci/platform.ts";

export interface PlatformOptions {
  /** "linux/arm64": the image is to be for it; whatever it is for unless given. */
  platform?: string | undefined;
}

/** @throws RtError not-found, in Docker's words: it is here for another */
export function checkPlatform(text: string, { platform }: ImageRecord, wanted: string | undefined): void {
  if (wanted === undefined) return;
  const asked = parsePlatform(wanted, hostPlatform());
  if (matches(platform, asked)) return;
  const [has, want] = [formatPlatform(platform), formatPlatform(asked)];
  const why = `its platform (${has}) does not match the specified platform (${want})`;
  throw new RtError("not-found", `image with reference ${text} was found but ${why}`, { exitCode: 1 });
}
