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
