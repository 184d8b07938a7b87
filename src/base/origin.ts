/**
 * A browser must not be driven against us by a page of somebody else's: no other origin may ask for anything, and who listens on
 * the loopback interface for this machine alone is asked by no other name than its own (a name that its owner makes lead to
 * 127.0.0.1 is the same origin to a browser).
 */

export interface Listening {
  /** Only this machine reaches it. */
  isLoopback: boolean;
  /** Whoever asks proves who he is, which a page cannot do for another. */
  hasUsers: boolean;
}

/** What a request says of where it comes from and whom it means. */
export interface Asking {
  /** Its fields Origin and Sec-Fetch-Site; undefined: it has none. */
  origin: string | undefined;
  site: string | undefined;
  /** Ours, as it was called: "http://127.0.0.1:5000". */
  url: Pick<URL, "origin" | "hostname">;
}

/** @returns why not */
export function refusalOf(
  { origin, site, url }: Asking,
  { isLoopback, hasUsers }: Listening,
): string | undefined {
  if (origin !== undefined && origin !== url.origin) return "no other site's page may ask";
  if (site !== undefined && site !== "same-origin" && site !== "none") return "no other site's page may ask";
  if (isLoopback && !hasUsers && !isOwnName(url.hostname))
    return "only this machine may ask, by a name that is its own: localhost, 127.0.0.1 or [::1]";
  return undefined;
}

function isOwnName(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "[::1]" ||
    /^127(\.[0-9]{1,3}){3}$/.test(name)
  );
}
