import { describe, expect, test } from "bun:test";
import { openDestination } from "../../../src/destination/open.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { mediaTypes } from "../../../src/oci/media-types.ts";
import { parse } from "../../../src/reference/reference.ts";
import { ownEndpoint } from "../../../src/registry/endpoint.ts";
import { FakeRegistry, type SeenRequest, tinyImage } from "../../support/fake-registry.ts";
import { fault } from "../../support/fake-uploads.ts";
import { until } from "../../support/wait.ts";
import { failsWith } from "../source/pull.ts";
import { octetsOf, type PushReport, pushBlobs, someBytes } from "./push-to.ts";

const small = someBytes(60);
const large = someBytes(300_000);
const digest = digestOf(large);

/** "HEAD blobs/sha256:…" without what differs from one push to the next. */
const lines = ({ requests }: FakeRegistry): string[] =>
  requests.map(
    ({ method, path }) => `${method} ${path.replace("/v2/a/b/", "").replace(/[0-9a-f]{64}/, "…")}`,
  );

const nothingYet = (): PushReport => ({ placed: [], waits: [], warnings: [], reads: [], progress: [] });

describe("what is asked", () => {
  test("a small blob is two requests, a large one three; the tag comes last", async () => {
    await using registry = await FakeRegistry.start();
    const name = `${registry.host}/a/b:1`;
    const { placed } = await pushBlobs(name, [small]);
    expect(placed).toEqual([{ how: "sent" }]);
    expect(lines(registry)).toEqual([
      "GET /v2/",
      "HEAD blobs/sha256:…",
      "POST blobs/uploads/",
      "PUT blobs/uploads/1?digest=sha256%3A…",
    ]);
    registry.requests.length = 0;
    const manifest = Buffer.from("{}");
    const { progress } = await pushBlobs(name, [large], { manifest });
    expect(lines(registry)).toEqual([
      "GET /v2/",
      "HEAD blobs/sha256:…",
      "POST blobs/uploads/",
      "PATCH blobs/uploads/2",
      "PUT blobs/uploads/2?digest=sha256%3A…",
      "HEAD manifests/1",
      "PUT manifests/1",
    ]);
    const [patch] = registry.seen(/^PATCH/);
    expect(patch!.headers.get("content-range")).toBe("0-299999");
    expect(patch!.headers.get("content-length")).toBe("300000");
    expect(patch!.headers.get("transfer-encoding")).toBeNull();
    expect(progress.at(-1)).toBe(large.length);
    expect(registry.blob(digest)).toEqual(Buffer.from(large));
    expect(registry.manifest("a/b", "1")?.bytes).toEqual(manifest);
  });

  test("the registry is looked for, and a small blob read, while something else is waited for", async () => {
    await using registry = await FakeRegistry.start();
    const isRead = Promise.withResolvers<void>();
    registry.once(/^POST/, (request, wire) => void isRead.promise.then(() => registry.serve(request, wire)));

    await using destination = await openDestination(`${registry.host}/a/b`, {
      config: { registries: new Map() },
      env: {},
      warn: () => {},
    });
    await until("it is asked for", () => registry.seen(/^GET .v2.$/).length === 1);
    const read = async function* () {
      isRead.resolve();
      yield small;
    };
    const { signal } = new AbortController();
    await destination.putBlob(octetsOf(small), read, { signal, elsewhere: [], onProgress: () => {} });
    expect(registry.blob(digestOf(small))).toHaveLength(small.length);
    expect(registry.seen(/^GET .v2.$/)).toHaveLength(1);
  });

  test("where the tag leads is asked before the blobs are there, and only once", async () => {
    await using registry = await FakeRegistry.start();
    const bytes = Buffer.from("{}");
    const root = { bytes, mediaType: mediaTypes.dockerManifest, digest: digestOf(bytes) };
    const name = `${registry.host}/a/b:1`;
    const options = { config: { registries: new Map() }, env: {}, warn: () => {} };
    await using destination = await openDestination(name, options);
    const names = [parse(name)];
    await destination.announce?.({
      root,
      names,
      documents: [],
      blobs: new Map(),
      read: async function* () {},
    });
    await until("the tag is asked for", () => registry.seen(/^HEAD/).length > 0);
    await destination.putImage(root, names);
    expect(lines(registry)).toEqual(["GET /v2/", "HEAD manifests/1", "PUT manifests/1"]);
    expect(registry.manifest("a/b", "1")?.bytes).toEqual(bytes);
  });

  test("what is there is not sent again, and nothing of it is read", async () => {
    await using registry = await FakeRegistry.start();
    const image = tinyImage([large]);
    const name = registry.push("a/b", "1", image);
    const report = await pushBlobs(name, image.blobs, { manifest: image.documents[0]!.bytes });
    expect(report).toMatchObject({ placed: [{ how: "exists" }, { how: "exists" }], reads: [] });
    expect(registry.requests.map(({ method }) => method)).toEqual(["GET", "HEAD", "HEAD", "HEAD"]);
  });

  test("a blob of another size under its name is not this one", async () => {
    await using registry = await FakeRegistry.start();
    registry.once(/^HEAD/, (_, wire) => wire.head(200, { "Content-Length": "5" }));
    expect((await pushBlobs(`${registry.host}/a/b`, [small])).placed).toEqual([{ how: "sent" }]);
  });

  test("not more than four uploads at once; all are asked for at once", async () => {
    await using registry = await FakeRegistry.start();
    let [now, most] = [0, 0];
    const held: (() => void)[] = [];
    registry.always(/^HEAD/, (request, wire) => {
      held.push(() => registry.serve(request, wire));
      if (held.length === 12) for (const answer of held) answer();
    });
    registry.always(/^(POST|PUT)/, (request, wire) => {
      now += request.method === "POST" ? 1 : -1;
      most = Math.max(most, now);
      registry.serve(request, wire);
    });
    const blobs = Array.from({ length: 12 }, (_, i) => someBytes(50, i + 1));
    await pushBlobs(`${registry.host}/a/b`, blobs);
    expect(most).toBeLessThanOrEqual(4);
    expect(most).toBeGreaterThan(1);
  });

  test("an empty blob", async () => {
    await using registry = await FakeRegistry.start();
    await pushBlobs(`${registry.host}/a/b`, [new Uint8Array(0)]);
    expect(registry.blob(digestOf(new Uint8Array(0)))).toHaveLength(0);
  });

  test("a mirror is never pushed to; Docker Hub by its own name", async () => {
    const mirrors = { mirrors: ["http://127.0.0.1:1"], insecure: false, tokenServers: [] };
    await using registry = await FakeRegistry.start();
    const config = { registries: new Map([[registry.host, mirrors]]) };
    await pushBlobs(`${registry.host}/a/b`, [small], { config });
    expect(registry.blob(digestOf(small))).toHaveLength(60);
    const hub = ownEndpoint(parse("alpine"), { registries: new Map() }, true);
    expect(hub).toMatchObject({ host: "docker.io", mirror: false });
    expect(hub.origins.map(String)).toEqual(["https://registry-1.docker.io/"]);
  });
});

