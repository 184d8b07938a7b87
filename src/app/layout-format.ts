/**
 * An OCI layout as one string of bytes, which lies within an executable: the length of a JSON table as u32 little-endian,
 * the table, then the files one after the other. A row is [name, size], or [name, size, sha256 in hex] where the name does
 * not say the digest and the reader is to know that no bit has changed.
 */
export interface PackedFile {
  name: string;
  /** Bytes. */
  size: number;
  sha256?: string;
}

/** The layout up to the first file's first byte. The files follow in this order, without gaps. */
export function packedHead(files: readonly PackedFile[]): Uint8Array {
  const rows = files.map(({ name, size, sha256 }) => (sha256 ? [name, size, sha256] : [name, size]));
  const table = new TextEncoder().encode(JSON.stringify(rows));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, table.length, true);
  return Buffer.concat([length, table]);
}

/** A small layout, whole. */
export function packLayout(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const head = packedHead([...files].map(([name, { length: size }]) => ({ name, size })));
  return Buffer.concat([head, ...files.values()]);
}

/** The inverse of `packLayout`. The bytes are our own, so nothing is checked; the views share `packed`'s memory. */
export function unpackLayout(packed: Uint8Array): Map<string, Uint8Array> {
  const tableBytes = new DataView(packed.buffer, packed.byteOffset).getUint32(0, true);
  let offset = 4 + tableBytes;
  const table: [string, number][] = JSON.parse(new TextDecoder().decode(packed.subarray(4, offset)));
  const files = new Map<string, Uint8Array>();
  for (const [name, size] of table) {
    files.set(name, packed.subarray(offset, offset + size));
    offset += size;
  }
  return files;
}
