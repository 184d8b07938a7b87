import type { DistributionInspect } from "../../docker/distribution.ts";
import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import { digestOf } from "../../oci/digest.ts";
import { parseDocument } from "../../oci/manifest.ts";
import { ordered } from "../../oci/manifest-list.ts";
import { isArtifact } from "../../oci/platform.ts";
import { canonical, parse } from "../../reference/reference.ts";
import type { Host } from "../host.ts";
import { openAsked, platformOf } from "../manifest/found.ts";

export interface DistributionOptions {
  /** Who the caller is to the registry; undefined: whom this host's files know. */
  credentials?: RegistryCredentials | undefined;
}

/** What the registry has by this name; nothing of it is kept. @throws RtError as a pull */
export async function distribution(
  host: Host,
  reference: string,
  { credentials }: DistributionOptions,
): Promise<DistributionInspect> {
  const source = await openAsked(host, canonical(parse(reference)), undefined, credentials);
  try {
    const { bytes, contentType } = await source.root();
    const document = parseDocument(bytes, contentType, `the manifest of ${source.name}`);
    const { mediaType } = document;
    const Descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
    if (document.kind === "index") {
      const entries = document.manifests.filter((entry) => !isArtifact(entry));
      return {
        Descriptor,
        Platforms: entries.flatMap(({ platform }) => (platform ? [ordered(platform)] : [])),
      };
    }
    const platform = await platformOf(source, document.config, source.name);
    return { Descriptor, Platforms: platform ? [platform] : [] };
  } finally {
    await source.close();
  }
}
