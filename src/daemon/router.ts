import { RtError } from "../base/errors.ts";
import type { ApiRoute, Handler } from "./table.ts";
import { type ApiVersion, apiVersionMax, apiVersionMin, isAtLeast } from "./version.ts";

export interface FoundRoute {
  row: ApiRoute;
  version: ApiVersion;
  params: Record<string, string>;
  /** Behind the "?". */
  query: string;
  load: () => Promise<Handler>;
}

interface Compiled {
  row: ApiRoute;
  pattern: RegExp;
  names: string[];
  handler: Promise<Handler> | undefined;
}

/** From a request's line to the row of the table that it means. */
export class Router {
  /** By the method and the first part of the path: of those few the first that fits is meant. */
  readonly #rows = new Map<string, Compiled[]>();

  constructor(rows: readonly ApiRoute[]) {
    for (const row of rows) {
      const key = keyOf(row.method, row.path);
      this.#rows.set(key, [...(this.#rows.get(key) ?? []), compile(row)]);
    }
  }

  /** @throws RtError invalid-argument: a version that is not spoken, a path that is none; not-found */
  find(method: string, target: string): FoundRoute {
    const { path, query, version } = readTarget(target);
    for (const compiled of this.#rows.get(keyOf(method, path)) ?? []) {
      const match = compiled.pattern.exec(path);
      if (!match) continue;
      const values = match.slice(1).map(decoded);
      const params = Object.fromEntries(compiled.names.map((name, index) => [name, values[index]!]));
      return {
        row: compiled.row,
        version,
        params,
        query,
        load: () => (compiled.handler ??= compiled.row.load()),
      };
    }
    throw new RtError("not-found", "page not found");
  }
}

function keyOf(method: string, path: string): string {
  return `${method} ${path.split("/", 2)[1] ?? ""}`;
}

function compile(row: ApiRoute): Compiled {
  const names: string[] = [];
  const source = row.path.replace(/\{(\w+)(\*?)\}/g, (_, name: string, isLong: string) => {
    names.push(name);
    return isLong ? "(.+)" : "([^/]+)";
  });
  return { row, pattern: new RegExp(`^${source}$`), names, handler: undefined };
}

function readTarget(asked: string): { path: string; query: string; version: ApiVersion } {
  // As clients ask that take us for a proxy: RFC 9112, 3.2.2.
  const target = asked.replace(/^https?:\/\/[^/?]*(?=\/)/i, "");
  const at = target.indexOf("?");
  const full = at < 0 ? target : target.slice(0, at);
  const query = at < 0 ? "" : target.slice(at + 1);
  if (!full.startsWith("/")) throw new RtError("invalid-argument", "that is no path of the API");
  if (full.split("/").some((part) => part === ".." || part === "."))
    throw new RtError("invalid-argument", `the path has a ".."`);
  const [, version, rest] = /^\/v([0-9]{1,3}\.[0-9]{1,3})(\/.*)$/.exec(full) ?? [];
  if (version === undefined || rest === undefined) return { path: full, query, version: apiVersionMax };
  if (!isAtLeast(apiVersionMax, version))
    throw new RtError(
      "invalid-argument",
      `client version ${version} is too new. Maximum supported API version is ${apiVersionMax}`,
    );
  if (!isAtLeast(version, apiVersionMin))
    throw new RtError(
      "invalid-argument",
      `client version ${version} is too old. Minimum supported API version is ${apiVersionMin}, please upgrade your client to a newer version`,
    );
  return { path: rest, query, version };
}

/** @throws RtError invalid-argument: it is no text, or one with a NUL */
function decoded(part: string): string {
  let text: string;
  try {
    text = decodeURIComponent(part);
  } catch {
    throw new RtError("invalid-argument", "the path is no text");
  }
  if (text.includes("\0")) throw new RtError("invalid-argument", "the path has a NUL byte");
  return text;
}
