/** Uploads that break off, and how they are gone on with. */
import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UploadNotes } from "../../../src/engine/image/upload-notes.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { defaultLimits } from "../../../src/registry/limits.ts";
import { send } from "../../../src/registry/transport.ts";
import { FakeRegistry, type SeenRequest, type Wire } from "../../support/fake-registry.ts";
import { failsWith } from "../source/pull.ts";
import { type PushReport, pushBlobs, someBytes } from "./push-to.ts";

const blob = someBytes(300_000, 7);
const digest = digestOf(blob);
const ranges = (registry: FakeRegistry) =>
  registry.seen(/^PATCH/).map(({ headers }) => headers.get("content-range"));

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-push-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

async function arrives(registry: FakeRegistry, options = {}): Promise<PushReport> {
  const report = await pushBlobs(`${registry.host}/a/b`, [blob], options);
  expect(digestOf(registry.blob(digest))).toBe(digest);
  expect(registry.uploads.open).toBe(0);
  return report;
}

/** As a process that was cut leaves it. */
async function withNote({ host, url }: FakeRegistry, root: string, upload: number): Promise<UploadNotes> {
  const notes = new UploadNotes(root);
  using note = await notes.claim(`${host}/a/b`, digest);
  note!.write(`${url}/v2/a/b/blobs/uploads/${upload}`);
  return notes;
}

describe("a cut", () => {
  for (const at of [1, 65_536, 200_000]) {
    test(`at byte ${at}: the rest is sent`, async () => {
      await using registry = await FakeRegistry.start();
      registry.cutBody(/^PATCH/, at);
      const { reads, waits } = await arrives(registry);
      // Of one byte and of none a registry says the same.
      const rest = at === 1 ? [] : [`${at}-299999`];
      expect(ranges(registry)).toEqual(["0-299999", ...(at === 1 ? ["0-299999", "0-299999"] : []), ...rest]);
      expect(reads.at(-1)).toBe(at === 1 ? 0 : at);
      expect(waits.length).toBeGreaterThan(0);
    });
  }

  test("again and again is gone on with as long as something arrives", async () => {
    await using registry = await FakeRegistry.start();
    for (let i = 0; i < 12; i++) registry.cutBody(/^PATCH/, 20_000);
    await arrives(registry);
    expect(ranges(registry)).toHaveLength(13);
  });

  test("for ever is an error, and the upload stays for the next push", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/^PATCH/, (_, wire) => wire.reset());
    const line = await failsWith("unavailable", arrives(registry));
    expect(line).toMatch(/^cannot reach 127\.0\.0\.1:[0-9]+: .* \(5 times\)$/);
    expect(registry.uploads.open).toBe(1);
  });

  const steps: [string, RegExp][] = [
    ["HEAD", /^HEAD/],
    ["POST", /^POST/],
    ["PATCH", /^PATCH/],
    ["PUT", /^PUT/],
    ["the status", /^GET .*uploads/],
    ["a manifest's HEAD", /^HEAD .*manifests/],
    ["a manifest's PUT", /^PUT .*manifests/],
  ];
  const faults: [string, (request: SeenRequest, wire: Wire) => void][] = [
    ["is reset", (_, wire) => wire.reset()],
    ["answers 503", (_, wire) => wire.head(503, { "Content-Length": "0", "Retry-After": "7" })],
    ["answers 429", (_, wire) => wire.head(429, { "Content-Length": "0" })],
    ["ends in the middle of its head", (_, wire) => wire.socket.end("HTTP/1.1 20")],
  ];
  for (const [step, pattern] of steps) {
    for (const [what, fault] of faults) {
      test(`${step} ${what}, twice`, async () => {
        await using registry = await FakeRegistry.start();
        if (step === "the status") registry.cutBody(/^PATCH/, 1000);
        registry.once(pattern, fault, 2);
        const { waits } = await arrives(registry, { manifest: Buffer.from("{}") });
        expect(registry.manifest("a/b", "latest")).toBeDefined();
        if (what === "answers 503") expect(waits.filter((ms) => ms === 7000)).toHaveLength(2);
      });
    }
  }

  test("the answer to the end is lost: that it is there is asked", async () => {
    await using registry = await FakeRegistry.start();
    registry.once(/^PUT/, (request, wire) => {
      // Taken, and the connection goes before the answer.
      const deaf = { ...wire, reply: () => wire.reset() } as unknown as Wire;
      registry.uploads.serve(request, deaf);
    });
    await arrives(registry);
    expect(registry.seen(/^POST/)).toHaveLength(1);
  });

  test("Retry-After beyond patience is told", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/^POST/, (_, wire) => wire.reply(429, { "Retry-After": "3600" }));
    expect(await failsWith("unavailable", arrives(registry))).toContain("it asks to try again in 3600 s");
  });
});

