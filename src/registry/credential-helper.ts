import { environmentOf } from "../base/environment.ts";
import { RtError } from "../base/errors.ts";
import { fieldsIn, parseJson, quoted, shown, stringIn } from "../oci/json.ts";
import type { Credential, CredentialOptions } from "./credential.ts";

const answerBytesMax = 1024 * 1024;
const notFound = "credentials not found in native keychain";

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
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) {
    throw new RtError("invalid-argument", `credential helper ${quoted(name)} is not a valid name`);
  }
  const program = `docker-credential-${name}`;
  try {
    return await ask(program, server, options);
  } catch (error) {
    options.warn(
      `${error instanceof Error ? error.message : String(error)}; going on without credentials for ${server}`,
    );
    return undefined;
  }
}

async function ask(
  program: string,
  server: string,
  options: CredentialOptions,
): Promise<Credential | undefined> {
  // A program of the user's own: it is told all that the user told us, as a shell would, LD_ variables included.
  const env = (options.caller ?? environmentOf(options.env ?? process.env)).all();
  const path = Bun.which(program, { PATH: absoluteOnly(env.PATH ?? "") });
  if (path === null) throw new RtError("not-found", `${program} is not in PATH`);
  const child = Bun.spawn([path, "get"], {
    env,
    stdin: new Blob([server]),
    stdout: "pipe",
    // Not "ignore": that is /dev/null, which a bare root directory does not have.
    stderr: "pipe",
  });
  void drop(child.stderr);
  const output = await outputOf(child, program, options.helperMs);
  const status = await child.exited;
  if (status !== 0) {
    const text = new TextDecoder().decode(output).trim();
    if (text.includes(notFound)) return undefined;
    throw new RtError("unavailable", `${program} failed: ${shown(text) || `status ${status}`}`);
  }
  const field = fieldsIn(
    parseJson(output, `the answer of ${program}`, answerBytesMax),
    `the answer of ${program}`,
  );
  const username = stringIn(field("Username") ?? "", `Username of ${program}`);
  const secret = stringIn(field("Secret") ?? "", `Secret of ${program}`);
  if (secret === "") return undefined;
  return username === "<token>"
    ? { kind: "identity", token: secret }
    : { kind: "basic", username, password: secret };
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
