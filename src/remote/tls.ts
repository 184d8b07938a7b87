import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno, withCause } from "../base/errors.ts";

/** How a connection by tcp is secured. Texts in PEM. */
export interface ClientTls {
  /** Who may have signed the server's certificate; the system's authorities when undefined. */
  ca?: string;
  cert?: string;
  key?: string;
  /** False: whoever answers is believed to be the engine. */
  isVerified: boolean;
}

/** Of flags and variables, as Docker's client has them. */
export interface TlsWishes {
  tls: boolean;
  tlsVerify: boolean;
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  /** A directory with ca.pem, cert.pem and key.pem, for what is not named. */
  directory: string;
}

/** @returns undefined: none is wanted @throws RtError: a file that is named cannot be read */
export function clientTls({ tls, tlsVerify, directory, ...named }: TlsWishes): ClientTls | undefined {
  if (!tls && !tlsVerify && named.ca === undefined && named.cert === undefined && named.key === undefined)
    return undefined;
  return tlsOf({
    isVerified: tlsVerify,
    ca:
      tlsVerify || named.ca !== undefined
        ? readPem(named.ca ?? join(directory, "ca.pem"), named.ca !== undefined)
        : undefined,
    cert: readPem(named.cert ?? join(directory, "cert.pem"), named.cert !== undefined),
    key: readPem(named.key ?? join(directory, "key.pem"), named.key !== undefined),
  });
}

/** @param directory of a context, with what it has of the three files */
export function contextTls(directory: string, isVerified: boolean): ClientTls | undefined {
  const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map((name) =>
    readPem(join(directory, name), false),
  );
  if (ca === undefined && cert === undefined && key === undefined && isVerified) return undefined;
  return tlsOf({ isVerified, ca, cert, key });
}

function tlsOf({
  isVerified,
  ca,
  cert,
  key,
}: Record<"ca" | "cert" | "key", string | undefined> & { isVerified: boolean }): ClientTls {
  return { isVerified, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function readPem(path: string, isWanted: boolean): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (!isWanted && isErrno(error, "ENOENT")) return undefined;
    throw withCause(`cannot read ${path}`, error);
  }
}
