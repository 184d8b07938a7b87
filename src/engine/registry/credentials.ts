import { FileLock } from "../../content/file-lock.ts";
import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import { credentialsFileIfThere, dockerConfigFile } from "../../registry/auth-file.ts";
import type { CredentialPlace } from "../../registry/credential-store.ts";
import { findCredential } from "../../registry/credentials.ts";
import { defaultLimits } from "../../registry/limits.ts";
import { serverName } from "../../registry/server-name.ts";
import type { Host } from "../host.ts";

/** Who is logged in. */
export interface Account {
  username: string;
  /** Else there is a token, or nothing but the name. */
  hasPassword: boolean;
}

/** Of whoever calls: docker's file is by HOME, whoever we are. */
export function credentialPlace(host: Host): CredentialPlace {
  const onWait = () => host.warn("waiting for another rt that changes the credentials file");
  return {
    path: dockerConfigFile(host.env),
    lock: (path) => FileLock.acquire(path, { signal: host.session.abort, onWait }),
    env: host.env,
    caller: host.caller,
    helperMs: defaultLimits.helperMs,
  };
}

/** What docker's file, or the helper that it names, has for a server's user name and password. */
export async function storedPassword(host: Host, server: string | undefined) {
  const { domain } = serverName(server);
  const authFile = dockerConfigFile(host.env);
  if ((await credentialsFileIfThere(authFile)) === undefined) return undefined;
  const { env, caller } = host;
  const warn = (line: string) => host.warn(line);
  const found = await findCredential(domain, {
    authFile,
    env,
    caller,
    warn,
    helperMs: defaultLimits.helperMs,
  });
  return found?.kind === "basic" ? found : undefined;
}

export async function account(host: Host, server: string | undefined): Promise<Account | undefined> {
  const found = await storedPassword(host, server);
  return found && { username: found.username, hasPassword: found.password !== "" };
}

/** What this host would tell a registry, in the words of the API. */
export async function ownCredentials(
  { env, caller, warn }: Host,
  repository: string,
): Promise<RegistryCredentials | undefined> {
  const found = await findCredential(repository, { env, caller, warn, helperMs: defaultLimits.helperMs });
  const nobody = { username: "", password: "", identityToken: "", registryToken: "" };
  switch (found?.kind) {
    case undefined:
      return undefined;
    case "basic":
      return { ...nobody, username: found.username, password: found.password };
    case "identity":
      return { ...nobody, identityToken: found.token };
    case "bearer":
      return { ...nobody, registryToken: found.token };
  }
}
