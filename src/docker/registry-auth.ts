import { invalid } from "../base/invalid.ts";
import { object, text } from "../base/shape.ts";
import { given, read } from "./zero.ts";

/** Who a client is to a registry, by its own account. Nobody where all are "". */
export interface RegistryCredentials {
  username: string;
  password: string;
  /** In the place of both: of OAuth2, to get others with. */
  identityToken: string;
  /** To be sent as it is. */
  registryToken: string;
}

const word = given(text, "");
const document = object({
  username: word,
  password: word,
  auth: word,
  serveraddress: word,
  identitytoken: word,
  registrytoken: word,
});

/**
 * `X-Registry-Auth`: base64url of JSON. What is none is passed over, as Docker has it.
 * @returns undefined where nothing is said
 */
export function parseRegistryAuth(header: string | undefined): RegistryCredentials | undefined {
  if (header === undefined || header === "") return undefined;
  try {
    return parseAuth(JSON.parse(Buffer.from(header, "base64url").toString("utf8"))).credentials;
  } catch {
    return undefined;
  }
}

export function registryAuthHeader(credentials: RegistryCredentials): string {
  const { username, password, identityToken, registryToken } = credentials;
  const said = { username, password, identitytoken: identityToken, registrytoken: registryToken };
  return Buffer.from(JSON.stringify(said)).toString("base64url");
}

/** The body of POST /auth; `server` is "" for Docker Hub. @throws RtError invalid-argument */
export function parseAuth(value: unknown): { server: string; credentials: RegistryCredentials } {
  const asked = read(document, value ?? {}, "credentials");
  const { identitytoken: identityToken, registrytoken: registryToken, serveraddress: server } = asked;
  const [username, password] =
    asked.auth && asked.username === "" ? pairOf(asked.auth) : [asked.username, asked.password];
  return { server, credentials: { username, password, identityToken, registryToken } };
}

/** "user:password", in base64. */
function pairOf(auth: string): [username: string, password: string] {
  const decoded = Buffer.from(auth, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 0) throw invalid("invalid credentials: auth is not base64 of user:password");
  return [decoded.slice(0, colon), decoded.slice(colon + 1)];
}
