import { posix } from "node:path";
import { RtError } from "../base/errors.ts";
import { invalid, quote, rejectNul } from "../base/invalid.ts";
import type { ContainerDefaults } from "../oci/image-config.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** How an image's wishes and the user's combine into what the container does. The image's are a stranger's. */

/** @throws RtError invalid-argument when neither names a program. */
export function combineCommand(
  image: ContainerDefaults,
  entrypoint: readonly string[] | undefined,
  command: readonly string[],
): { args: string[]; entrypointLength: number } {
  const words = entrypoint ?? image.Entrypoint ?? [];
  // `ENTRYPOINT [""]` is how an image takes away the one that it was built on.
  const front = words.length === 1 && words[0] === "" ? [] : words;
  // Another entrypoint takes the image's arguments away: they were meant for the old one.
  const back = command.length > 0 || entrypoint !== undefined ? command : (image.Cmd ?? []);
  const args = [...front, ...back];
  if (args.length === 0 || args[0] === "") {
    throw new RtError(
      "invalid-argument",
      "no command specified: neither the image nor the command line names a program",
    );
  }
  const bad = args.find((word) => word.includes("\0"));
  if (bad !== undefined)
    throw new RtError("invalid-argument", `the image's command has a NUL in ${JSON.stringify(bad)}`);
  return { args, entrypointLength: front.length };
}

/**
 * The container's environment: defaults, the image's, the user's, the last of a name winning in the first one's place. An
 * image's entry without "=" is dropped (it must not be filled from the caller's); a user's removes the name.
 */
export function combineEnv(
  image: ContainerDefaults,
  user: readonly string[],
  hostname: string,
  tty: boolean,
): string[] {
  const env = new Map<string, string>([["PATH", defaultPath]]);
  env.set("HOSTNAME", hostname);
  if (tty) env.set("TERM", "xterm");
  for (const entry of image.Env ?? []) {
    const [key, value] = split(entry);
    if (key !== "" && entry.includes("=") && !entry.includes("\0")) env.set(key, value);
  }
  return mergeEnv(
    [...env].map(([key, value]) => `${key}=${value}`),
    user,
  );
}

/** `user` over `base`; a bare name in `user` removes it. */
export function mergeEnv(base: readonly string[], user: readonly string[]): string[] {
  const env = new Map(base.map((entry) => split(entry)));
  for (const entry of user) {
    const [key, value] = split(entry);
    if (entry.includes("=")) env.set(key, value);
    else env.delete(key);
  }
  return [...env].map(([key, value]) => `${key}=${value}`);
}

function split(entry: string): [string, string] {
  const equals = entry.indexOf("=");
  return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** Absolute and clean; what the image says, where nothing is asked for, is taken as beneath "/". */
export function workingDirectory(asked: string, image: string | undefined): string {
  const path = asked || image || "/";
  if (path.includes("\0")) throw new RtError("invalid-argument", "the working directory contains a NUL");
  return posix.normalize(`/${path}`).replace(/(?<=.)\/$/, "");
}

/**
 * "KEY=VALUE", or a bare "KEY". A NUL would end the variable early, and a newline in a name forges a second one wherever an
 * environment is listed by lines. A value may hold newlines, as certificates do: it goes to execve(2) and into no file.
 *
 * @returns the text
 * @throws RtError invalid-argument
 */
export function checkVariable(text: string, what: string): string {
  rejectNul(what, text);
  const [key] = split(text);
  if (key.includes("\n")) throw invalid(`invalid ${what} ${quote(text)}: its name has a newline`);
  if (key === "") throw invalid(`invalid ${what} ${quote(text)}: empty name`);
  return text;
}
