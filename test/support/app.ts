/** Packed apps (`rt pack`): starting them, and looking into them. */
import { closeSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { type FilePart, PackedLayout } from "../../src/app/packed-layout.ts";
import type { RtOptions } from "./rt.ts";

const trailerBytes = 24;

/** Where the layout lies, by the end of the trailer alone: "rt-pack2", u64 LE offset, u64 LE length. */
export function partOf(path: string): FilePart {
  const bytes = Buffer.alloc(trailerBytes);
  const fd = openSync(path, "r");
  readSync(fd, bytes, 0, trailerBytes, statSync(path).size - trailerBytes);
  closeSync(fd);
  if (bytes.toString("latin1", 0, 8) !== "rt-pack2") throw new Error(`${path} is no app`);
  return { offset: Number(bytes.readBigUInt64LE(8)), length: Number(bytes.readBigUInt64LE(16)) };
}

/** For `host.rt`: run this app rather than rt. */
export function asApp(path: string, env: Record<string, string> = {}): RtOptions & { env: typeof env } {
  return { binary: path, env };
}

/** Names of the files in an app's layout, and what its index says. */
export function contentsOf(path: string): { layout: PackedLayout; index: AppIndex; head: string[] } {
  const part = partOf(path);
  const layout = new PackedLayout(path, part, path);
  const index: AppIndex = JSON.parse(Buffer.from(layout.document("index.json")).toString());
  const bytes = Buffer.alloc(4 + (64 << 10));
  const fd = openSync(path, "r");
  readSync(fd, bytes, 0, bytes.length, part.offset);
  closeSync(fd);
  const rows: [string][] = JSON.parse(bytes.toString("utf8", 4, 4 + bytes.readUInt32LE(0)));
  return { layout, index, head: rows.map(([name]) => name) };
}

export interface AppIndex {
  manifests: { digest: string; size: number; platform: { architecture: string } }[];
  annotations: Record<string, string>;
}

/** Turns one bit of a file; again, and it is as before. */
export function flip(path: string, offset: number): void {
  const fd = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, offset);
  byte[0]! ^= 0x04;
  writeSync(fd, byte, 0, 1, offset);
  closeSync(fd);
}
