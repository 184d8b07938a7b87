import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { ContentStore } from "../../../src/content/content-store.ts";
import { type Digest, digestOf, hexOf } from "../../../src/oci/digest.ts";
import { run } from "../../support/command.ts";
import { needs } from "../../support/root.ts";
import { until } from "../../support/wait.ts";
import { scratch } from "../store/samples.ts";

const script = join(import.meta.dir, "ingest-one.ts");
const root = needs({ root: true });
const hello = new TextEncoder().encode("hello, content");
const name = { digest: digestOf(hello), size: hello.length };

const ingestsIn = (root: string) => readdirSync(join(root, "content/ingest"));

test("a blob is visible only when it is whole, and can be read all the while", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  {
    using ingest = await content.ingest(name);
    ingest.write(hello.subarray(0, 5));
    expect(readFileSync(ingest.path, "utf8")).toBe("hello");
    expect(content.has(name.digest)).toBe(false);
    ingest.write(hello.subarray(5));
    expect(content.has(name.digest)).toBe(false);
    await ingest.commit();
    expect(content.has(name.digest)).toBe(true);
    expect(readFileSync(ingest.path, "utf8")).toBe("hello, content");
  }
  expect(content.read(name.digest)).toEqual(Buffer.from(hello));
  expect(statSync(content.path(name.digest)).mode & 0o777).toBe(0o400);
  expect(statSync(join(dir.path, "content/blobs/sha256")).mode & 0o777).toBe(0o700);
  expect(ingestsIn(dir.path)).toEqual([]);
  expect(content.list()).toEqual([name.digest]);
  // As du counts.
  const taken = statSync(content.path(name.digest)).blocks * 512;
  expect([content.usage(name.digest), content.remove(name.digest)]).toEqual([taken, taken]);
  expect(content.usage(name.digest)).toBe(0);
  expect(content.remove(name.digest)).toBe(0);
});

test("what a broken transfer left is gone on with", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  {
    using ingest = await content.ingest(name);
    ingest.write(hello.subarray(0, 5));
  }
  expect(ingestsIn(dir.path)).toEqual([hexOf(name.digest)]);
  using ingest = await content.ingest(name);
  expect(ingest.size).toBe(5);
  ingest.write(hello.subarray(5));
  await ingest.commit();
  expect(content.read(name.digest)).toEqual(Buffer.from(hello));
});

test("what is left and cannot be the beginning is begun again", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  await content.put(name.digest, hello);
  content.remove(name.digest);
  const path = join(dir.path, "content/ingest", hexOf(name.digest));
  for (const left of ["x".repeat(hello.length), "x".repeat(hello.length + 1)]) {
    writeFileSync(path, left);
    using ingest = await content.ingest(name);
    expect(ingest.size).toBe(0);
  }
  // Complete and right, but not committed: nothing needs to be transferred.
  writeFileSync(path, hello);
  using ingest = await content.ingest(name);
  expect(ingest.size).toBe(hello.length);
  await ingest.commit();
  expect(content.has(name.digest)).toBe(true);
});

test.each([
  ["wrong bytes", "hello, CONTENT", "its bytes have another digest"],
  ["too few", "hello", "it ended after 5 of 14 bytes"],
  ["too many", "hello, content!", "it is longer than the 14 bytes that were promised"],
])("%s are refused, and nothing of them stays", async (_, text, why) => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  const bring = async () => {
    using ingest = await content.ingest(name);
    ingest.write(new TextEncoder().encode(text));
    await ingest.commit();
  };
  await expect(bring()).rejects.toThrow(`blob ${name.digest} was refused: ${why}`);
  expect(content.list()).toEqual([]);
  expect(ingestsIn(dir.path)).toEqual([]);
});

test("a resumed blob that turns out wrong is refused as a whole", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  (await content.ingest(name))[Symbol.dispose]();
  writeFileSync(join(dir.path, "content/ingest", hexOf(name.digest)), "HELLO");
  const bring = async () => {
    using ingest = await content.ingest(name);
    ingest.write(hello.subarray(ingest.size));
    await ingest.commit();
  };
  await expect(bring()).rejects.toThrow("another digest");
  await bring();
  expect(content.has(name.digest)).toBe(true);
});

test("twenty processes that want one blob transfer it once", async () => {
  using dir = scratch();
  const log = join(dir.path, "log");
  const size = 1 << 20;
  const children = Array.from({ length: 20 }, () =>
    Bun.spawn([process.execPath, script, dir.path, log, String(size)], { stdout: "ignore", stderr: "pipe" }),
  );
  for (const child of children) {
    expect(await child.stderr.text()).toBe("");
    expect(await child.exited).toBe(0);
  }
  expect(readFileSync(log, "utf8")).toBe(`${size}\n`);
  expect(ingestsIn(dir.path)).toEqual([]);
}, 30_000);

