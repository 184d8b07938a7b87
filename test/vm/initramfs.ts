/**
 * An initramfs: a "newc" cpio archive, not compressed (Documentation/driver-api/early-userspace/buffer-format.rst of the
 * kernel). Written as a stream of members, so that one may be as large as the executable.
 */
import { open } from "node:fs/promises";

export type InitramfsMember =
  /** The content of a file of this machine. */
  | { path: string; file: string; mode?: number }
  | { path: string; text: string; mode?: number }
  | { path: string; directory: true; mode?: number }
  | { path: string; link: string }
  | { path: string; device: "char" | "block"; major: number; minor: number; mode?: number };

/**
 * Writes an archive of `members`, in their order: a directory comes before what is in it. Paths have no leading "/".
 * The kernel opens /dev/console for its first program, so one is there whatever the members are.
 */
export async function makeInitramfs(to: string, members: readonly InitramfsMember[]): Promise<void> {
  const out = await open(to, "w");
  try {
    let inode = 1;
    for (const member of [...always(members), ...members]) {
      const { mode, data, device } = await contentOf(member);
      await out.writeFile(header(inode++, mode, data.byteLength, device, member.path));
      await out.writeFile(data);
      await out.writeFile(padding(data.byteLength));
    }
    await out.writeFile(header(0, 0, 0, [0, 0], "TRAILER!!!"));
  } finally {
    await out.close();
  }
}

function always(members: readonly InitramfsMember[]): InitramfsMember[] {
  const there = new Set(members.map(({ path }) => path));
  const wanted: InitramfsMember[] = [
    { path: "dev", directory: true },
    { path: "dev/console", device: "char", major: 5, minor: 1, mode: 0o600 },
  ];
  return wanted.filter(({ path }) => !there.has(path));
}

interface Content {
  /** With the file's type. */
  mode: number;
  data: Uint8Array;
  device: [major: number, minor: number];
}

async function contentOf(member: InitramfsMember): Promise<Content> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const nothing = new Uint8Array();
  if ("link" in member) return { mode: 0o120777, data: encode(member.link), device: [0, 0] };
  if ("directory" in member)
    return { mode: 0o040000 | (member.mode ?? 0o755), data: nothing, device: [0, 0] };
  if ("device" in member) {
    const type = member.device === "char" ? 0o020000 : 0o060000;
    return { mode: type | (member.mode ?? 0o666), data: nothing, device: [member.major, member.minor] };
  }
  const data = "file" in member ? await Bun.file(member.file).bytes() : encode(member.text);
  return { mode: 0o100000 | (member.mode ?? 0o755), data, device: [0, 0] };
}

/** Thirteen numbers of eight hex digits behind a magic, then the name, to a multiple of four bytes. */
function header(
  inode: number,
  mode: number,
  bytes: number,
  device: [number, number],
  path: string,
): Uint8Array {
  const name = new TextEncoder().encode(`${path}\0`);
  const links = 1;
  const fields = [inode, mode, 0, 0, links, 0, bytes, 0, 0, ...device, name.byteLength, 0];
  const magic = "070701";
  const text = magic + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  const before = new TextEncoder().encode(text);
  return Buffer.concat([before, name, padding(before.byteLength + name.byteLength)]);
}

function padding(bytes: number): Uint8Array {
  return new Uint8Array((4 - (bytes % 4)) % 4);
}