describe("a mount", () => {
  test("from a repository of the same registry that has it", async () => {
    await using registry = await FakeRegistry.start();
    registry.push("team/base", "1", tinyImage([large]));
    registry.once(/^HEAD/, (_, wire) => wire.head(404, {}));
    registry.uploads.mountable.add("team/base");
    const elsewhere = ["elsewhere.example/team/base", `${registry.host}/a/b`, `${registry.host}/team/base`];
    const { placed, reads } = await pushBlobs(`${registry.host}/a/b`, [large], { elsewhere });
    expect(placed).toEqual([{ how: "mounted", from: `${registry.host}/team/base` }]);
    expect(reads).toEqual([]);
    expect(registry.seen(/^POST/).map(({ path }) => path)).toEqual([
      `/v2/a/b/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=team%2Fbase`,
    ]);
  });

  test("that becomes an upload is gone on with; of several, no other is left open", async () => {
    await using registry = await FakeRegistry.start();
    const elsewhere = [1, 2, 3, 4, 5].map((n) => `${registry.host}/team/${n}`);
    const { placed } = await pushBlobs(`${registry.host}/a/b`, [large], { elsewhere });
    expect(placed).toEqual([{ how: "sent" }]);
    expect(registry.seen(/^POST/)).toHaveLength(3);
    expect(registry.uploads.open).toBe(0);
  });

  for (const status of [400, 403, 404, 405]) {
    test(`that is not known (${status}) is an upload`, async () => {
      await using registry = await FakeRegistry.start();
      registry.once(/mount=/, (_, wire) => wire.reply(status));
      const elsewhere = [`${registry.host}/team/base`];
      await pushBlobs(`${registry.host}/a/b`, [large], { elsewhere });
      expect(registry.blob(digest)).toHaveLength(large.length);
    });
  }
});