test("a killed transfer is gone on with by the next, from where it was", async () => {
  using dir = scratch();
  const log = join(dir.path, "log");
  const size = 64 << 20;
  const digest = digestOf(new Uint8Array(size).fill(0x78));
  const path = join(dir.path, "content/ingest", hexOf(digest));
  const first = Bun.spawn([process.execPath, script, dir.path, log, String(size)]);
  await until("some bytes are there", () => existsSync(path) && statSync(path).size > 100_000);
  first.kill("SIGKILL");
  await first.exited;
  const had = statSync(path).size;
  expect(had).toBeLessThan(size);
  const content = new ContentStore(dir.path);
  using ingest = await content.ingest({ digest, size });
  expect(ingest.size).toBe(had);
  ingest.write(new Uint8Array(size - had).fill(0x78));
  await ingest.commit();
  expect(await content.intact(digest)).toBe(true);
}, 30_000);

test("a draft that is just being made is nobody's left-over", async () => {
  using dir = scratch();
  const command = [process.execPath, join(import.meta.dir, "draft-many.ts"), dir.path, "1000"];
  // Each takes away what it finds, before it makes its own.
  const children = [0, 1, 2].map(() => Bun.spawn(command, { stdout: "ignore", stderr: "pipe" }));
  for (const child of children) {
    expect(await child.stderr.text()).toBe("");
    expect(await child.exited).toBe(0);
  }
  expect(ingestsIn(dir.path)).toEqual([]);
}, 30_000);

test("whoever waits for another is told so, and can be cancelled", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  using _ = await content.ingest(name);
  const stop = new AbortController();
  const waiting = Promise.withResolvers<void>();
  const second = content.ingest(name, { signal: stop.signal, onWait: waiting.resolve });
  await waiting.promise;
  stop.abort();
  await expect(second).rejects.toThrow("cancelled");
});

test("leftovers are collected when they are old and nobody is at work on them", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  const blob = (text: string) => ({ digest: digestOf(text), size: 100 });
  const path = (text: string) => join(dir.path, "content/ingest", hexOf(digestOf(text)));
  const leave = async (text: string, ageHours: number) => {
    (await content.ingest(blob(text)))[Symbol.dispose]();
    writeFileSync(path(text), "partial");
    utimesSync(path(text), Date.now() / 1000, Date.now() / 1000 - ageHours * 3600);
  };
  await leave("young", 23);
  await leave("old", 25);
  await leave("busy", 25);
  using busy = await content.ingest(blob("busy"));
  utimesSync(path("busy"), 0, 0);
  (await content.ingest(blob("empty")))[Symbol.dispose]();
  using _ = await content.lockChain(digestOf("chain"));
  writeFileSync(join(dir.path, "content/ingest", `chain-${"0".repeat(64)}`), "");
  const taken = statSync(path("old")).blocks * 512;
  const digests = ["young", "old", "busy"].map(digestOf);
  expect(content.ingests().map(({ digest }) => digest)).toEqual(expect.arrayContaining(digests));
  expect(content.ingests()).toContainEqual({ digest: digestOf("old"), bytes: taken });
  expect(content.collectIngests()).toBe(taken);
  const left = [hexOf(digestOf("young")), hexOf(digestOf("busy")), `chain-${hexOf(digestOf("chain"))}`];
  expect(ingestsIn(dir.path).sort()).toEqual(left.sort());
  expect(busy.size).toBe(7);
  // What is released does not wait for its day, but for whoever is at work on it.
  content.collectIngests(Date.now(), () => true);
  expect(ingestsIn(dir.path).sort()).toEqual(left.filter((each) => each !== hexOf(digestOf("young"))));
});

test("a document that is damaged on disk is not answered", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  await content.put(name.digest, hello);
  content.remove(name.digest);
  expect(() => content.read(name.digest)).toThrow(
    new RtError("not-found", `blob ${name.digest} is not in the store`),
  );
  writeFileSync(content.path(name.digest), "hello, CONTENT");
  expect(() => content.read(name.digest)).toThrow("is damaged on disk");
  expect(() => content.read(name.digest, 5)).toThrow("more than 5");
});

test("only a digest names a file", async () => {
  using dir = scratch();
  const content = new ContentStore(dir.path);
  const evil = "sha256:../../../../etc/passwd" as Digest;
  await expect(content.ingest({ digest: evil, size: 1 })).rejects.toThrow("invalid digest");
});

root.test("a full disk is one clear error, and the space is given back", async () => {
  using dir = scratch();
  const mount = join(dir.path, "small");
  await run(["sh", "-c", `mkdir ${mount} && mount -t tmpfs -o size=256k none ${mount}`]);
  try {
    const content = new ContentStore(mount);
    const big = { digest: digestOf("big"), size: 1 << 20 };
    const bring = async () => {
      using ingest = await content.ingest(big);
      for (let n = 0; n < 16; n++) ingest.write(new Uint8Array(1 << 16));
    };
    await expect(bring()).rejects.toThrow(`no space left for blob ${big.digest} (1048576 bytes)`);
    expect(ingestsIn(mount)).toEqual([]);
    await content.put(name.digest, hello);
  } finally {
    await run(["umount", mount]);
  }
});
