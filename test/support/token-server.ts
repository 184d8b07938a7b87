/**
 * A token server as distribution's registry wants it ("Token Authentication Specification"): JWTs that are signed ES256 with
 * the key of test-tls.ts, whose certificate stands in their head.
 *
 *   await using tokens = startTokenServer({ writer: { password: "p", actions: ["pull", "push"] } });
 *   await using registry = await startRegistry({ token: tokens.forRegistry });
 */
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import type { RegistryOptions } from "./registry.ts";
import { testTls } from "./test-tls.ts";

interface User {
  password: string;
  /** In every repository. */
  actions: readonly string[];
}

export interface TokenServer extends AsyncDisposable {
  readonly forRegistry: NonNullable<RegistryOptions["token"]>;
  /** The scopes of each request, and who asked. */
  readonly asked: { user: string | undefined; scopes: string[] }[];
}

const service = "registry.test";
const issuer = "rt-test";

/** Who does not say who he is gets a token for nothing; a wrong password is a 401. */
export function startTokenServer(users: Readonly<Record<string, User>>): TokenServer {
  const asked: TokenServer["asked"] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const url = new URL(request.url);
      const [name, password] = credentialsIn(request.headers.get("authorization"));
      const user = name === undefined ? undefined : users[name];
      if (name !== undefined && user?.password !== password) return new Response("", { status: 401 });
      const scopes = url.searchParams.getAll("scope");
      asked.push({ user: name, scopes });
      return Response.json({ token: tokenFor(name ?? "", scopes, user?.actions ?? []), expires_in: 300 });
    },
  });
  const realm = `http://127.0.0.1:${server.port}/token`;
  return {
    forRegistry: { realm, service, issuer, certificate: testTls.cert },
    asked,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function credentialsIn(header: string | null): (string | undefined)[] {
  const encoded = /^Basic (.+)$/.exec(header ?? "")?.[1];
  if (encoded === undefined) return [];
  const [name, password] = Buffer.from(encoded, "base64").toString().split(":");
  return [name, password];
}

function tokenFor(subject: string, scopes: readonly string[], allowed: readonly string[]): string {
  const access = scopes.map((scope) => {
    const [type, name, actions] = scope.split(":") as [string, string, string];
    return { type, name, actions: actions.split(",").filter((each) => allowed.includes(each)) };
  });
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, sub: subject, aud: service, iat: now, nbf: now - 10, exp: now + 300 };
  const certificate = testTls.cert.replace(/-----[^-]+-----|\s/g, "");
  const parts = [
    { typ: "JWT", alg: "ES256", x5c: [certificate] },
    { ...claims, jti: randomUUID(), access },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const key = { key: createPrivateKey(testTls.key), dsaEncoding: "ieee-p1363" } as const;
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}