describe("a registry that has something else than it should", () => {
  test("has lost the upload: it is begun anew", async () => {
    await using registry = await FakeRegistry.start();
    registry.once(/^PATCH/, (_, wire) => {
      registry.uploads.forget();
      wire.reset();
    });
    await arrives(registry);
    expect(registry.seen(/^POST/)).toHaveLength(2);
  });

  test("loses it each time: its words", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/^PATCH/, (request, wire) => {
      registry.uploads.forget();
      registry.serve(request, wire);
    });
    expect(await failsWith("unavailable", arrives(registry))).toContain('answers 404 ("upload unknown")');
    expect(registry.seen(/^POST/)).toHaveLength(3);
  });

  test("took less than it was sent", async () => {
    await using registry = await FakeRegistry.start();
    registry.once(/^PATCH/, (request, wire) => {
      registry.uploads.take(request.path, request.bytes.subarray(0, 5000));
      wire.reply(202, { Location: request.path, Range: "0-4999" });
    });
    await arrives(registry);
    expect(ranges(registry)).toEqual(["0-299999", "5000-299999"]);
  });

  for (const range of ["0-399999", "0-0"]) {
    test(`says ${range} after all was sent`, async () => {
      await using registry = await FakeRegistry.start();
      registry.once(/^PATCH/, ({ path }, wire) => wire.reply(202, { Location: path, Range: range }));
      const report = pushBlobs(`${registry.host}/a/b`, [blob]);
      await report;
      expect(registry.seen(/^POST/)).toHaveLength(2);
      expect(registry.blob(digest)).toHaveLength(blob.length);
    });
  }

  test("416, where it is at another byte", async () => {
    await using registry = await FakeRegistry.start();
    registry.once(/^PATCH/, ({ path }, wire) => wire.reply(416, { Location: path, Range: "0-0" }));
    await pushBlobs(`${registry.host}/a/b`, [blob]);
    expect(registry.blob(digest)).toHaveLength(blob.length);
  });

  test("says that the digest is wrong: once more from the beginning, then its words", async () => {
    await using registry = await FakeRegistry.start();
    const wrong = (path: string, wire: Wire) => {
      registry.uploads.take(path, Buffer.from("x"));
      wire.reply(400, {}, '{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}');
    };
    registry.once(/^PUT/, ({ path }, wire) => wrong(path, wire));
    await pushBlobs(`${registry.host}/a/b`, [blob]);
    registry.always(/^PUT/, ({ path }, wire) => wrong(path, wire));
    registry.always(/^HEAD/, (_, wire) => wire.head(404, {}));
    expect(await failsWith("unavailable", arrives(registry))).toContain("provided digest did not match");
  });
});

describe("too large at once (413)", () => {
  test("goes in pieces", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/^PATCH/, (request, wire) => {
      if (request.bytes.length > 100_000) wire.reply(413, {}, "<html>Request Entity Too Large");
      else registry.serve(request, wire);
    });
    await arrives(registry, { limits: { uploadPieceBytes: 100_000 } });
    expect(ranges(registry)).toEqual(["0-299999", "0-99999", "100000-199999", "200000-299999"]);
  });

  test("pieces are as large as the registry wants them", async () => {
    await using registry = await FakeRegistry.start();
    registry.once(/^POST/, (request, wire) => {
      const head = wire.head.bind(wire);
      wire.head = (status, headers) => head(status, { ...headers, "OCI-Chunk-Min-Length": "200000" });
      registry.serve(request, wire);
    });
    registry.once(/^PATCH/, (_, wire) => wire.reply(413));
    await arrives(registry, { limits: { uploadPieceBytes: 100_000 } });
    expect(ranges(registry).slice(1)).toEqual(["0-199999", "200000-299999"]);
  });

  test("also in pieces: its words", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/^PATCH/, (_, wire) => wire.reply(413));
    const pushing = arrives(registry, { limits: { uploadPieceBytes: 100_000 } });
    expect(await failsWith("unavailable", pushing)).toContain("answers 413");
  });

  test("is said while the bytes still come", async () => {
    await using registry = await FakeRegistry.start();
    const whole = someBytes(12_000_000, 3);
    let early = 0;
    registry.early(/^PATCH/, (_, wire) => {
      early++;
      wire.reply(413, {}, "too large");
    });
    await pushBlobs(`${registry.host}/a/b`, [whole], { limits: { uploadPieceBytes: 8_000_000 } });
    expect(early).toBe(1);
    expect(registry.blob(digestOf(whole))).toHaveLength(whole.length);
  });
});

