import { RtError } from "../base/errors.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { quoted, shown } from "../oci/json.ts";
import { ProtocolError } from "./protocol-error.ts";

/** What a path is about (spec.md#endpoints). Nothing of it is believed yet: a name is for the store to judge. */
export type DistributionRoute =
  | { kind: "base" }
  | { kind: "catalog" }
  | { kind: "tags"; name: string }
  | { kind: "manifest"; name: string; reference: string }
  | { kind: "blob"; name: string; digest: string }
  | { kind: "uploads"; name: string }
  | { kind: "upload"; name: string; id: string }
  | { kind: "referrers"; name: string; digest: string };

const pathLengthMax = 1024;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * @param pathname as a URL has it: "." and ".." are gone, and what is escaped is so still. Each part is unescaped by itself, so that
 *   an escaped slash makes no more parts, and no name is ever a path.
 * @returns undefined for what is none of the specification's
 */
export function routeOf(pathname: string): DistributionRoute | undefined {
  if (pathname === "/v2" || pathname === "/v2/") return { kind: "base" };
  if (!pathname.startsWith("/v2/") || pathname.length > pathLengthMax) return undefined;
  const parts = unescaped(pathname.slice("/v2/".length).split("/"));
  if (!parts) return undefined;
  if (parts.length === 1 && parts[0] === "_catalog") return { kind: "catalog" };
  if (parts.at(-3) === "blobs" && parts.at(-2) === "uploads" && parts.length > 3) {
    const [name, id] = [parts.slice(0, -3).join("/"), parts.at(-1)!];
    return id === "" ? { kind: "uploads", name } : { kind: "upload", name, id };
  }
  const [noun, last] = [parts.at(-2), parts.at(-1)!];
  const name = parts.slice(0, -2).join("/");
  if (noun === undefined || name === "" || last === "") return undefined;
  if (noun === "tags") return last === "list" ? { kind: "tags", name } : undefined;
  if (noun === "manifests") return { kind: "manifest", name, reference: last };
  if (noun === "referrers") return { kind: "referrers", name, digest: last };
  if (noun === "blobs")
    return last === "uploads" ? { kind: "uploads", name } : { kind: "blob", name, digest: last };
  return undefined;
}

function unescaped(parts: string[]): string[] | undefined {
  try {
    const whole = parts.map(decodeURIComponent);
    return whole.some((part) => part.includes("/") || part.includes("\0")) ? undefined : whole;
  } catch {
    return undefined; // "%zz": no text at all.
  }
}

/** @throws ProtocolError DIGEST_INVALID, of what is another algorithm's too: the store has sha256 alone */
export function digestIn(text: string): Digest {
  if (isDigest(text)) return text;
  throw new ProtocolError(
    "DIGEST_INVALID",
    `${quoted(text)} is no digest that is kept here: want sha256: and 64 hex digits`,
  );
}

/** @throws ProtocolError BLOB_UPLOAD_UNKNOWN */
export function uploadIdIn(text: string): string {
  if (uuid.test(text)) return text;
  throw new ProtocolError("BLOB_UPLOAD_UNKNOWN", `there is no upload ${shown(text)}`);
}

/** A manifest by its digest, or by a tag. */
export type ManifestName = { digest: Digest } | { tag: string };

/** @returns undefined for what is neither */
export function manifestNameIn(text: string): ManifestName | undefined {
  if (text.includes(":")) return { digest: digestIn(text) };
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(text) ? { tag: text } : undefined;
}

export interface Page {
  last: string;
  /** How many at most. */
  limit: number;
}

const pageMax = 1000;

/** Of `?n=` and `?last=`. More than there is in a page is never given. @throws ProtocolError */
export function pageIn(query: URLSearchParams): Page {
  const n = query.get("n");
  if (n !== null && !/^[0-9]{1,9}$/.test(n)) {
    throw new ProtocolError("UNSUPPORTED", `n is ${shown(n)}: want a number`, { status: 400 });
  }
  return { last: query.get("last") ?? "", limit: Math.min(n === null ? pageMax : Number(n), pageMax) };
}

/** A failure of the store, as the protocol has it. @throws what is no failure that anybody foresaw */
export function protocolErrorOf(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  if (!(error instanceof RtError)) throw error;
  const { message } = error;
  switch (error.code) {
    case "exhausted":
      return new ProtocolError("UNKNOWN", message, { status: 507, cause: error });
    case "not-found":
      return new ProtocolError("MANIFEST_UNKNOWN", message, { cause: error });
    case "conflict":
      return new ProtocolError("DENIED", message, { status: 409, cause: error });
    case "unauthorized":
      return new ProtocolError("DENIED", message, { cause: error });
    case "unavailable":
    case "cancelled":
      return new ProtocolError("UNKNOWN", message, { status: 503, cause: error });
    default:
      return new ProtocolError("UNKNOWN", message, { cause: error });
  }
}
