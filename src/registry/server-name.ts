import { RtError } from "../base/errors.ts";
import { quoted } from "../oci/json.ts";

/** What a docker of 2014 called Docker Hub, and what every credentials file calls it since. */
export const hubKey = "https://index.docker.io/v1/";
export const hubHosts: ReadonlySet<string> = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
]);

/** A registry as people log in to it. */
export interface ServerName {
  /** The domain of its references: "docker.io", "127.0.0.1:5000". */
  domain: string;
  /** What a credentials file has its entry under, and what helpers are asked for. */
  key: string;
}

/**
 * The registry that `text` names: "ghcr.io", "https://ghcr.io/v2/", "localhost:5000"; Docker Hub for nothing at all. Of an
 * address its host counts, as docker has it.
 * @throws RtError invalid-argument
 */
export function serverName(text: string | undefined): ServerName {
  if (text === undefined || text === "") return { domain: "docker.io", key: hubKey };
  const bare = text.replace(/^https?:\/\//i, "");
  const host = bare.split("/", 1)[0]!.toLowerCase();
  const url = URL.canParse(`https://${host}`) ? new URL(`https://${host}`) : undefined;
  const isHost = url !== undefined && /^[a-z0-9.:[\]-]+$/.test(host) && url.pathname === "/";
  if (!isHost) throw new RtError("invalid-argument", `${quoted(text)} is not the name of a registry's host`);
  return hubHosts.has(host) ? { domain: "docker.io", key: hubKey } : { domain: host, key: host };
}

/** Docker's older files have "https://host/v1/" where newer ones have "host". */
export function bareKey(key: string): string {
  return key.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
}
