import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { callerPath } from "../base/working-directory.ts";
import { shown } from "../oci/json.ts";

/**
 * Whose certificates vouch for a registry:
 *
 *   SSL_CERT_FILE, SSL_CERT_DIR (a list with colons)     of the environment, in place of all below
 *   the host's bundle and directories, where there are   as Go's programs look for them
 *   Mozilla's, which the runtime carries                 on a host without any
 *
 * and for one registry, in addition: CERTS.D/HOST[:PORT]/*.crt, where docker's and podman's users put them. What a person
 * has named must be right, or the pull ends; in what the host has, a certificate that cannot be read is passed over.
 */
export interface TrustPlaces {
  /** The first that holds a certificate is the host's bundle. */
  bundles: readonly string[];
  directories: readonly string[];
  perRegistry: readonly string[];
}

const systemPlaces: TrustPlaces = {
  bundles: [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt", // Fedora
    "/etc/ssl/ca-bundle.pem", // openSUSE
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL
    "/etc/ssl/cert.pem", // Alpine, the BSDs
  ],
  directories: ["/etc/ssl/certs", "/etc/pki/tls/certs"],
  perRegistry: ["/etc/containers/certs.d", "/etc/docker/certs.d"],
};

const fileBytesMax = 16 * 1024 * 1024;

export class TrustStore {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #places: TrustPlaces;
  readonly #hosts = new Map<string, string | undefined>();
  #roots: Set<string> | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>, places: TrustPlaces = systemPlaces) {
    this.#env = env;
    this.#places = places;
  }

  /**
   * The certificates to trust for `url`, in PEM; undefined: the runtime's own.
   * @throws RtError that names the file: one that the environment or certs.d has, and that cannot be used
   */
  certificatesFor(url: URL): string | undefined {
    const { host } = url;
    if (!this.#hosts.has(host)) this.#hosts.set(host, this.#find(url));
    return this.#hosts.get(host);
  }

  #find(url: URL): string | undefined {
    this.#roots ??= this.#named() ?? this.#ofHost();
    const own = this.#ofRegistry(url);
    if (own.size === 0) return this.#roots.size === 0 ? undefined : joined(this.#roots);
    return joined([...(this.#roots.size > 0 ? this.#roots : builtInRoots()), ...own]);
  }

  /** What the environment says; undefined when it is silent. */
  #named(): Set<string> | undefined {
    const { SSL_CERT_FILE: file, SSL_CERT_DIR: list } = this.#env;
    if (!file && !list) return undefined;
    const found = new Set(file ? namedFile(file, "SSL_CERT_FILE") : []);
    for (const directory of list ? list.split(":") : []) readDirectory(directory, found);
    if (found.size > 0) return found;
    throw new RtError("invalid-argument", `SSL_CERT_DIR ${shown(list)} holds no certificate in PEM form`);
  }

  #ofHost(): Set<string> {
    const found = new Set<string>();
    for (const bundle of this.#places.bundles) {
      readLoosely(bundle, found);
      if (found.size > 0) break;
    }
    for (const directory of this.#places.directories) readDirectory(directory, found);
    return found;
  }

  #ofRegistry({ host, port, hostname }: URL): Set<string> {
    const found = new Set<string>();
    const names = port === "" ? [host, `${hostname}:443`] : [host];
    for (const place of this.#places.perRegistry) {
      for (const name of names) {
        for (const file of entriesOf(join(place, name))) {
          if (!file.endsWith(".crt")) continue;
          for (const pem of namedFile(join(place, name, file), "certificate file")) found.add(pem);
        }
      }
    }
    return found;
  }
}

/** Of this process's environment and host. */
export const trust = new TrustStore(process.env);

/** Asked for like this, for an import of node:tls makes the executable 0.6 MB larger. */
function builtInRoots(): readonly string[] {
  return process.getBuiltinModule("node:tls").rootCertificates;
}

function joined(certificates: Iterable<string>): string {
  return [...certificates].join("\n");
}

/** A file that somebody has named: it must be there, and all that it holds must be right. */
function namedFile(path: string, what: string): string[] {
  let text: string;
  try {
    text = readBounded(path);
  } catch (error) {
    throw withCause(`cannot read ${what} ${shown(path)}`, error);
  }
  const bad = (why: string) => new RtError("invalid-argument", `cannot use ${what} ${shown(path)}: ${why}`);
  const blocks = blocksOf(text);
  const begun = text.match(/^-----BEGIN (X509 )?CERTIFICATE-----/gm)?.length ?? 0;
  if (begun === 0) throw bad("it holds no certificate in PEM form");
  const wrong = begun === blocks.length ? blocks.findIndex((pem) => !isCertificate(pem)) : blocks.length;
  if (wrong >= 0) throw bad(`its certificate ${wrong + 1} is damaged`);
  return blocks;
}

/** What is in a file of the host, into `found`. */
function readLoosely(path: string, found: Set<string>): void {
  let text: string;
  try {
    text = readBounded(path);
  } catch {
    // Absent, private, not a file: there are other places, and fewer certificates let nobody in.
    return;
  }
  for (const pem of blocksOf(text)) if (!found.has(pem) && isCertificate(pem)) found.add(pem);
}

function readDirectory(directory: string, found: Set<string>): void {
  for (const name of entriesOf(directory)) {
    const path = join(directory, name);
    if (!isAlias(path)) readLoosely(path, found);
  }
}

/** OpenSSL finds certificates by links named after their hash, to a neighbour that we read anyway. */
function isAlias(path: string): boolean {
  try {
    return !readlinkSync(path).includes("/");
  } catch {
    return false; // not a link
  }
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(callerPath(directory, "its name")).sort();
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return [];
    throw withCause(`cannot read the certificates in ${shown(directory)}`, error);
  }
}

function readBounded(path: string): string {
  const stat = statSync(callerPath(path, "its name"));
  if (!stat.isFile()) throw new RtError("invalid-argument", "it is not a regular file");
  if (stat.size > fileBytesMax) throw new RtError("invalid-argument", "it is larger than 16 MiB");
  return readFileSync(path, "utf8");
}

function blocksOf(text: string): string[] {
  const blocks = text.match(/^-----BEGIN (X509 )?CERTIFICATE-----[^-]*-----END \1?CERTIFICATE-----/gm) ?? [];
  return blocks.map((block) => block.replace(/[ \t\r]+$/gm, ""));
}

/** The runtime stops at the first that it cannot parse, and would lose all that follow it. */
function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
