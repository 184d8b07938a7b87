import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packedPart, trailer } from "../../../src/app/format.ts";
import { packLayout } from "../../../src/app/layout-format.ts";
import { openPackedApp } from "../../../src/app/own.ts";
import { RtError } from "../../../src/base/errors.ts";
import { digestOf, hexOf } from "../../../src/oci/digest.ts";
import { json } from "../../support/fake-registry.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-app-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

const digest = digestOf("a manifest");
const manifest = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 10 };

interface Given {
  manifests?: unknown[];
  annotations?: Record<string, string>;
  trailer?: Uint8Array;
}

/** Of the 4096 zeros that stand for an executable. */
const sha256 = new Bun.CryptoHasher("sha256").update(Buffer.alloc(4096)).digest();

let count = 0;
function app({ manifests = [manifest], annotations = {}, trailer: end }: Given = {}) {
  const layout = packLayout(
    new Map([
      ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
      ["index.json", json({ schemaVersion: 2, manifests, annotations })],
    ]),
  );
  const part = { offset: 4096, length: layout.length };
  const path = join(dir, `app${count++}`);
  writeFileSync(path, Buffer.concat([Buffer.alloc(part.offset), layout, end ?? trailer(part, sha256)]));
  return { path, part, word: `${part.offset},${part.length}` };
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof RtError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("it was accepted");
}

test("an app says what it is", () => {
  const annotations = {
    "rt.pack.flags": '["--env=A=1\\n2","--init=true"]',
    "rt.pack.command": '["sh","-c",""]',
  };
  const { path, part, word } = app({ annotations });
  expect(packedPart(path)).toEqual({ ...part, sha256: sha256.toString("hex") });
  const found = openPackedApp(word, path);
  expect(found.reference).toBe(`embed:packed-${hexOf(digest).slice(0, 12)}`);
  expect(found.manifest.digest).toBe(digest);
  expect(found.flags).toEqual(["--env=A=1\n2", "--init=true"]);
  expect(found.command).toEqual(["sh", "-c", ""]);
});

test("a file without a trailer is no app", () => {
  for (const size of [0, 5, 24, 56, 5000]) {
    const path = join(dir, `plain${size}`);
    writeFileSync(path, Buffer.alloc(size));
    expect(packedPart(path)).toBeUndefined();
  }
});

test("a trailer is what it is documented to be", () => {
  const bytes = Buffer.from(trailer({ offset: 4096, length: 2 ** 40 + 1 }, sha256));
  expect(bytes.length).toBe(56);
  expect(bytes.toString("hex", 0, 32)).toBe(sha256.toString("hex"));
  expect(bytes.toString("latin1", 32, 40)).toBe("rt-pack2");
  expect([bytes.readBigUInt64LE(40), bytes.readBigUInt64LE(48)]).toEqual([4096n, 2n ** 40n + 1n]);
});

const trailers: [string, (length: number) => { offset: number; length: number }][] = [
  ["an offset that is no page's", (length) => ({ offset: 4097, length: length - 1 })],
  ["an offset of 0", (length) => ({ offset: 0, length: length + 4096 })],
  ["a length beyond the file", (length) => ({ offset: 4096, length: length + 1 })],
  ["a length that leaves something", (length) => ({ offset: 4096, length: length - 1 })],
  ["numbers beyond all files", () => ({ offset: 2 ** 53, length: 2 ** 53 })],
];
for (const [what, lie] of trailers) {
  test(`a trailer with ${what}`, () => {
    const { part } = app();
    const lies = app({ trailer: trailer(lie(part.length), sha256) });
    expect(refusal(() => packedPart(lies.path))).toMatch(
      /^data-loss: this app is damaged: its end does not fit/,
    );
  });
}

test("RT_PACKED that is not what the trailer says", () => {
  const { path, word, part } = app();
  const wrong = [
    "",
    ",",
    "0,0",
    `${word} `,
    ` ${word}`,
    `${part.offset},`,
    `-${word}`,
    `${word},1`,
    "1e9,1",
    "\u001b[2J",
  ];
  for (const text of wrong) {
    const line = refusal(() => openPackedApp(text, path));
    expect(line).toMatch(/^data-loss: this app is damaged: RT_PACKED is /);
    expect(line).not.toMatch(/\p{Cc}/u);
  }
  writeFileSync(path, Buffer.alloc(9000));
  expect(refusal(() => openPackedApp(word, path))).toMatch(/^data-loss: this app is damaged: RT_PACKED/);
});

const indexes: [string, Given][] = [
  ["no image", { manifests: [] }],
  ["two images", { manifests: [manifest, { ...manifest, size: 11 }] }],
  ["a digest that is none", { manifests: [{ ...manifest, digest: "sha256:../../x" }] }],
  ["flags that are no list", { annotations: { "rt.pack.flags": '{"a":1}' } }],
  ["flags that are no JSON", { annotations: { "rt.pack.flags": "--privileged" } }],
  ["a command of numbers", { annotations: { "rt.pack.command": "[1]" } }],
  ["a NUL in a word", { annotations: { "rt.pack.command": '["a\\u0000b"]' } }],
];
for (const [what, given] of indexes) {
  test(`an index with ${what}`, () => {
    const { path, word } = app(given);
    expect(refusal(() => openPackedApp(word, path))).toMatch(/^data-loss: this app is damaged: /);
  });
}
