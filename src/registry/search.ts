import { RtError } from "../base/errors.ts";
import {
  arrayIn,
  documentBytesMax,
  fieldsIn,
  integerIn,
  optionalIn,
  parseJson,
  shown,
  stringsIn,
  textIn,
} from "../oci/json.ts";
import { defaultDomain } from "../reference/reference.ts";
import type { Answer } from "./answer.ts";
import { Authorizer } from "./auth.ts";
import type { Credential } from "./credential.ts";
import { type Endpoint, ownEndpoint, probe } from "./endpoint.ts";
import { limitsFor, type RegistryOptions } from "./options.ts";
import { retrying, TransientError } from "./retry.ts";
import { send } from "./transport.ts";

export interface FoundRepository {
  name: string;
  description: string;
  stars: number;
  isOfficial: boolean;
  isAutomated: boolean;
}

const pagesMax = 100;
const pageSize = 1000;
const nameLengthMax = 512;

/**
 * Repositories of a registry that have `term` in their name or description, by its own search (Docker Hub's first API,
 * GET /v1/search?q=…&n=…); where it has none, by the names in its catalog (GET /v2/_catalog).
 * @param countMax at most so many, of either
 */
export async function searchRegistry(
  domain: string,
  term: string,
  countMax: number,
  options: RegistrySearchOptions,
): Promise<FoundRepository[]> {
  const site = await siteOf(domain, options);
  return (await firstSearch(site, term, countMax)) ?? (await searchCatalog(site, term, countMax));
}

export interface RegistrySearchOptions extends Pick<RegistryOptions, "config" | "tlsVerify" | "limits"> {
  find: () => Promise<Credential | undefined>;
  signal: AbortSignal;
}

/** A registry to ask, not one of its repositories. */
interface Site {
  domain: string;
  origin: URL;
  get(url: URL): Promise<Answer>;
}

async function siteOf(domain: string, options: RegistrySearchOptions): Promise<Site> {
  const { config, tlsVerify = true, find, signal } = options;
  const limits = limitsFor(options);
  const own = ownEndpoint({ domain, path: "" }, config, tlsVerify);
  // Its search is at the one host, its images are at the other.
  const origins = [new URL("https://index.docker.io")];
  const endpoint: Endpoint = domain === defaultDomain ? { ...own, origins } : own;
  const origin = await probe(endpoint, limits, signal);
  const authorizer = new Authorizer(endpoint, "", find, limits, undefined, { actions: "catalog" });
  const get = (url: URL) =>
    retrying(limits, signal, async () => {
      for (let authorization = authorizer.current; ; ) {
        const answer = await send({ url, authorization, insecure: endpoint.insecure, signal }, limits);
        if ([429, 500, 502, 503, 504].includes(answer.status)) {
          answer.discard();
          throw new TransientError(`${domain} answers ${answer.status}`, { status: answer.status });
        }
        if (answer.status !== 401 || authorization !== undefined || answer.crossed) return answer;
        answer.discard();
        authorization = await authorizer.renew(
          undefined,
          answer.headers.get("www-authenticate"),
          origin,
          signal,
        );
      }
    });
  return { domain, origin, get };
}

/** Undefined where there is no such thing. */
async function firstSearch(
  site: Site,
  term: string,
  countMax: number,
): Promise<FoundRepository[] | undefined> {
  const isHub = site.domain === defaultDomain;
  const url = new URL("/v1/search", site.origin);
  url.searchParams.set("q", isHub ? term.replace(/^library\//, "") : term);
  url.searchParams.set("n", String(countMax));
  const answer = await site.get(url);
  const isJson = /\bjson\b/i.test(answer.headers.get("content-type") ?? "");
  if (answer.status !== 200 || !isJson) {
    answer.discard();
    if (isHub) throw refusal(site, answer);
    return undefined;
  }
  const what = `the search answer of ${site.domain}`;
  const field = fieldsIn(parseJson(await answer.bytes(documentBytesMax, what), what), what);
  const found = (optionalIn(field("results"), what, arrayIn) ?? []).slice(0, countMax);
  return found.map((item) => repositoryIn(item, what, isHub ? "" : `${site.domain}/`));
}

function repositoryIn(item: unknown, what: string, prefix: string): FoundRepository {
  const field = fieldsIn(item, what);
  const name = textIn(field("name") ?? "", `${what}: name`);
  if (name.length > nameLengthMax)
    throw new RtError("data-loss", `${what} has a name of ${name.length} characters`);
  return {
    name: prefix + name,
    description: optionalIn(field("description"), `${what}: description`, textIn) ?? "",
    stars:
      optionalIn(field("star_count"), `${what}: star_count`, (value, where) => integerIn(value, where)) ?? 0,
    isOfficial: field("is_official") === true,
    isAutomated: field("is_automated") === true,
  };
}

async function searchCatalog(site: Site, term: string, countMax: number): Promise<FoundRepository[]> {
  const found: FoundRepository[] = [];
  const wanted = term.toLowerCase();
  const what = `the catalog of ${site.domain}`;
  let url: URL | undefined = new URL(`/v2/_catalog?n=${pageSize}`, site.origin);
  for (let page = 0; url && found.length < countMax; page++) {
    if (page === pagesMax) throw new RtError("exhausted", `${what} has more than ${pagesMax} pages: refused`);
    const answer = await site.get(url);
    if (answer.status !== 200) {
      answer.discard();
      throw refusal(site, answer);
    }
    const field = fieldsIn(parseJson(await answer.bytes(documentBytesMax, what), what), what);
    for (const name of optionalIn(field("repositories"), what, stringsIn) ?? []) {
      if (!name.toLowerCase().includes(wanted) || name.length > nameLengthMax) continue;
      found.push({
        name: `${site.domain}/${name}`,
        description: "",
        stars: 0,
        isOfficial: false,
        isAutomated: false,
      });
    }
    url = nextPage(answer, url, what);
  }
  return found.slice(0, countMax);
}

/** `Link: </v2/_catalog?last=x&n=1000>; rel="next"` (RFC 8288). It may not lead away from the registry. */
function nextPage({ headers }: Answer, asked: URL, what: string): URL | undefined {
  const link = /^\s*<([^<>]{1,4096})>\s*;[^,]*\brel\s*=\s*"?next\b/i.exec(headers.get("link") ?? "")?.[1];
  if (link === undefined) return undefined;
  const next = URL.canParse(link, asked.href) ? new URL(link, asked) : undefined;
  if (next?.origin === asked.origin && next.href !== asked.href) return next;
  throw new RtError("data-loss", `${what} goes on at ${shown(link)}: refused`);
}

function refusal({ domain }: Site, { status }: Answer): RtError {
  if (status === 401 || status === 403)
    return new RtError("unauthorized", `${domain} does not let its images be listed (status ${status})`);
  return new RtError("unsupported", `${domain} cannot be searched: it answers ${status}`);
}
