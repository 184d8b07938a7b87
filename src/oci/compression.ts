export type Compression = "gzip" | "zstd" | "tar" | "bzip2" | "xz";

/** Those that layers have. */
export type LayerCompression = "gzip" | "zstd" | "tar";

/** Bytes that are enough to tell. */
export const compressionHeadBytes = 6;

/** By the first bytes: media types may be wrong, and "application/octet-stream" says nothing. At least 6 bytes, if there are so many. */
export function compressionOf(head: Uint8Array): Compression {
  const begins = (...magic: number[]) => magic.every((byte, index) => head[index] === byte);
  if (begins(0x1f, 0x8b)) return "gzip";
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  // A skippable frame: 0x184D2A50 to 5F, little-endian. zstd:chunked puts them at the end, others at the beginning.
  if ((head[0]! & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return "zstd";
  if (begins(0x42, 0x5a, 0x68)) return "bzip2";
  if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return "xz";
  return "tar";
}
