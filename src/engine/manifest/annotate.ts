import { RtError } from "../../base/errors.ts";
import { ManifestListStore } from "../../image/manifest-list-store.ts";
import { shown } from "../../oci/json.ts";
import { isKnownPlatform, ordered } from "../../oci/manifest-list.ts";
import { canonical, parse } from "../../reference/reference.ts";
import type { Host } from "../host.ts";
import { listName } from "./found.ts";

/** What is not given stays. */
export interface Annotation {
  os?: string | undefined;
  architecture?: string | undefined;
  variant?: string | undefined;
  osVersion?: string | undefined;
  /** Added to those that there are. */
  osFeatures: readonly string[];
}

/** What a list says about where one of its images runs. @throws RtError not-found | invalid-argument: no such platform */
export async function annotateList(
  host: Host,
  list: string,
  manifest: string,
  annotation: Annotation,
): Promise<void> {
  const { os, architecture, variant, osVersion, osFeatures } = annotation;
  new ManifestListStore(host.database).change(listName(list), canonical(parse(manifest)), (entry) => {
    if (!entry)
      throw new RtError(
        "not-found",
        `manifest for image ${shown(manifest)} does not exist in ${shown(list)}`,
      );
    const before = entry.platform ?? { architecture: "", os: "" };
    const platform = ordered({
      architecture: architecture || before.architecture,
      os: os || before.os,
      "os.version": osVersion || before["os.version"] || "",
      "os.features": [...new Set([...(before["os.features"] ?? []), ...osFeatures])],
      variant: variant || before.variant || "",
    });
    if (!isKnownPlatform(platform)) {
      const what = shown(`${platform.os}/${platform.architecture}`);
      const why = `manifest entry for image has unsupported os/arch combination: ${what}`;
      throw new RtError("invalid-argument", why);
    }
    return { ...entry, platform };
  });
}
