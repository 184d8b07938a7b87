/** Whom a push shows its credentials, and what they are good for there. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import { FakeRegistry, type SeenRequest, type Wire } from "../../support/fake-registry.ts";
import { failsWith } from "../source/pull.ts";
import { pushBlobs, someBytes } from "./push-to.ts";

const canary = "canary-7f3a";
const basic = `Basic ${Buffer.from(`user:${canary}`).toString("base64")}`;
const blob = someBytes(300_000, 11);
const manifest = Buffer.from("{}");
const own = "repository:a/b:pull,push";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-push-auth-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

function login(host: string, entry: object = { auth: basic.slice("Basic ".length) }): { authFile: string } {
  const authFile = join(dir, `${Math.random()}.json`);
  writeFileSync(authFile, JSON.stringify({ auths: { [host]: entry } }));
  return { authFile };
}

/** Tokens t1, t2, … for those who say who they are. @returns those that are good, and for what */
function serveTokens(server: FakeRegistry): Map<string, string[]> {
  const valid = new Map<string, string[]>();
  let count = 0;
  server.always(/ \/token/, (request, wire) => {
    const query = new URLSearchParams(request.method === "POST" ? request.body : request.path.split("?")[1]);
    const isKnown = request.headers.get("authorization") === basic || query.get("refresh_token") === canary;
    if (!isKnown) return wire.reply(401);
    const token = `t${++count}`;
    valid.set(
      token,
      query.getAll("scope").flatMap((scope) => scope.split(" ")),
    );
    wire.reply(200, {}, JSON.stringify({ token }));
  });
  return valid;
}

function demandToken(registry: FakeRegistry, tokens: FakeRegistry, valid: Map<string, string[]>): void {
  registry.always(/ \/v2\/.+\//, (request, wire) => {
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "") ?? "";
    if (valid.get(token)?.includes(own)) return registry.serve(request, wire);
    refuse(tokens, wire, 401);
  });
}

function refuse(tokens: FakeRegistry, wire: Wire, status: number): void {
  const challenge = `Bearer realm="${tokens.url}/token",service="fake",scope="${own}"`;
  wire.head(status, { "WWW-Authenticate": challenge, "Content-Length": "0" });
}

const authorizations = ({ requests }: FakeRegistry) =>
  requests.map(({ headers }) => headers.get("authorization")).filter((each) => each !== null);

describe("a token", () => {
  test("is asked for with the right to push, once", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    demandToken(registry, tokens, serveTokens(tokens));
    await pushBlobs(`${registry.host}/a/b`, [blob, blob.subarray(1)], { manifest, ...login(registry.host) });
    const query = new URLSearchParams({ service: "fake", scope: own });
    expect(tokens.requests.map(({ path }) => path)).toEqual([`/token?${query}`]);
    expect(new Set(authorizations(registry))).toEqual(new Set(["Bearer t1"]));
  });

  test("for an identity token, by a form", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    demandToken(registry, tokens, serveTokens(tokens));
    await pushBlobs(`${registry.host}/a/b`, [blob], login(registry.host, { identitytoken: canary }));
    const form = new URLSearchParams(tokens.requests[0]!.body);
    expect([form.get("scope"), form.get("grant_type")]).toEqual([own, "refresh_token"]);
  });

  for (const status of [401, 403]) {
    test(`that is refused in the middle of an upload (${status}) is renewed once`, async () => {
      await using registry = await FakeRegistry.start();
      await using tokens = await FakeRegistry.start();
      demandToken(registry, tokens, serveTokens(tokens));
      registry.once(/^PATCH/, (_, wire) => refuse(tokens, wire, status));
      await pushBlobs(`${registry.host}/a/b`, [blob], login(registry.host));
      expect(registry.blob(digestOf(blob))).toHaveLength(blob.length);
      const seen = registry.seen(/^PATCH/).map(({ headers }) => headers.get("authorization"));
      expect(seen).toEqual(["Bearer t1", "Bearer t2"]);
      expect(registry.seen(/^POST/)).toHaveLength(1);
    });
  }

  test("that is good for too little: renewed once, then told; who is logged in, and who is not", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    demandToken(registry, tokens, serveTokens(tokens));
    registry.always(/^POST/, (_, wire) => refuse(tokens, wire, 401));
    const name = `${registry.host}/a/b`;
    const line = await failsWith("unauthorized", pushBlobs(name, [blob], login(registry.host)));
    expect(line).toBe(`access to ${name} is denied: who is logged in there may not push to it`);
    expect(tokens.requests).toHaveLength(2);
    const none = await failsWith("unauthorized", pushBlobs(name, [blob]));
    expect(none).toContain("refuses an anonymous push");
  });

  test("for a mount is good for both repositories", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    demandToken(registry, tokens, serveTokens(tokens));
    const elsewhere = [`${registry.host}/team/base`];
    await pushBlobs(`${registry.host}/a/b`, [blob], { elsewhere, ...login(registry.host) });
    const scopes = tokens.requests.map(({ path }) => new URLSearchParams(path.split("?")[1]).getAll("scope"));
    expect(scopes).toEqual([[own], [own, "repository:team/base:pull"]]);
  });
});

