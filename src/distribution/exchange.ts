/** A request about one repository, as the handlers see it. */
export interface Exchange {
  request: Request;
  url: URL;
  /** The repository's name as the client wrote it, for what leads back to us. */
  name: string;
  /** Who asks: a user, or an address. */
  client: string;
}

export function noBody(status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(null, { status, headers });
}

/** Has the client said that it has exactly this? */
export function isUnchanged({ method, headers }: Request, digest: string): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const known = headers.get("if-none-match");
  if (known === null) return false;
  const tags = known.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(`"${digest}"`) || tags.includes("*");
}
