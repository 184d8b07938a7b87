import type { Config } from "../base/config.ts";
import type { CallerEnvironment } from "../base/environment.ts";
import type { Credential, FindCredential, HelperAnswers } from "./credential.ts";
import { defaultLimits, type Limits } from "./limits.ts";

export interface RegistryOptions {
  config: Config;
  /** False for --tls-verify=false: this reference's registry may be plain http or unverified. */
  tlsVerify?: boolean | undefined;
  authFile?: string | undefined;
  /** Who the caller is to the registry itself, by his own account: no file is looked into. Of its mirrors it says nothing. */
  given?: { credential: Credential | undefined } | undefined;
  env?: Readonly<Record<string, string | undefined>>;
  /** The environment of credential helpers; `env` unless it is given. */
  caller?: CallerEnvironment;
  /** Of all clients of one command; else each repository's client asks by itself. */
  helperAnswers?: HelperAnswers;
  limits?: Partial<Limits>;
  /** One line about something that went wrong without ending the pull: a mirror, a credential helper. */
  warn: (line: string) => void;
}

export function limitsFor({ config, limits }: Pick<RegistryOptions, "config" | "limits">): Limits {
  const ms = config.registryTimeout_ms;
  const asked =
    ms === undefined ? {} : { headersMs: ms, idleMs: ms, documentMs: 2 * ms, uploadIdleMs: 4 * ms };
  return { ...defaultLimits, ...asked, ...limits };
}

/** How the credential for `repository` ("host/path") is found, once somebody asks for one. */
export function credentialsFor(
  repository: string,
  { authFile, given, env, caller, warn, helperAnswers = new Map() }: RegistryOptions,
  { helperMs }: Limits,
): FindCredential {
  return async (isRejected) => {
    if (given) return given.credential;
    if (isRejected) helperAnswers.clear();
    const { findCredential } = await import("./credentials.ts");
    return findCredential(repository, {
      ...{ authFile, warn, helperMs, helperAnswers },
      ...(env && { env }),
      ...(caller && { caller }),
    });
  };
}
