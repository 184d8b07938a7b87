import { RtError } from "../../base/errors.ts";
import { checkFilters, type Filters, searchFilters } from "../../docker/filters.ts";
import type { RegistryCredentials } from "../../docker/registry-auth.ts";
import { isWanted, type SearchResult } from "../../docker/search-result.ts";
import { findCredential } from "../../registry/credentials.ts";
import { defaultLimits } from "../../registry/limits.ts";
import { searchRegistry } from "../../registry/search.ts";
import { serverName } from "../../registry/server-name.ts";
import type { Host } from "../host.ts";
import { givenBy } from "./given.ts";

export interface SearchOptions {
  /** From 1 to 100. */
  limit: number;
  filters: Filters;
  /** Who the caller is to the registry; undefined: whom this host's files know. */
  credentials?: RegistryCredentials | undefined;
  /** False: this registry may be plain http, or TLS that does not verify. */
  tlsVerify?: boolean | undefined;
}

/** Repositories that have a term in their name: "alpine" at Docker Hub, "HOST/TERM" at the registry of that host. */
export async function search(host: Host, text: string, options: SearchOptions): Promise<SearchResult[]> {
  const { limit, filters, tlsVerify } = options;
  const { given } = givenBy(options.credentials);
  checkFilters(filters, searchFilters);
  if (limit < 1 || limit > 100)
    throw new RtError("invalid-argument", `limit ${limit} is outside the range of [1, 100]`);
  const { domain, term } = placeOf(text);
  const { env, caller } = host;
  const { helperMs } = defaultLimits;
  const warn = (line: string) => host.warn(line);
  const found = await searchRegistry(domain, term, limit, {
    config: await host.config(),
    tlsVerify,
    find: async () =>
      given ? given.credential : await findCredential(domain, { env, caller, helperMs, warn }),
    signal: host.session.abort,
  });
  return found
    .map(({ name, description, stars, isOfficial, isAutomated }) => {
      return { star_count: stars, is_official: isOfficial, name, is_automated: isAutomated, description };
    })
    .filter((result) => isWanted(result, filters))
    .sort((a, b) => b.star_count - a.star_count);
}

/** As docker takes it apart: the first of several parts is a host where it has a dot or a port, or is localhost. */
function placeOf(text: string): { domain: string; term: string } {
  if (/^[a-z]+:\/\//i.test(text))
    throw new RtError("invalid-argument", `invalid term: want TERM or HOST/TERM, without a scheme`);
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(first) || first === "localhost";
  const term = isHost ? text.slice(slash + 1) : text;
  if (term === "") throw new RtError("invalid-argument", "invalid term: it is empty");
  return { domain: serverName(isHost ? first : undefined).domain, term };
}
