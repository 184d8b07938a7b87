/** One side of `cp`: a path in a container, or one of the host; "-" is an archive on standard input or output. */
export interface CopyPlace {
  /** Undefined: the host. */
  container?: string;
  path: string;
}

/** "CONTAINER:PATH", as docker reads it: what begins with "/" or "." is of the host, whatever colons are in it. */
export function parseCopyPlace(text: string): CopyPlace {
  const colon = text.indexOf(":");
  if (text.startsWith("/") || text.startsWith(".") || colon < 0) return { path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}
