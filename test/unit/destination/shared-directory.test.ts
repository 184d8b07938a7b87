import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArchiveFile } from "../../../src/destination/archive-file.ts";
import { openOciDestination } from "../../../src/destination/oci-layout.ts";
import { digestOf } from "../../../src/oci/digest.ts";

/** What others may have put where an archive or a layout is written to: a directory of theirs, or one that all share. */

let directory: string;
let precious: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rt-shared-"));
  precious = join(directory, "precious");
  writeFileSync(precious, '{"secret":"precious"}', { mode: 0o600 });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const bytes = new TextEncoder().encode('{"schemaVersion":2,"manifests":[]}');
const root = { digest: digestOf(bytes), mediaType: "application/vnd.oci.image.index.v1+json", bytes };

async function saveTo(path: string): Promise<void> {
  using output = await openArchiveFile(path);
  await output.write(bytes);
  await output.finish();
}

async function pushTo(layout: string): Promise<void> {
  await using destination = await openOciDestination("oci:there", layout, "x");
  await destination.putImage(root, []);
  await destination.commit();
}

test("a link in the place of an archive's draft is not followed", async () => {
  symlinkSync(precious, join(directory, "a.tar.part"));
  expect(saveTo(join(directory, "a.tar"))).rejects.toThrow("a.tar.part is a symbolic link: refused");
  expect(readFileSync(precious, "utf8")).toBe('{"secret":"precious"}');
});

test("a hard link in the place of an archive's draft is taken away, and what it leads to stays", async () => {
  linkSync(precious, join(directory, "a.tar.part"));
  await saveTo(join(directory, "a.tar"));
  expect(readFileSync(precious, "utf8")).toBe('{"secret":"precious"}');
  expect(readFileSync(join(directory, "a.tar"))).toEqual(Buffer.from(bytes));
});

test.if(process.getuid?.() === 0)("an archive is the caller's, whoever had made its draft", async () => {
  const draft = join(directory, "a.tar.part");
  writeFileSync(draft, "", { mode: 0o666 });
  chownSync(draft, 65534, 65534);
  await saveTo(join(directory, "a.tar"));
  expect(statSync(join(directory, "a.tar")).uid).toBe(0);
});

test("an index.json that is a link tells nothing of what it leads to", async () => {
  const layout = join(directory, "layout");
  mkdirSync(layout);
  symlinkSync(precious, join(layout, "index.json"));
  expect(pushTo(layout)).rejects.toThrow("index.json is a symbolic link: refused");
  expect(readFileSync(precious, "utf8")).toBe('{"secret":"precious"}');
});

test("what sweeps a layout makes nothing where a link of somebody's leads to", async () => {
  const layout = join(directory, "layout");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  symlinkSync(join(directory, "made"), join(layout, "blobs/sha256/x.part"));
  await pushTo(layout);
  expect(existsSync(join(directory, "made"))).toBe(false);
});
