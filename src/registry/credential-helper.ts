import { environmentOf } from "../base/environment.ts";
import { RtError } from "../base/errors.ts";
import { fieldsIn, objectIn, optionalIn, parseJson, quoted, shown, stringIn } from "../oci/json.ts";
import type { Credential, CredentialOptions } from "./credential.ts";

const answerBytesMax = 1024 * 1024;
const notFound = "credentials not found in native keychain";
/** The user name under which a helper keeps an identity token. */
const identityName = "<token>";

export type HelperOptions = Pick<CredentialOptions, "env" | "caller" | "helperMs">;

/**
 * `docker-credential-NAME get`: the server on stdin, {ServerURL, Username, Secret} on stdout. Undefined when the helper
 * knows none, or does not work: then `warn` is told, since many images need no login at all.
 *
 * @throws invalid-argument: the name is not one of a program
 */
export async function askHelper(
  name: string,
  server: string,
  options: CredentialOptions,
): Promise<Credential | undefined> {
  checkName(name);
  try {
    return await getFromHelper(name, server, options);
  } catch (error) {
    options.warn(
      `${error instanceof Error ? error.message : String(error)}; going on without credentials for ${server}`,
    );
    return undefined;
  }
}

/** The same, of one that must work. */
export async function getFromHelper(
  name: string,
  server: string,
  options: HelperOptions,
): Promise<Credential | undefined> {
  const output = await run(name, "get", server, options);
  if (output === undefined) return undefined;
  const what = `the answer of docker-credential-${name}`;
  const field = fieldsIn(parseJson(output, what, answerBytesMax), what);
  const username = stringIn(field("Username") ?? "", `Username in ${what}`);
  const secret = stringIn(field("Secret") ?? "", `Secret in ${what}`);
  if (secret === "") return undefined;
  return username === identityName
    ? { kind: "identity", token: secret }
    : { kind: "basic", username, password: secret };
}

/** What is there for the server is replaced. @throws RtError in one line, without the secret */
export async function storeInHelper(
  name: string,
  server: string,
  credential: Exclude<Credential, { kind: "bearer" }>,
  options: HelperOptions,
): Promise<void> {
  const isIdentity = credential.kind === "identity";
  const Username = isIdentity ? identityName : credential.username;
  const Secret = isIdentity ? credential.token : credential.password;
  await run(name, "store", JSON.stringify({ ServerURL: server, Username, Secret }), options, Secret);
}

export async function eraseFromHelper(name: string, server: string, options: HelperOptions): Promise<void> {
  await run(name, "erase", server, options);
}

/** The servers that it has something for. */
export async function listOfHelper(name: string, options: HelperOptions): Promise<string[]> {
  const output = (await run(name, "list", "", options)) ?? Buffer.from("{}");
  const what = `the list of docker-credential-${name}`;
  return Object.keys(optionalIn(parseJson(output, what, answerBytesMax), what, objectIn) ?? {});
}

/**
 * One question of the helper protocol (docker-credential-helpers): what it is about goes in by stdin, never by a word of the
 * command line.
 * @returns what it writes; undefined where it says that it has no such credentials
 */
async function run(
  name: string,
  verb: "get" | "store" | "erase" | "list",
  input: string,
  options: HelperOptions,
  secret?: string,
): Promise<Uint8Array | undefined> {
  checkName(name);
  const program = `docker-credential-${name}`;
  // A program of the user's own: it is told all that the user told us, as a shell would, LD_ variables included.
  const env = (options.caller ?? environmentOf(options.env ?? process.env)).all();
  const path = Bun.which(program, { PATH: absoluteOnly(env.PATH ?? "") });
  if (path === null) throw new RtError("not-found", `${program} is not in PATH`);
  const child = Bun.spawn([path, verb], {
    env,
    stdin: new Blob([input]),
    stdout: "pipe",
    // Not "ignore": that is /dev/null, which a bare root directory does not have.
    stderr: "pipe",
  });
  void drop(child.stderr);
  const output = await outputOf(child, program, options.helperMs);
  const status = await child.exited;
  if (status === 0) return output;
  const text = new TextDecoder().decode(output).trim();
  if (text.includes(notFound)) return undefined;
  throw new RtError("unavailable", `${program} failed: ${harmless(text, secret) || `status ${status}`}`);
}

/** Its words, unless there is in them what it was given to keep, or was about to give. */
function harmless(text: string, secret: string | undefined): string {
  const isTelling = /secret"?\s*[:=]/i.test(text) || (secret && text.includes(secret));
  return isTelling ? "what it says has a secret in it, and is not shown" : shown(text);
}

function checkName(name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return;
  throw new RtError("invalid-argument", `credential helper ${quoted(name)} is not a valid name`);
}

/** A PATH without what depends on where we stand: the directory of somebody else's project may not bring a program. */
function absoluteOnly(path: string): string {
  return path
    .split(":")
    .filter((directory) => directory.startsWith("/"))
    .join(":");
}

/** Read to its end, whenever that is, so that nobody waits for us to take what is of no interest. */
async function drop(stream: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stream.getReader();
  while (!(await reader.read()).done);
}

/** All of stdout, bounded. The clock ends the reading too: a killed helper's own child may hold the pipe open. */
async function outputOf(
  child: Bun.Subprocess<Blob, "pipe", "pipe">,
  program: string,
  helperMs: number,
): Promise<Uint8Array> {
  const reader = child.stdout.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
    void reader.cancel();
  }, helperMs);
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      length += part.value.length;
      if (length > answerBytesMax)
        throw new RtError("exhausted", `${program} writes more than ${answerBytesMax} bytes`);
    }
    if (late) throw new RtError("unavailable", `${program} does not answer within ${helperMs / 1000} s`);
    return Buffer.concat(parts, length);
  } finally {
    clearTimeout(timer);
    if (length > answerBytesMax) child.kill("SIGKILL");
  }
}
