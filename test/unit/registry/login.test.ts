/** A password is shown to who may see it, and taken as right only when the registry says so. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { type TryLoginOptions, tryLogin } from "../../../src/registry/login.ts";
import { FakeRegistry, type SeenRequest, type Wire } from "../../support/fake-registry.ts";

const basic = `Basic ${Buffer.from("me:hunter2").toString("base64")}`;
const credential = { kind: "basic" as const, username: "me", password: "hunter2" };

let registry: FakeRegistry;
let tokens: FakeRegistry;
beforeEach(async () => {
  [registry, tokens] = [await FakeRegistry.start(), await FakeRegistry.start()];
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await tokens[Symbol.asyncDispose]();
});

const options = (more: Partial<TryLoginOptions> = {}): TryLoginOptions => ({
  config: { registries: new Map() },
  limits: { attemptsMax: 1, headersMs: 10_000 },
  ...more,
});
const login = (more?: Partial<TryLoginOptions>, domain = registry.host) =>
  tryLogin(domain, credential, options(more));

async function refused(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    (value) => new Error(`it was taken: ${JSON.stringify(value)}`),
    (caught: unknown) => caught,
  );
  if (!(error instanceof RtError)) throw error;
  expect(error.message).not.toContain("hunter2");
  return `${error.code}: ${error.message}`;
}

/** Answers 401 with `challenge` to all but those with `wanted`. */
function demand(challenge: string, wanted: string): void {
  registry.always(/ \/v2\/$/, (request: SeenRequest, wire: Wire) => {
    if (request.headers.get("authorization") === wanted) wire.reply(200, {}, "{}");
    else wire.reply(401, { "WWW-Authenticate": challenge }, "{}");
  });
}

const shownTo = (server: FakeRegistry) => server.requests.map(({ headers }) => headers.get("authorization"));
const bearer = (realm = `${tokens.url}/token`) => `Bearer realm="${realm}",service="the service"`;

test("Basic: first without, then with the password", async () => {
  demand('Basic realm="x"', basic);
  expect(await login()).toBeUndefined();
  expect(shownTo(registry)).toEqual([null, null, basic]); // the first looks what is spoken there
});

test("a wrong password, and a registry that asks nobody", async () => {
  demand('Basic realm="x"', "another");
  expect(await refused(login())).toBe(
    `unauthorized: ${registry.host} refuses the login: wrong user name or password`,
  );
  registry.always(/ \/v2\/$/, (_, wire) => wire.reply(200, {}, "{}"));
  expect(await login()).toBeUndefined();
});

test("a token server: no scope, the account; its identity token is told", async () => {
  demand(bearer(), "Bearer the-token");
  tokens.always(/token/, (request, wire) => {
    const answer = { token: "the-token", refresh_token: "for-ever" };
    if (request.headers.get("authorization") === basic) wire.reply(200, {}, JSON.stringify(answer));
    else wire.reply(401);
  });
  expect(await login()).toBe("for-ever");
  expect(tokens.requests.map(({ path }) => path)).toEqual([
    "/token?service=the+service&account=me&client_id=rt&offline_token=true",
  ]);
  expect(shownTo(registry)).toEqual([null, null, "Bearer the-token"]);
});

test("a token server that refuses, lies, or gives a token that is worth nothing", async () => {
  demand(bearer(), "Bearer the-token");
  tokens.once(/token/, (_, wire) => wire.reply(401));
  expect(await refused(login())).toBe(
    `unauthorized: access to ${registry.host} is denied: its token server ${tokens.host} refuses the credentials (status 401)`,
  );
  tokens.once(/token/, (_, wire) => wire.reply(200, {}, '{"token":"other"}'));
  expect(await refused(login())).toContain("refuses the login: wrong user name or password");
  tokens.once(/token/, (_, wire) => wire.reply(200, {}, '{"token":5}'));
  expect(await refused(login())).toStartWith("data-loss: ");
  tokens.once(/token/, (_, wire) => wire.reply(200, {}, `${'{"a":'.repeat(100)}1${"}".repeat(100)}`));
  expect(await refused(login())).toContain("nested more than 32 levels deep");
  tokens.once(/token/, (_, wire) => wire.reply(200, {}, `{"token":"${"x".repeat(2 << 20)}"}`));
  expect(await refused(login())).toStartWith("exhausted: ");
  tokens.once(/token/, (_, wire) => wire.reply(200, {}, '{"token":"a\\nb"}'));
  expect(await refused(login())).toContain("contains characters that no token has");
});

test("a redirect is never followed, and says nothing about the password", async () => {
  await using other = await FakeRegistry.start();
  other.always(/./, (_, wire) => wire.reply(200, {}, '{"token":"the-token"}'));
  const away = (_: SeenRequest, wire: Wire) => wire.reply(307, { Location: `${other.url}/x` });
  registry.always(/ \/v2\/$/, away);
  expect(await refused(login())).toBe(`unavailable: ${registry.host} redirects a login: not followed`);
  registry.always(/ \/v2\/$/, (request, wire) =>
    request.headers.has("authorization")
      ? away(request, wire)
      : wire.reply(401, { "WWW-Authenticate": 'Basic realm="x"' }),
  );
  expect(await refused(login())).toContain("redirects a login: not followed");
  demand(bearer(), "Bearer the-token");
  tokens.always(/token/, away);
  expect(await refused(login())).toBe(`unavailable: ${tokens.host} redirects a login: not followed`);
  expect(other.requests).toEqual([]);
});

test("401 without a challenge, or with one that nobody knows; no registry at all", async () => {
  registry.always(/ \/v2\/$/, (_, wire) => wire.reply(401));
  expect(await refused(login())).toContain("answers 401, and does not say how to log in");
  demand("Negotiate", "x");
  expect(await refused(login())).toContain("it asks for negotiate");
  registry.always(/ \/v2\/$/, (_, wire) => wire.reply(404, {}, "<html>"));
  expect(await refused(login())).toContain("it has no registry's /v2/");
  registry.always(/ \/v2\/$/, (_, wire) => wire.reply(500));
  expect(await refused(login())).toContain("it answers 500");
});

test("a token server elsewhere does not see the password, and its token for nobody is no login", async () => {
  const realm = tokens.url.replace("127.0.0.1", "token.example");
  demand(bearer(realm), "Bearer the-token");
  expect(await refused(login())).toContain("refused, it must be https");
  demand(bearer("http://169.254.169.254/latest"), "Bearer the-token");
  expect(await refused(login())).toContain("refused");
  expect(tokens.requests).toEqual([]);
});

test("TLS that nobody trusts, and plain http where only https may be", async () => {
  await using secure = await FakeRegistry.start({ tls: true });
  secure.always(/ \/v2\/$/, (request, wire) =>
    request.headers.get("authorization") === basic
      ? wire.reply(200, {}, "{}")
      : wire.reply(401, { "WWW-Authenticate": 'Basic realm="x"' }),
  );
  expect(await refused(login({}, secure.host))).toContain("cannot trust");
  expect(secure.requests).toEqual([]);
  expect(await login({ tlsVerify: false }, secure.host)).toBeUndefined();
});