describe("Location", () => {
  const locations: [string, (path: string, registry: FakeRegistry) => string][] = [
    ["absolute", (path, registry) => registry.url + path],
    ["with a query", (path) => `${path}?_state=a%2Bb%3D%3D&x=1+2`],
    ["relative to where it was asked", (path) => path.replace("/v2/a/b/blobs/uploads/", "")],
  ];
  for (const [what, location] of locations) {
    test(what, async () => {
      await using registry = await FakeRegistry.start();
      registry.uploads.location = (path) => location(path, registry);
      await pushBlobs(`${registry.host}/a/b`, [large, small]);
      expect(registry.blob(digest)).toHaveLength(large.length);
      // A signature is over the text as it was given.
      if (what === "with a query")
        expect(registry.seen(/^PUT/)[0]?.path).toContain("?_state=a%2Bb%3D%3D&x=1+2&digest=sha256%3A");
    });
  }

  test("there is none: one line", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/^POST/, (_, wire) => wire.reply(202));
    const line = await failsWith("unavailable", pushBlobs(`${registry.host}/a/b`, [small]));
    expect(line).toBe(`${registry.host} begins an upload without saying where (202 without Location)`);
    expect(registry.seen(/^POST/)).toHaveLength(1);
  });

  const refused: [string, string][] = [
    ["http://169.254.169.254/latest?x=secret", "a link-local address"],
    ["http://user:secret@127.0.0.1/", "an address with a password in it"],
    ["file:///etc/passwd", "not a web address"],
    ["https://[", "not a web address"],
  ];
  for (const [location, why] of refused) {
    test(`${location} is refused`, async () => {
      await using registry = await FakeRegistry.start();
      registry.uploads.location = () => location;
      const line = await failsWith("unavailable", pushBlobs(`${registry.host}/a/b`, [small]));
      expect(line).toContain(`${registry.host} wants an upload to go on at`);
      expect(line).toContain(why);
      expect(line).not.toContain("secret");
    });
  }

  test("from https to plain http is refused", async () => {
    await using registry = await FakeRegistry.start({ tls: true });
    registry.uploads.location = (path) => `http://${registry.host}${path}`;
    const name = `${registry.host}/a/b`;
    const line = await failsWith("unavailable", pushBlobs(name, [small], { tlsVerify: false }));
    expect(line).toContain("from https to plain http");
  });
});

describe("a redirect", () => {
  test("of the bytes is followed, when it is one that keeps them", async () => {
    await using registry = await FakeRegistry.start();
    await using store = await FakeRegistry.start();
    const got: SeenRequest[] = [];
    store.always(/./, (request, wire) => {
      got.push(request);
      wire.reply(202, { Range: `0-${large.length - 1}`, Location: `${registry.url}/v2/a/b/blobs/uploads/1` });
    });
    registry.once(/^PATCH/, (request, wire) => {
      registry.uploads.take(request.path, request.bytes);
      wire.reply(307, { Location: `${store.url}/put?sig=1` });
    });
    await pushBlobs(`${registry.host}/a/b`, [large]);
    expect(got).toHaveLength(1);
    expect(got[0]!.method).toBe("PATCH");
    expect(digestOf(got[0]!.bytes)).toBe(digest);
  });

  test("of another kind is not", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/^POST/, (_, wire) => wire.reply(301, { Location: "/elsewhere" }));
    const line = await failsWith("unavailable", pushBlobs(`${registry.host}/a/b`, [small]));
    expect(line).toBe(`${registry.host} redirects a POST with status 301: not followed`);
  });
});

