import { describe, expect, test } from "bun:test";
import { digestOf } from "../../../src/oci/digest.ts";
import { FakeRegistry, tinyImage, type Wire } from "../../support/fake-registry.ts";
import { failsWith, noise, pull } from "../source/pull.ts";

const big = noise(3_000_000);
const layerPath = new RegExp(`GET /v2/a/blobs/${digestOf(big)}`);

async function withBig(): Promise<{
  registry: FakeRegistry;
  name: string;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const registry = await FakeRegistry.start();
  const name = registry.push("a", "1", tinyImage([big]));
  return { registry, name, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
}

describe("a blob whose connection breaks is resumed", () => {
  for (const at of [0, 1, 65_536, 1_500_000, big.length - 1]) {
    test(`cut at byte ${at}`, async () => {
      await using setup = await withBig();
      setup.registry.once(layerPath, (_, wire) => wire.cut(200, {}, big.length, big.subarray(0, at)));
      const { layers } = await pull(setup.name);
      expect(layers).toEqual([Buffer.from(big)]);
      const [, again] = setup.registry.seen(layerPath);
      const from = Number(/^bytes=([0-9]+)-$/.exec(again!.headers.get("range") ?? "bytes=0-")?.[1]);
      expect(from).toBeLessThanOrEqual(at);
    });
  }

  test("from the very byte that was delivered, however often", async () => {
    await using setup = await withBig();
    const cut = (from: number, release: Promise<void>) => (_: unknown, wire: Wire) => {
      const part = big.subarray(from, from + 100_000);
      const headers = { "Content-Range": `bytes ${from}-${big.length - 1}/${big.length}` };
      wire.head(from === 0 ? 200 : 206, { "Content-Length": String(big.length - from), ...headers });
      wire.socket.write(part);
      void release.then(() => wire.socket.end());
    };
    let got = 0;
    const waiting: { bytes: number; release: () => void }[] = [];
    for (const step of [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.unshift({ bytes: (step + 1) * 100_000, release: resolve });
      setup.registry.once(layerPath, cut(step * 100_000, promise));
    }
    const onChunk = (chunk: Uint8Array) => {
      got += chunk.length;
      while (waiting[0] && got >= waiting[0].bytes) waiting.shift()!.release();
    };
    // Ten breaks are more than the five tries in a row: each brought something.
    const { layers } = await pull(setup.name, { onChunk });
    expect(layers).toEqual([Buffer.from(big)]);
    const ranges = setup.registry.seen(layerPath).map(({ headers }) => headers.get("range"));
    expect(ranges).toEqual([null, ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => `bytes=${n}00000-`)]);
  });

  test("a later command goes on where an earlier one ended", async () => {
    await using setup = await withBig();
    const { layers } = await pull(setup.name, { offset: 1_000_000 });
    expect(layers).toEqual([Buffer.from(big.subarray(1_000_000))]);
    expect(setup.registry.seen(layerPath)[0]?.headers.get("range")).toBe("bytes=1000000-");
  });

  test("a server without ranges: what we have is skipped", async () => {
    await using setup = await withBig();
    setup.registry.always(layerPath, (_, wire) => wire.reply(200, {}, big));
    const { layers } = await pull(setup.name, { offset: 2_000_001 });
    expect(layers).toEqual([Buffer.from(big.subarray(2_000_001))]);
  });

  test("reset before and in the middle", async () => {
    await using setup = await withBig();
    setup.registry.once(layerPath, (_, wire) => {
      wire.head(200, { "Content-Length": String(big.length) });
      wire.socket.write(big.subarray(0, 1_000_000), () => wire.reset());
    });
    setup.registry.once(layerPath, (_, wire) => wire.reset(), 2);
    expect((await pull(setup.name)).layers).toEqual([Buffer.from(big)]);
  });

  test("a wrong 206 is tried again, and not believed", async () => {
    await using setup = await withBig();
    const ranges = ["bytes 5-2999999/3000000", "bytes 10-2999999/3000001x", "bytes 10-5/3000000", "nonsense"];
    for (const range of ranges) {
      setup.registry.once(layerPath, (_, wire) =>
        wire.reply(206, { "Content-Range": range }, big.subarray(5)),
      );
    }
    expect((await pull(setup.name, { offset: 10 })).layers).toEqual([Buffer.from(big.subarray(10))]);
    setup.registry.always(layerPath, (_, wire) => wire.reply(206, {}, big.subarray(5)));
    const line = await failsWith("unavailable", pull(setup.name, { offset: 10 }));
    expect(line).toMatch(/^127\.0\.0\.1:\d+ answers bytes 10- of sha256:[0-9a-f]+ with "" \(5 times\)$/);
  });

  test("a registry that always breaks off ends in a typed error", async () => {
    await using setup = await withBig();
    setup.registry.always(layerPath, (_, wire) => wire.reset());
    const line = await failsWith("unavailable", pull(setup.name));
    expect(line).toMatch(/^cannot reach 127\.0\.0\.1:\d+: the connection was closed in between \(5 times\)$/);
    // fetch itself asks once more when a kept connection turns out to be dead.
    expect(setup.registry.seen(layerPath).length).toBeWithin(5, 11);
  });
});

describe("statuses", () => {
  for (const status of [500, 502, 503, 429]) {
    test(`${status} is tried again, with growing pauses`, async () => {
      await using setup = await withBig();
      setup.registry.once(/manifests/, (_, wire) => wire.reply(status), 2);
      setup.registry.once(/blobs/, (_, wire) => wire.reply(status), 2);
      const { layers, waits } = await pull(setup.name);
      expect(layers).toHaveLength(1);
      expect(waits).toHaveLength(4);
      expect(waits[1]!).toBeGreaterThan(waits[0]! * 0.99);
    });
  }

  test("Retry-After is obeyed, in seconds and as a date, and bounded", async () => {
    await using setup = await withBig();
    setup.registry.once(/manifests/, (_, wire) => wire.reply(429, { "Retry-After": "7" }));
    setup.registry.once(/blobs/, (_, wire) => {
      wire.reply(503, { "Retry-After": new Date(Date.now() + 20_000).toUTCString() });
    });
    const { waits } = await pull(setup.name);
    expect(waits[0]).toBe(7000);
    expect(waits[1]).toBeGreaterThan(15_000);
    expect(waits[1]).toBeLessThanOrEqual(20_000);
    setup.registry.once(/manifests/, (_, wire) => {
      wire.reply(
        429,
        { "Retry-After": "86400" },
        '{"errors":[{"code":"TOOMANYREQUESTS","message":"limit\\u001b[1m"}]}',
      );
    });
    const line = await failsWith("unavailable", pull(setup.name));
    expect(line).toMatch(
      /^127\.0\.0\.1:\d+ answers 429 \("limit\\u001b\[1m"\); it asks to try again in 86400 s$/,
    );
  });

  test("an error that lasts is typed, and names host and cause", async () => {
    await using setup = await withBig();
    expect(await failsWith("not-found", pull(`${setup.registry.host}/a:2`))).toContain("there is none");
    setup.registry.always(/manifests/, (_, wire) => wire.reply(500));
    expect(await failsWith("unavailable", pull(setup.name))).toMatch(
      /^127\.0\.0\.1:\d+ answers 500 \(5 times\)$/,
    );
    setup.registry.always(/manifests/, (_, wire) => wire.reply(403));
    expect(await failsWith("unauthorized", pull(setup.name))).toContain("is denied");
    setup.registry.always(/manifests/, (_, wire) => wire.reply(418));
    expect(await failsWith("unavailable", pull(setup.name))).toContain("answers 418");
  });
});

describe("a slow or dead registry", () => {
  test("nobody listens", async () => {
    const registry = await FakeRegistry.start();
    const { host } = registry;
    await registry[Symbol.asyncDispose]();
    const line = await failsWith("unavailable", pull(`${host}/a`));
    expect(line).toBe(`cannot reach ${host}: connection refused (5 times)`);
  });

  test("no answer at all", async () => {
    await using setup = await withBig();
    setup.registry.always(/manifests/, () => {});
    const line = await failsWith(
      "unavailable",
      pull(setup.name, { limits: { headersMs: 50, attemptsMax: 2 } }),
    );
    expect(line).toMatch(/does not answer within 0.05 s \(2 times\)$/);
  });

  test("headers that drip for ever", async () => {
    await using setup = await withBig();
    setup.registry.always(/manifests/, (_, wire) => {
      wire.socket.write("HTTP/1.1 200 OK\r\n");
      drip(wire, "X: y\r\n");
    });
    await failsWith("unavailable", pull(setup.name, { limits: { headersMs: 50, attemptsMax: 2 } }));
  });

  test("a blob that stalls, or drips, is broken off and resumed", async () => {
    await using setup = await withBig();
    setup.registry.once(layerPath, (_, wire) => {
      wire.head(200, { "Content-Length": String(big.length) });
      wire.socket.write(big.subarray(0, 500_000));
    });
    setup.registry.once(layerPath, (_, wire) => {
      wire.head(200, { "Content-Length": String(big.length) });
      drip(wire, "x");
    });
    // A machine that is busy pauses by itself, for less than this.
    const limits = { idleMs: 500, idleBytesMin: 1024 };
    // The dripped bytes are none of the blob's, so the whole is damaged: what matters is that the drip ended.
    await failsWith("data-loss", pull(setup.name, { limits }));
    expect(setup.registry.seen(layerPath)).toHaveLength(3);
  });

  test("a slow consumer is not a slow registry", async () => {
    await using setup = await withBig();
    let slept = false;
    const onChunk = () => {
      if (!slept) Bun.sleepSync(600);
      slept = true;
    };
    const { layers } = await pull(setup.name, { onChunk, limits: { idleMs: 500 } });
    expect(layers).toEqual([Buffer.from(big)]);
    expect(setup.registry.seen(layerPath)).toHaveLength(1);
  });

  test("a manifest that drips, or has no end", async () => {
    await using setup = await withBig();
    setup.registry.always(/manifests/, (_, wire) => {
      wire.head(200, { "Content-Length": "4000" });
      drip(wire, "x");
    });
    const limits = { documentMs: 60, attemptsMax: 2 };
    expect(await failsWith("unavailable", pull(setup.name, { limits }))).toContain(
      "is not complete in 0.06 s",
    );
    setup.registry.always(/manifests/, (_, wire) => {
      wire.head(200, {});
      flood(wire);
    });
    expect(await failsWith("exhausted", pull(setup.name))).toContain("larger than 4194304 bytes");
    setup.registry.always(/manifests/, (_, wire) => wire.head(200, { "Content-Length": "99999999" }));
    expect(await failsWith("exhausted", pull(setup.name))).toContain("larger than 4194304 bytes");
  });

  test("giving up: an abort ends a fetch at once", async () => {
    await using setup = await withBig();
    const { openSource } = await import("../../../src/source/open.ts");
    const source = await openSource(setup.name, {
      config: { registries: new Map() },
      env: {},
      warn: () => {},
    });
    const found = await source.resolve({ os: "linux", architecture: "amd64" });
    setup.registry.always(layerPath, (_, wire) => wire.head(200, { "Content-Length": String(big.length) }));
    const controller = new AbortController();
    const chunks = source.fetch(found.manifest.layers[0]!, 0, controller.signal)[Symbol.asyncIterator]();
    const next = chunks.next();
    controller.abort();
    expect(await failsWith("cancelled", next)).toBe("cancelled");
    const other = source.fetch(found.manifest.layers[0]!, 0)[Symbol.asyncIterator]();
    const pending = other.next();
    await source.close();
    await failsWith("cancelled", pending);
  });
});

/** A few bytes now and then, until the client has had enough. */
function drip(wire: Wire, text: string): void {
  const timer = setInterval(() => wire.socket.write(text), 5);
  wire.socket.on("close", () => clearInterval(timer));
}

function flood(wire: Wire): void {
  const chunk = Buffer.alloc(65_536, "x");
  const more = () => {
    while (!wire.socket.destroyed && wire.socket.write(chunk));
  };
  wire.socket.on("drain", more);
  more();
}
