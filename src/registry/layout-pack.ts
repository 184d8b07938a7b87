/**
 * An OCI layout as one byte string, to be embedded in the executable: the length of a JSON table of [name, size] as
 * u32 little-endian, the table, then the files one after the other.
 */
export function packLayout(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const table = new TextEncoder().encode(
    JSON.stringify([...files].map(([name, bytes]) => [name, bytes.length])),
  );
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, table.length, true);
  return Buffer.concat([header, table, ...files.values()]);
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
