import { RtError } from "../base/errors.ts";
import { compressionOf } from "../oci/compression.ts";
import { ArchiveFiles } from "./archive-files.ts";
import { openRegular, readRange } from "./file-range.ts";
import { indexTar, type TarEntry } from "./tar-index.ts";

/** The files of a tar that lies on a disk: they are read where they are. */
export async function openTar(path: string, name = path): Promise<ArchiveFiles<TarEntry>> {
  const file = await openRegular(path, name, true);
  try {
    const { buffer: magic } = await file.read(new Uint8Array(6), 0, 6, 0);
    if (compressionOf(magic) !== "tar")
      throw new RtError("unsupported", `${name} is compressed: decompress it first`);
    const entries = await indexTar(file, name);
    const read = (entry: TarEntry, offset: number, what: string) =>
      readRange(file, entry.offset + offset, entry.size - offset, what);
    return new ArchiveFiles(name, entries, read, () => file.close());
  } catch (error) {
    await file.close();
    throw error;
  }
}
