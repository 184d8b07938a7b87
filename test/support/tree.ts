/**
 * A directory tree as comparable text, and the tree that an image should unpack to, made by GNU tar alone.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run, runBytes } from "./command.ts";
import type { Descriptor } from "./layout.ts";

/** For needs() of root.ts: what describeTree takes. */
export const treeNeeds = { root: true, tools: ["getfattr"] } as const;

/** A path of bytes as a string that keeps each byte: names need not be UTF-8. */
const bytesOf = (path: string) => Buffer.from(path, "latin1");

/**
 * One line for each entry below `root`, by path: type, mode, owner, size or device, mtime in ns, link target, number of
 * links with the first of their names, xattrs, and the content's digest. Directory sizes are left out: they are the file system's.
 */
export async function describeTree(root: string): Promise<Map<string, string>> {
  const attributes = await allAttributes(root);
  const lines = new Map<string, string>();
  const firstName = new Map<bigint, string>();
  const visit = (path: string) => {
    const full = `${root}${path}`;
    const meta = lstatSync(bytesOf(full), { bigint: true });
    const parts = [
      kind(meta),
      (meta.mode & 0o7777n).toString(8),
      `${meta.uid}:${meta.gid}`,
      `mtime=${meta.mtimeNs}`,
    ];
    if (meta.isFile()) {
      parts.push(`size=${meta.size}`, fileDigest(full));
      if (meta.nlink > 1n) {
        if (!firstName.has(meta.ino)) firstName.set(meta.ino, path);
        parts.push(`links=${meta.nlink} of ${firstName.get(meta.ino)}`);
      }
    }
    if (meta.isSymbolicLink()) parts.push(`-> ${readlinkSync(bytesOf(full), "latin1")}`);
    if (meta.isCharacterDevice() || meta.isBlockDevice()) parts.push(`rdev=${meta.rdev}`);
    const own = attributes.get(path || ".");
    if (own) parts.push(...own);
    lines.set(path || "/", parts.join(" "));
    if (!meta.isDirectory()) return;
    for (const name of readdirSync(bytesOf(full), "latin1").sort()) visit(`${path}/${name}`);
  };
  visit("");
  return lines;
}

/** With the number of names that a file has in the tree: overlay counts those that it hides, too. */
export function linkedNames(lines: Map<string, string>): Map<string, string> {
  const pattern = / links=\d+ of ([\s\S]+?)(?= (?:user|security|system|trusted)\.|$)/;
  const counts = new Map<string, number>();
  for (const line of lines.values()) {
    const first = pattern.exec(line)?.[1];
    if (first !== undefined) counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  const named = (_: string, first: string) =>
    counts.get(first) === 1 ? "" : ` links=${counts.get(first)} of ${first}`;
  return new Map([...lines].map(([path, line]) => [path, line.replace(pattern, named)]));
}

/** What differs, a line for each entry: "- only in a", "+ only in b", "! path: a | b". Empty when equal. */
export function treeDifference(a: Map<string, string>, b: Map<string, string>): string[] {
  const differences: string[] = [];
  for (const [path, line] of a) {
    const other = b.get(path);
    if (other === undefined) differences.push(`- ${path} ${line}`);
    else if (other !== line) differences.push(`! ${path}: ${line} | ${other}`);
  }
  for (const [path, line] of b) if (!a.has(path)) differences.push(`+ ${path} ${line}`);
  return differences;
}

type Meta = ReturnType<typeof lstatBig>;
const lstatBig = (path: Buffer) => lstatSync(path, { bigint: true });

function kind(meta: Meta): string {
  if (meta.isFile()) return "file";
  if (meta.isDirectory()) return "dir";
  if (meta.isSymbolicLink()) return "link";
  if (meta.isCharacterDevice()) return "char";
  if (meta.isBlockDevice()) return "block";
  return meta.isFIFO() ? "fifo" : "socket";
}

function fileDigest(path: string): string {
  const hash = new Bun.CryptoHasher("sha256");
  return hash.update(readFileSync(bytesOf(path))).digest("hex");
}

/** Extended attributes by path ("/srv/x"), "name=hex" each, sorted. Overlay's own are not the image's. */
async function allAttributes(root: string): Promise<Map<string, string[]>> {
  const command = ["getfattr", "-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--absolute-names", root];
  const dump = Buffer.from(await runBytes(command)).toString("latin1");
  const result = new Map<string, string[]>();
  for (const record of dump.split("\n\n")) {
    const [head, ...lines] = record.trim().split("\n");
    if (!head?.startsWith("# file: ")) continue;
    const path = unescapeOctal(head.slice("# file: ".length)).slice(root.length);
    const own = lines.filter((line) => !/^(trusted|user)\.overlay\./.test(line)).sort();
    if (own.length > 0) result.set(path || ".", own);
  }
  return result;
}

/** getfattr writes unprintable bytes of names as \ooo. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Applies the layers of `tag` in an OCI layout to `into`, in order, with GNU tar. OCI image-spec, layer.md. */
export async function unpackWithTar(layout: string, tag: string, into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const index: { manifests: Descriptor[] } = await Bun.file(join(layout, "index.json")).json();
  const image = index.manifests.find(
    (each) => each.annotations?.["org.opencontainers.image.ref.name"] === tag,
  );
  if (image === undefined) throw new Error(`no ${tag} in ${layout}`);
  const manifest: { layers: Descriptor[] } = await Bun.file(blob(image.digest)).json();
  for (const layer of manifest.layers) await applyLayer(blob(layer.digest), into);
}

async function applyLayer(path: string, into: string): Promise<void> {
  const listing = ["tar", "--quoting-style=literal", "--show-transformed-names", "-tf", path];
  const names = Buffer.from(await runBytes(listing))
    .toString("latin1")
    .split("\n")
    .filter(Boolean);
  const clean = (name: string) => name.replace(/^\.?\//, "").replace(/\/$/, "");
  const remove = (name: string) => rmSync(bytesOf(join(into, name)), { recursive: true, force: true });
  const opaque = ".wh..wh..opq";
  for (const name of names.map(clean)) {
    const slash = name.lastIndexOf("/") + 1;
    const last = name.slice(slash);
    if (last === opaque) {
      await run(["find", join(into, name.slice(0, slash)), "-mindepth", "1", "-delete"]);
    } else if (last.startsWith(".wh.")) remove(name.slice(0, slash) + last.slice(4));
  }
  for (const name of names) makeRoom(join(into, clean(name)), name.endsWith("/"));
  const keep = ["--xattrs", "--xattrs-include=*", "--same-owner", "--numeric-owner", "--exclude=.wh.*"];
  await run(["tar", "-C", into, "-xpf", path, "--delay-directory-restore", "--overwrite-dir", ...keep]);
}

/** What is in the way: tar would keep a directory, or write through a link. */
function makeRoom(path: string, directory: boolean): void {
  const existing = lstatSync(bytesOf(path), { throwIfNoEntry: false });
  if (existing && existing.isDirectory() !== directory) rmSync(bytesOf(path), { recursive: true });
}
