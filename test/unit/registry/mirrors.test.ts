import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../src/base/config.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parse } from "../../../src/reference/reference.ts";
import { endpointsOf } from "../../../src/registry/endpoint.ts";
import { FakeRegistry, tinyImage } from "../../support/fake-registry.ts";
import { failsWith, noise, pull } from "../source/pull.ts";

const image = tinyImage();

function mirrored(registry: FakeRegistry, mirrors: FakeRegistry[]): Config {
  const own = { mirrors: mirrors.map(({ url }) => url), insecure: false, tokenServers: [] };
  return { registries: new Map([[registry.host, own]]) };
}

describe("mirrors", () => {
  test("the first that has it serves all; the registry is not asked", async () => {
    await using registry = await FakeRegistry.start();
    await using empty = await FakeRegistry.start();
    await using mirror = await FakeRegistry.start();
    mirror.push("a", "1", image);
    const { layers, warnings } = await pull(`${registry.host}/a:1`, {
      config: mirrored(registry, [empty, mirror]),
    });
    expect(layers).toEqual(image.layers);
    expect(registry.requests).toEqual([]);
    expect(warnings).toEqual([]);
    expect(empty.seen(/manifests/)).toHaveLength(1);
  });

  test("by digest too", async () => {
    await using registry = await FakeRegistry.start();
    await using mirror = await FakeRegistry.start();
    mirror.push("a", "1", image);
    const name = `${registry.host}/a@${image.manifestDigest}`;
    expect((await pull(name, { config: mirrored(registry, [mirror]) })).reference).toBe(name);
    expect(registry.requests).toEqual([]);
  });

  test("one that fails is left out for the rest of the run, with one line", async () => {
    await using registry = await FakeRegistry.start();
    await using mirror = await FakeRegistry.start();
    mirror.always(/./, (_, wire) => wire.reply(500));
    const name = registry.push("a", "1", image);
    const { layers, warnings } = await pull(name, { config: mirrored(registry, [mirror]) });
    expect(layers).toEqual(image.layers);
    expect(warnings).toEqual([`mirror ${mirror.host} is left out: ${mirror.host} answers 500 (5 times)`]);
    expect(mirror.seen(/blobs/)).toEqual([]);
  });

  test("one that lies about a digest, or wants a login, is passed over", async () => {
    await using registry = await FakeRegistry.start();
    await using liar = await FakeRegistry.start();
    await using closed = await FakeRegistry.start();
    liar.push("a", image.manifestDigest, tinyImage([Buffer.from("evil")]));
    closed.always(/manifests/, (_, wire) => wire.reply(401, { "WWW-Authenticate": "Basic" }));
    registry.push("a", "1", image);
    const name = `${registry.host}/a@${image.manifestDigest}`;
    const { layers, warnings } = await pull(name, { config: mirrored(registry, [liar, closed]) });
    expect(layers).toEqual(image.layers);
    expect(warnings).toHaveLength(2);
  });

  test("one that breaks in the middle of a blob: the registry goes on from there", async () => {
    const big = noise(2_000_000);
    const large = tinyImage([big]);
    const path = new RegExp(digestOf(big));
    await using registry = await FakeRegistry.start();
    await using mirror = await FakeRegistry.start();
    const name = registry.push("a", "1", large);
    mirror.push("a", "1", large);
    mirror.always(path, (_, wire) => wire.reply(500));
    mirror.once(path, (_, wire) => {
      wire.head(200, { "Content-Length": String(big.length) });
      wire.socket.write(big.subarray(0, 1_000_000), () => wire.socket.end());
    });
    const { layers } = await pull(name, { config: mirrored(registry, [mirror]) });
    expect(layers).toEqual([Buffer.from(big)]);
    const [asked] = registry.seen(path);
    expect(Number(/^bytes=(\d+)-$/.exec(asked?.headers.get("range") ?? "")?.[1])).toBeWithin(1, 1_000_001);
  });

  test("each host gets its own password", async () => {
    const dir = mkdtempSync(join(tmpdir(), "rt-mirror-"));
    try {
      await using registry = await FakeRegistry.start();
      await using mirror = await FakeRegistry.start();
      const name = registry.push("a", "1", image);
      const auths = {
        [registry.host]: { username: "r", password: "r" },
        [mirror.host]: { username: "m", password: "m" },
      };
      const authFile = join(dir, "auth.json");
      writeFileSync(authFile, JSON.stringify({ auths }));
      for (const server of [registry, mirror]) {
        server.always(/manifests/, (request, wire) => {
          if (server === registry && request.headers.has("authorization")) return server.serve(request, wire);
          wire.reply(401, { "WWW-Authenticate": "Basic" });
        });
      }
      await pull(name, { config: mirrored(registry, [mirror]), authFile });
      const sent = (server: FakeRegistry) =>
        new Set(server.requests.flatMap((r) => r.headers.get("authorization") ?? []));
      expect(sent(mirror)).toEqual(new Set([`Basic ${Buffer.from("m:m").toString("base64")}`]));
      expect(sent(registry)).toEqual(new Set([`Basic ${Buffer.from("r:r").toString("base64")}`]));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test("when all fail the registry's own error is the answer", async () => {
    await using registry = await FakeRegistry.start();
    await using mirror = await FakeRegistry.start();
    await failsWith("not-found", pull(`${registry.host}/a:1`, { config: mirrored(registry, [mirror]) }));
  });
});

describe("endpoints", () => {
  const config = (domain: string, mirrors: string[], insecure = false): Config => ({
    registries: new Map([[domain, { mirrors, insecure, tokenServers: [] }]]),
  });
  const origins = (text: string, settings: Config, tlsVerify = true) =>
    endpointsOf(parse(text), settings, tlsVerify).map((endpoint) =>
      endpoint.origins.map(({ origin }) => origin),
    );

  test("Docker Hub's API lives elsewhere; plain http is for loopback and insecure hosts only", () => {
    const none = { registries: new Map() };
    expect(origins("alpine", none)).toEqual([["https://registry-1.docker.io"]]);
    expect(origins("r.example/a", none)).toEqual([["https://r.example"]]);
    expect(origins("r.example/a", none, false)).toEqual([["https://r.example", "http://r.example"]]);
    expect(origins("r.example:80/a", config("r.example:80", [], true))[0]).toHaveLength(2);
    for (const host of ["localhost", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"]) {
      expect(origins(`${host}/a`, none)[0]![0]).toStartWith("http://");
    }
    for (const host of ["127.0.0.1.example", "localhost.example", "10.0.0.1:5000"]) {
      expect(origins(`${host}/a`, none)).toEqual([[`https://${host}`]]);
    }
  });

  test("a plain http mirror that is not loopback must be declared insecure", () => {
    expect(origins("alpine", config("docker.io", ["http://127.0.0.1:5000"]))[0]).toEqual([
      "http://127.0.0.1:5000",
    ]);
    expect(() => origins("alpine", config("docker.io", ["http://m.lan"]))).toThrow(
      /mirror http:\/\/m\.lan is plain http/,
    );
  });
});
