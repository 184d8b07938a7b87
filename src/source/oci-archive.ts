import { openLayout } from "./layout.ts";
import { localNameOf } from "./local-name.ts";
import type { Source } from "./source.ts";
import { openTar } from "./tar-files.ts";

/** `oci-archive:FILE[:TAG]`: an OCI layout in a tar. */
export async function openOciArchive(name: string, path: string, tag: string | undefined): Promise<Source> {
  const tar = await openTar(path);
  return tar.closedOnError(() => openLayout(name, tar, tag, (own) => localNameOf(path, own)));
}
