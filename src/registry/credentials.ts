import { join } from "node:path";
import { RtError, withCause } from "../base/errors.ts";
import { rootlessCaller } from "../base/rootless.ts";
import { fieldsIn, type JsonObject, objectIn, optionalIn, stringIn } from "../oci/json.ts";
import { credentialsFileIfThere, parseCredentialsFile, readCredentialsFile } from "./auth-file.ts";
import type { Credential, CredentialOptions } from "./credential.ts";
import { bareKey, hubHosts, hubKey } from "./server-name.ts";

/**
 * The credential for `repository` ("docker.io/library/alpine") at its host: from the one file that --authfile or
 * $REGISTRY_AUTH_FILE names, else from Docker's and podman's in turn (containers-auth.json(5)):
 * $DOCKER_CONFIG/config.json or ~/.docker/config.json, $XDG_RUNTIME_DIR/containers/auth.json or
 * /run/containers/$UID/auth.json, ~/.config/containers/auth.json, ~/.dockercfg. In each credHelpers beat credsStore beat
 * auths; the first that knows one wins.
 *
 * @throws data-loss | invalid-argument: a file that cannot be understood (its contents are never quoted)
 */
export async function findCredential(
  repository: string,
  options: CredentialOptions,
): Promise<Credential | undefined> {
  for (const file of filesFor(options)) {
    const json = await readAuthFile(file);
    const found = json && (await credentialIn(json, file.path, repository, options));
    if (found) return found;
  }
  return undefined;
}

interface AuthFile {
  path: string;
  /** Who has named it, and so wants it to be there: "--authfile", a variable. */
  namedBy?: string;
  /** Docker's first form: all of it is what later ones have under "auths". */
  isBare?: boolean;
}

function filesFor({ authFile, env = process.env, runDirectory = "/run" }: CredentialOptions): AuthFile[] {
  if (authFile !== undefined) return [{ path: authFile, namedBy: "--authfile" }];
  const named = env.REGISTRY_AUTH_FILE;
  if (named) return [{ path: named, namedBy: "REGISTRY_AUTH_FILE" }];
  const home = env.HOME;
  const docker = env.DOCKER_CONFIG || (home && join(home, ".docker"));
  const runtime = env.XDG_RUNTIME_DIR
    ? join(env.XDG_RUNTIME_DIR, "containers")
    : join(runDirectory, "containers", String(rootlessCaller(env)?.uid ?? process.getuid?.()));
  const config = env.XDG_CONFIG_HOME || (home && join(home, ".config"));
  return [
    ...(docker ? [{ path: join(docker, "config.json") }] : []),
    { path: join(runtime, "auth.json") },
    ...(config ? [{ path: join(config, "containers", "auth.json") }] : []),
    ...(home ? [{ path: join(home, ".dockercfg"), isBare: true }] : []),
  ];
}

async function readAuthFile({ path, namedBy, isBare }: AuthFile): Promise<JsonObject | undefined> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await (namedBy ? readCredentialsFile(path) : credentialsFileIfThere(path));
  } catch (error) {
    throw withCause(`cannot read credentials file ${path}${namedBy ? ` of ${namedBy}` : ""}`, error);
  }
  if (bytes === undefined || bytes.length === 0) return undefined;
  const json = parseCredentialsFile(bytes, `credentials file ${path}`);
  return isBare ? { auths: json } : json;
}

async function credentialIn(
  json: JsonObject,
  file: string,
  repository: string,
  options: CredentialOptions,
): Promise<Credential | undefined> {
  const what = `credentials file ${file}`;
  const keys = keysFor(repository);
  const host = repository.split("/", 1)[0]!;
  const helper = helperIn(json, repository, what);
  if (helper) {
    const found = await answerOf(helper, hubHosts.has(host) ? hubKey : host, options);
    if (found) return found;
  }
  const auths = optionalIn(fieldsIn(json, what)("auths"), `${what}: auths`, objectIn) ?? {};
  for (const key of keys) {
    const entries = Object.entries(auths).filter(([name]) => bareKey(name) === bareKey(key));
    // What a login writes today, before what one of yesterday has left.
    for (const [, entry] of entries.sort(([name]) => (name === key ? -1 : 0))) {
      const found = entryIn(entry ?? {}, what);
      if (found) return found;
    }
  }
  return undefined;
}

async function answerOf(
  helper: string,
  server: string,
  options: CredentialOptions,
): Promise<Credential | undefined> {
  const { askHelper } = await import("./credential-helper.ts");
  const { helperAnswers: answers = new Map() } = options;
  const key = `${helper} ${server}`;
  if (!answers.has(key)) answers.set(key, askHelper(helper, server, options));
  return answers.get(key);
}

/** The helper that has a repository's credentials, or a host's; undefined where the file itself has them. */
export function helperIn(json: JsonObject, repository: string, what: string): string | undefined {
  const field = fieldsIn(json, what);
  const helpers = optionalIn(field("credHelpers"), `${what}: credHelpers`, objectIn) ?? {};
  const own = [...keysFor(repository), repository.split("/", 1)[0]!]
    .map((key) => (Object.hasOwn(helpers, key) ? helpers[key] : undefined))
    .find(Boolean);
  return optionalIn(own ?? field("credsStore"), `${what}: credential helper`, stringIn) || undefined;
}

/** Most specific first, as podman reads them: host/a/b, host/a, host; and Hub's old name for itself. */
function keysFor(repository: string): string[] {
  const parts = repository.split("/");
  const keys = parts.map((_, i) => parts.slice(0, parts.length - i).join("/"));
  return hubHosts.has(parts[0]!) ? [...keys.slice(0, -1), hubKey, ...hubHosts] : keys;
}

function entryIn(entry: unknown, what: string): Credential | undefined {
  const field = fieldsIn(entry, `${what}: auths`);
  const text = (key: string) => optionalIn(field(key), `${what}: ${key}`, stringIn) || undefined;
  const identity = text("identitytoken");
  if (identity) return { kind: "identity", token: identity };
  const registry = text("registrytoken");
  if (registry) return { kind: "bearer", token: registry };
  const auth = text("auth");
  if (auth === undefined) {
    const username = text("username");
    const password = text("password");
    return username && password ? { kind: "basic", username, password } : undefined;
  }
  // Docker pads the decoded text with NULs at times.
  const decoded = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = decoded.indexOf(":");
  if (colon < 1) throw new RtError("data-loss", `${what}: an auth entry is not base64 of user:password`);
  return { kind: "basic", username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
