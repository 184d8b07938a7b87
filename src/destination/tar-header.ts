/** Headers of POSIX.1-2001 tar archives ("pax"), and always the same for the same file: owned by root, of 1970. */

const tarBlock = 512;
/** Two empty blocks end an archive. */
export const tarEnd = new Uint8Array(2 * tarBlock);

/** What eleven octal digits hold; more needs a PAX record. */
const sizeMax = 8 * 1024 ** 3 - 1;

/** What stands before a regular file of `size` bytes; its bytes follow, then `tarPadding`. @param name ASCII, 100 at most */
export function tarHeader(name: string, size: number): Uint8Array {
  if (size <= sizeMax) return header(name, size, "0");
  const record = paxRecord("size", String(size));
  const parts = [header("PaxHeaders/size", record.length, "x"), record, tarPadding(record.length)];
  return Buffer.concat([...parts, header(name, 0, "0")]);
}

/** What follows a file's bytes, up to the next block. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((tarBlock - (size % tarBlock)) % tarBlock);
}

function header(name: string, size: number, type: string): Uint8Array {
  const bytes = Buffer.alloc(tarBlock);
  const octal = (offset: number, value: number, digits: number) =>
    bytes.write(value.toString(8).padStart(digits, "0"), offset, "latin1");
  bytes.write(name, 0, 100, "latin1");
  octal(100, 0o644, 7);
  octal(108, 0, 7);
  octal(116, 0, 7);
  octal(124, size, 11);
  octal(136, 0, 11);
  bytes.write("        ", 148, "latin1");
  bytes.write(type, 156, "latin1");
  bytes.write("ustar\u000000", 257, "latin1");
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148, "latin1");
  return bytes;
}

/** "<length> <key>=<value>\n": the length is that of all of it, its own digits included. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
  return Buffer.from(`${length}${rest}`, "latin1");
}
