import { RtError } from "../../base/errors.ts";
import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import { dockerConfigFile } from "../../registry/auth-file.ts";
import { checkUsername, storeCredential } from "../../registry/credential-store.ts";
import { tryLogin } from "../../registry/login.ts";
import { serverName } from "../../registry/server-name.ts";
import type { Host } from "../host.ts";
import { credentialPlace, storedPassword } from "./credentials.ts";
import { givenBy } from "./given.ts";

export interface LoginOptions {
  /** A registry's host; Docker Hub unless given. */
  server?: string | undefined;
  /** What is stored already, unless given. */
  given?: { username: string; password: string } | undefined;
  /** Of somebody else than this host's user: shown to the registry, and not kept. */
  credentials?: RegistryCredentials | undefined;
  /** False: this registry may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
}

export interface LoginResult {
  /** The file that the password stands in from here on, for whoever reads it. None where a helper has it, or it is a token. */
  unencryptedIn?: string;
  /** Of credentials that are not kept: what the registry gave for them, to be used in their place. */
  identityToken?: string;
}

/**
 * Shows a password to a registry, and keeps it once the registry has taken it.
 * @throws RtError unauthorized: it has not; not-found: none is given and none is stored
 */
export async function login(host: Host, options: LoginOptions): Promise<LoginResult> {
  const server = serverName(options.server);
  if (options.credentials) return await show(host, server.domain, options);
  const place = credentialPlace(host);
  const basic = options.given
    ? { kind: "basic" as const, ...options.given }
    : await storedPassword(host, options.server);
  if (!basic) throw new RtError("not-found", `nobody is logged in to ${server.domain}`);
  checkUsername(basic.username);
  if (basic.password === "") throw new RtError("invalid-argument", "password is empty");
  const token = await tryLogin(server.domain, basic, {
    config: await host.config(),
    tlsVerify: options.tlsVerify,
    signal: host.session.abort,
  });
  const kept = token === undefined ? basic : { kind: "identity" as const, token };
  const isNewInFile = await storeCredential(place, server, kept, basic.username);
  if (host.env.REGISTRY_AUTH_FILE)
    host.warn(
      "REGISTRY_AUTH_FILE is set: what pulls and pushes read is that file, and not the one of this login",
    );
  const isOpen = isNewInFile && kept.kind === "basic";
  return isOpen ? { unencryptedIn: dockerConfigFile(host.env) } : {};
}

async function show(host: Host, domain: string, options: LoginOptions): Promise<LoginResult> {
  const credential = givenBy(options.credentials).given?.credential;
  if (!credential || credential.kind === "bearer")
    throw new RtError("invalid-argument", "want a user name and a password, or an identity token");
  if (credential.kind === "basic") checkUsername(credential.username);
  const identityToken = await tryLogin(domain, credential, {
    config: await host.config(),
    tlsVerify: options.tlsVerify,
    signal: host.session.abort,
  });
  return identityToken === undefined ? {} : { identityToken };
}
