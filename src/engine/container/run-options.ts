import type { LayerProgress } from "../../image/transfer.ts";
import type { AskedSettings } from "../../settings/container-settings.ts";

/** What a new container is made of. Every flag is parsed, checked and in its final unit, and nothing of the image yet. */
export interface CreateOptions {
  /** As typed: "alpine", "embed:hello", "oci:/dir:tag". */
  image: string;
  pull: PullChoice;
  settings: AskedSettings;
  /** Undefined for a name of ours. */
  name: string | undefined;
}

/** What `rt run` was asked for: the container, and what only concerns whoever stands before it. */
export interface RunOptions extends CreateOptions {
  /** Told the id of the container once it is built, before its program runs. */
  onCreated?: (id: string) => void;
  sigProxy: boolean;
  /** Leave the program to itself once it runs. */
  detach?: boolean;
}

export type PullPolicy = "always" | "missing" | "never";

export interface PullChoice {
  policy: PullPolicy;
  /** "linux/arm64/v8", checked when it is resolved. */
  platform: string | undefined;
  /** Told of a pull that turns out to be needed; undefined with -q. */
  listener: PullListener | undefined;
}

/** `missing` and `progress` are for `ensureImage`; `end` is called when it has answered or thrown. */
export interface PullListener {
  /** Docker's "Unable to find image 'alpine:latest' locally". */
  missing(name: string): void;
  progress(progress: LayerProgress): void;
  end(): void;
}