describe("slow", () => {
  test("a registry that takes nothing is left after a while, and tried again", async () => {
    await using registry = await FakeRegistry.start();
    registry.early(/^PATCH/, (_, wire) => void wire.socket.pause());
    const whole = someBytes(12_000_000, 5);
    const { waits } = await pushBlobs(`${registry.host}/a/b`, [whole], { limits: { uploadIdleMs: 2000 } });
    expect(waits).toHaveLength(1);
    expect(registry.blob(digestOf(whole))).toHaveLength(whole.length);
  });

  test("what is read here has time of its own", async () => {
    await using registry = await FakeRegistry.start();
    const limits = { headersMs: 150, uploadIdleMs: 150 };
    const read = async function* () {
      for (const at of [0, 150_000]) {
        await Bun.sleep(2 * limits.headersMs);
        yield blob.subarray(at, at + 150_000);
      }
    };
    const { waits } = await arrives(registry, { read, limits });
    expect(waits).toEqual([]);
    expect(registry.seen(/^PATCH/)).toHaveLength(1);
  });

  test("a line that the end of a large document goes through slowly", async () => {
    await using registry = await FakeRegistry.start();
    const limits = { headersMs: 150, uploadIdleMs: 20_000 };
    registry.once(/^PUT .*manifests/, (request, wire) => {
      setTimeout(() => registry.serve(request, wire), 2 * limits.headersMs);
    });
    const manifest = Buffer.from(" ".repeat(300_000));
    const { waits } = await arrives(registry, { manifest, limits });
    expect(waits).toEqual([]);
    expect(registry.manifest("a/b", "latest")!.bytes).toHaveLength(manifest.length);
  });

  test("an answer that comes early, while there is nothing to send yet, leaves no clock behind", async () => {
    await using registry = await FakeRegistry.start();
    registry.early(/^PUT/, (_, wire) => wire.reply(403), 0);
    const made = Promise.withResolvers<void>();
    const body = {
      length: 10,
      async *open() {
        yield new Uint8Array(5);
        await made.promise;
        yield new Uint8Array(5);
      },
    };
    const clocks = spyOn(globalThis, "setTimeout");
    try {
      const url = new URL(`${registry.url}/v2/`);
      const limits = { ...defaultLimits, headersMs: 1111, uploadIdleMs: 2222 };
      const answering = send({ url, method: "PUT", body }, limits);
      setTimeout(made.resolve, 100);
      const answer = await answering;
      expect(answer.status).toBe(403);
      answer.discard();
      const begun = clocks.mock.results.filter((_, i) => [1111, 2222].includes(clocks.mock.calls[i]![1]!));
      expect(begun.length).toBeGreaterThan(0);
      expect(
        begun.map(({ value }) => (value as NodeJS.Timeout & { _destroyed: boolean })._destroyed),
      ).toEqual(begun.map(() => true));
    } finally {
      clocks.mockRestore();
    }
  });

  test("a registry that does not answer", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/^PUT/, () => {});
    const line = await failsWith("unavailable", arrives(registry, { limits: { commitMs: 50 } }));
    expect(line).toMatch(/does not answer within 0.05 s \(5 times\)$/);
  });
});