describe("what a registry refuses, in one line with its words", () => {
  const refusals: [string, RegExp, number, string, string][] = [
    [
      "a quota",
      /^PATCH/,
      403,
      fault("DENIED", "storage quota exceeded"),
      'is denied ("storage quota exceeded")',
    ],
    [
      "a disk that is full",
      /^PUT .*digest=/,
      507,
      fault("X", "no space left"),
      'answers 507 ("no space left")',
    ],
    [
      "a manifest",
      /^PUT .*manifests/,
      400,
      fault("MANIFEST_INVALID", "no such\u001b[2J"),
      'answers 400 ("no such',
    ],
    ["a repository", /^POST/, 404, fault("NAME_UNKNOWN", "create it first"), '("create it first")'],
    ["a method", /^POST/, 405, "not JSON", "answers 405"],
  ];
  for (const [what, pattern, status, body, words] of refusals) {
    test(what, async () => {
      await using registry = await FakeRegistry.start();
      registry.always(pattern, (_, wire) => wire.reply(status, {}, body));
      const name = `${registry.host}/a/b`;
      const pushing = pushBlobs(name, [large], { manifest: Buffer.from("{}") });
      const line = await pushing.then(
        () => "it was taken",
        (error: Error) => error.message,
      );
      expect(line).toContain(words);
      expect(line).not.toContain("\u001b");
      expect(registry.uploads.open).toBe(0);
    });
  }

  test("what it makes of a blob or a manifest is something else", async () => {
    await using registry = await FakeRegistry.start();
    const other = { "Docker-Content-Digest": digestOf(small) };
    registry.once(/^PUT .*digest=/, (_, wire) => wire.reply(201, other));
    const name = `${registry.host}/a/b`;
    expect(await failsWith("data-loss", pushBlobs(name, [large]))).toContain("something else has arrived");
    registry.once(/^PUT .*manifests/, (_, wire) => wire.reply(201, other));
    const manifest = Buffer.from("{}");
    expect(await failsWith("data-loss", pushBlobs(name, [large], { manifest }))).toContain("something else");
  });
});

describe("what is read here", () => {
  test("is something else, ends early, or cannot be read: nothing of it stays there", async () => {
    for (const blob of [large, small]) {
      await using registry = await FakeRegistry.start();
      const name = `${registry.host}/a/b`;
      const other = Uint8Array.from(blob, (byte) => byte ^ 1);
      for (const bytes of [other, blob.subarray(1)]) {
        async function* read() {
          yield bytes;
        }
        const line = await failsWith("data-loss", pushBlobs(name, [blob], { read }));
        expect(line).toBe(`what was read of ${octetsOf(blob).digest} is something else: refused`);
      }
      // biome-ignore lint/correctness/useYield: it fails before it has anything
      async function* broken(): AsyncGenerator<Uint8Array> {
        throw new Error("the disk is gone");
      }
      await expect(pushBlobs(name, [blob], { read: broken })).rejects.toThrow("the disk is gone");
      expect(registry.seen(/^PUT/)).toHaveLength(0);
      expect(registry.uploads.open).toBe(0);
    }
  });

  test("Ctrl-C in the middle: cancelled, and what has arrived is left there", async () => {
    await using registry = await FakeRegistry.start();
    const stop = new AbortController();
    registry.always(/^PATCH/, () => stop.abort());
    const report = nothingYet();
    const pushing = pushBlobs(`${registry.host}/a/b`, [large], { signal: stop.signal, report });
    await failsWith("cancelled", pushing);
    expect(registry.seen(/^DELETE/)).toHaveLength(0);
  });
});
