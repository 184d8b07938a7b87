import type { LocalOptions } from "../engine/local.ts";

/** What stands in front of a command of which engine is meant. */
export interface EnginePlace {
  host?: string | undefined;
  context?: string | undefined;
  tls?: boolean | undefined;
  tlsVerify?: boolean | undefined;
  tlsCaCert?: string | undefined;
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
  /** The executable is called "docker": what Docker's command line goes by counts. */
  asDocker: boolean;
}

export interface EngineOptions extends LocalOptions {
  place?: EnginePlace | undefined;
}

/**
 * What a variable says of the engine that is meant, RT_`name` or under Docker's name DOCKER_`name`; one that is set to nothing says
 * nothing.
 */
export function engineVariable(
  env: Readonly<Record<string, string | undefined>>,
  asDocker: boolean,
  name: "HOST" | "CONTEXT" | "TLS_VERIFY" | "CERT_PATH",
): string | undefined {
  return env[`RT_${name}`] || (asDocker ? env[`DOCKER_${name}`] : undefined) || undefined;
}