describe("another process", () => {
  const broken = { backoffMs: 1, attemptsMax: 1 };

  test("goes on where one was cut, by a note that nobody else can read", async () => {
    await using registry = await FakeRegistry.start();
    const root = join(dir, "one");
    const cutUploads = new UploadNotes(root);
    registry.uploads.location = (path) => `${path}?_state=secret`;
    registry.cutBody(/^PATCH/, 200_000);
    await failsWith("unavailable", arrives(registry, { cutUploads, limits: broken }));
    const [name] = readdirSync(join(root, "uploads")) as [string];
    expect(statSync(join(root, "uploads")).mode & 0o777).toBe(0o700);
    expect(statSync(join(root, "uploads", name)).mode & 0o777).toBe(0o600);
    expect(await Bun.file(join(root, "uploads", name)).text()).toContain("_state=secret");
    registry.requests.length = 0;
    await arrives(registry, { cutUploads });
    expect(registry.seen(/^POST/)).toEqual([]);
    expect(ranges(registry)).toEqual(["200000-299999"]);
    expect(readdirSync(join(root, "uploads"))).toEqual([]);
  });

  test("begins anew where the registry has forgotten it, has too much, or sends it elsewhere", async () => {
    const answers: ((registry: FakeRegistry, wire: Wire) => void)[] = [
      (_, wire) => wire.reply(404),
      (_, wire) => wire.reply(401, { "WWW-Authenticate": "Digest x=1" }),
      (_, wire) => wire.reply(403),
      (_, wire) => wire.reply(204, { Range: "0-999999" }),
      (_, wire) => wire.reply(204, { Location: "http://169.254.1.1/" }),
    ];
    for (const [i, answer] of answers.entries()) {
      await using registry = await FakeRegistry.start();
      const cutUploads = await withNote(registry, join(dir, `forgotten${i}`), 99);
      registry.once(/^GET .*uploads/, (_, wire) => answer(registry, wire));
      await arrives(registry, { cutUploads });
      expect(ranges(registry)).toEqual(["0-299999"]);
    }
  });

  for (const status of [404, 410, 416, 500, 503]) {
    test(`begins anew where what there is of it answers ${status}, each time`, async () => {
      await using registry = await FakeRegistry.start();
      const root = join(dir, `status${status}`);
      const cutUploads = await withNote(registry, root, 99);
      registry.always(/^GET .*uploads/, (_, wire) => wire.reply(status));
      await arrives(registry, { cutUploads });
      expect(ranges(registry)).toEqual(["0-299999"]);
      expect(readdirSync(join(root, "uploads"))).toEqual([]);
    });
  }

  test("begins anew where the old upload takes nothing more", async () => {
    await using registry = await FakeRegistry.start();
    const root = join(dir, "stuck");
    const cutUploads = await withNote(registry, root, 99);
    registry.always(/^GET .*uploads.99/, (_, wire) => wire.reply(204, { Range: "0-999" }));
    registry.always(/^PATCH .*uploads.99/, (_, wire) => wire.reply(500));
    await arrives(registry, { cutUploads });
    expect(ranges(registry)).toEqual([...Array(5).fill("1000-299999"), "0-299999"]);
    expect(readdirSync(join(root, "uploads"))).toEqual([]);
  });

  test("keeps the note where nothing answers", async () => {
    await using registry = await FakeRegistry.start();
    const cutUploads = await withNote(registry, join(dir, "away"), 99);
    registry.always(/uploads/, (_, wire) => wire.reset());
    await failsWith("unavailable", arrives(registry, { cutUploads }));
    using note = await cutUploads.claim(`${registry.host}/a/b`, digest);
    expect(note!.location).toBe(`${registry.url}/v2/a/b/blobs/uploads/99`);
  });

  test("at the same blob uploads on its own", async () => {
    await using registry = await FakeRegistry.start();
    const cutUploads = new UploadNotes(join(dir, "two"));
    using held = await cutUploads.claim(`${registry.host}/a/b`, digest);
    held!.write(`${registry.url}/v2/a/b/blobs/uploads/99`);
    await arrives(registry, { cutUploads });
    expect(registry.seen(/uploads\/99/)).toEqual([]);
    expect(held!.location).toBeUndefined();
  });

  test("what is a day old is of no use, and goes; what somebody holds stays", async () => {
    const root = join(dir, "old");
    const notes = new UploadNotes(root);
    notes.removeOld();
    expect(existsSync(root)).toBe(false);
    using held = await notes.claim("r/held", digest);
    held!.write("http://x/");
    for (const repository of ["r/old", "r/new"]) {
      using note = await notes.claim(repository, digest);
      note!.write(`http://x/${repository}`);
    }
    (await notes.claim("r/none", digest))![Symbol.dispose]();
    const files = readdirSync(join(root, "uploads"));
    expect(files).toHaveLength(3);
    const yesterday = Date.now() / 1000 - 90_000;
    for (const file of files) {
      const path = join(root, "uploads", file);
      const text = await Bun.file(path).text();
      if (!text.includes("r/new")) utimesSync(path, yesterday, yesterday);
    }
    notes.removeOld();
    expect(readdirSync(join(root, "uploads"))).toHaveLength(2);
    using fresh = await notes.claim("r/new", digest);
    expect(fresh!.location).toBe("http://x/r/new");
  });
});