/** One that answers with the password, and notes that it was asked. */
function helper(): { env: Record<string, string>; asked: () => number } {
  const home = mkdtempSync(join(dir, "home-"));
  const program = join(home, "docker-credential-fake");
  const answer = JSON.stringify({ ServerURL: "", Username: "user", Secret: canary });
  writeFileSync(program, `#!/bin/sh\necho "$1" >>${home}/asked\ncat >/dev/null\necho '${answer}'\n`);
  chmodSync(program, 0o755);
  mkdirSync(join(home, ".docker"));
  writeFileSync(join(home, ".docker/config.json"), JSON.stringify({ credsStore: "fake" }));
  const asked = () => readFileSync(join(home, "asked"), "utf8").trim().split("\n").length;
  return { env: { HOME: home, XDG_RUNTIME_DIR: home, PATH: `${home}:/usr/bin:/bin` }, asked };
}

describe("a credential helper", () => {
  test("is asked once, however many mounts there are", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    demandToken(registry, tokens, serveTokens(tokens));
    const { env, asked } = helper();
    const blobs = [1, 2, 3].map((seed) => someBytes(1000, seed));
    const elsewhere = [`${registry.host}/team/base`, `${registry.host}/team/other`];
    await pushBlobs(`${registry.host}/a/b`, blobs, { elsewhere, env });
    expect(tokens.requests).toHaveLength(1 + blobs.length * elsewhere.length);
    expect(asked()).toBe(1);
  });

  test("is asked again when what it gave is good no more", async () => {
    await using registry = await FakeRegistry.start();
    await using tokens = await FakeRegistry.start();
    demandToken(registry, tokens, serveTokens(tokens));
    registry.once(/^PATCH/, (_, wire) => refuse(tokens, wire, 401));
    const { env, asked } = helper();
    await pushBlobs(`${registry.host}/a/b`, [blob], { env });
    expect(asked()).toBe(2);
  });
});

describe("Basic", () => {
  test("is what a whole push needs; it is missing, or wrong", async () => {
    await using registry = await FakeRegistry.start();
    registry.always(/ \/v2\/.+\//, (request, wire) => {
      if (request.headers.get("authorization") === basic) return registry.serve(request, wire);
      wire.head(401, { "WWW-Authenticate": 'Basic realm="x"', "Content-Length": "0" });
    });
    const name = `${registry.host}/a/b`;
    expect(await failsWith("unauthorized", pushBlobs(name, [blob]))).toContain("log in first");
    const wrong = login(registry.host, { username: "user", password: `${canary}-wrong` });
    const line = await failsWith("unauthorized", pushBlobs(name, [blob], wrong));
    expect(line).toContain("who is logged in there may not push to it");
    expect(line).not.toContain(canary);
    await pushBlobs(name, [blob], { manifest, ...login(registry.host) });
    expect(registry.manifest("a/b", "latest")).toBeDefined();
  });
});

/** Every way in which a registry may lead an upload to somebody else: he gets the bytes at most. */
describe("nobody else sees credentials", () => {
  type Lead = (registry: FakeRegistry, evil: FakeRegistry) => void;
  const redirect =
    (method: string): Lead =>
    (registry, evil) =>
      registry.always(new RegExp(`^${method}`), ({ path }, wire) =>
        wire.head(307, { Location: `${evil.url}${path}`, "Content-Length": "0" }),
      );
  const location: Lead = (registry, evil) => {
    registry.uploads.location = (path) => evil.url + path;
  };
  const later: Lead = (registry, evil) =>
    registry.once(/^PATCH/, ({ path }, wire) => wire.reply(202, { Location: `${evil.url}${path}` }));
  const ways: Record<string, Lead> = { Location: location, "the Location of a PATCH": later };
  for (const method of ["HEAD", "POST", "PATCH", "PUT"]) ways[`a redirect of ${method}`] = redirect(method);
  for (const [what, lead] of Object.entries(ways)) {
    test(what, async () => {
      await using registry = await FakeRegistry.start();
      await using evil = await FakeRegistry.start();
      lead(registry, evil);
      const asks = (request: SeenRequest, wire: Wire) => {
        if (request.headers.get("authorization") === basic) return registry.serve(request, wire);
        wire.head(401, { "WWW-Authenticate": 'Basic realm="x"', "Content-Length": "0" });
      };
      registry.once(/^HEAD/, asks);
      evil.always(/./, asks);
      const pushing = pushBlobs(`${registry.host}/a/b`, [blob], { manifest, ...login(registry.host) });
      const line = await pushing.then(
        () => "",
        (error: Error) => error.message,
      );
      expect(evil.requests.length).toBeGreaterThan(0);
      expect(authorizations(evil)).toEqual([]);
      expect(line).not.toContain(canary);
    });
  }
});
