import type { ImageRecord } from "../../image/record.ts";
import { isNear } from "../../reference/kind.ts";
import type { CreateOptions } from "../container/run-options.ts";
import type { Host } from "../host.ts";
import { ensureImage } from "./ensure.ts";

/** The image of a container that is to be made, pulled where its policy says so; the caller's listener is told of that. */
export async function obtainImage(host: Host, { image, pull }: CreateOptions): Promise<ImageRecord> {
  const { policy, platform, listener } = pull;
  try {
    return await ensureImage(host, image, {
      policy,
      platform,
      onPull: (name) => {
        if (policy === "missing" && !isNear(image)) listener?.missing(name);
      },
      onProgress: (progress) => listener?.progress(progress),
    });
  } finally {
    listener?.end();
  }
}
