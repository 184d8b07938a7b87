import { readFileSync } from "node:fs";
import { RtError } from "./errors.ts";

/**
 * The environment that our caller gave us. It is not process.env: dist/rt starts the runtime with a short list of names, so
 * that no BUN_, NODE_ or LD_ variable steers it (zig-native/start/environment.zig). What a user means for a container (`-e BUN_X`) or for
 * a credential helper is all of it, exactly as it came.
 */
export interface CallerEnvironment {
  /** Undefined when it is not set. @throws RtError invalid-argument: not text (UTF-8), which no container can be given */
  get(name: string): string | undefined;
  /** All of it, for a program that is the user's own. Bytes that are not UTF-8 become U+FFFD. */
  all(): Record<string, string>;
}

/** What a command that has executed itself again says to its start (zig-native/start/user.zig); no caller gave it. */
const againVariable = "RT_HOLDER";

/** Of this process. Nothing is read before it is asked for. */
export const callerEnvironment: CallerEnvironment = lazily(() => {
  let bytes: Buffer;
  try {
    bytes = readFileSync("/proc/self/environ");
  } catch {
    // Without /proc there is nothing better than what the runtime was given.
    return environmentOf(process.env);
  }
  return parseEnvironment(bytes);
});

/** One that is at hand as a plain object. */
export function environmentOf(env: Readonly<Record<string, string | undefined>>): CallerEnvironment {
  const set = new Map(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return { get: (name) => set.get(name), all: () => Object.fromEntries(set) };
}

/** The NUL-terminated strings of execve(2). Of a name that comes twice the first counts, as for getenv(3). */
export function parseEnvironment(bytes: Buffer): CallerEnvironment {
  const variables = new Map<string, Buffer>();
  for (let start = 0; start < bytes.length; ) {
    const nul = bytes.indexOf(0, start);
    const end = nul < 0 ? bytes.length : nul;
    const equals = bytes.indexOf(0x3d, start);
    if (equals > start && equals < end) {
      const name = bytes.toString("utf8", start, equals);
      if (name !== againVariable && !variables.has(name))
        variables.set(name, bytes.subarray(equals + 1, end));
    }
    start = end + 1;
  }
  return {
    get: (name) => textOf(name, variables.get(name)),
    all: () => Object.fromEntries([...variables].map(([name, value]) => [name, value.toString("utf8")])),
  };
}

function textOf(name: string, value: Buffer | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = value.toString("utf8");
  if (Buffer.from(text, "utf8").equals(value)) return text;
  throw new RtError("invalid-argument", `the environment variable ${JSON.stringify(name)} is not UTF-8 text`);
}

function lazily(make: () => CallerEnvironment): CallerEnvironment {
  let made: CallerEnvironment | undefined;
  const environment = () => {
    made ??= make();
    return made;
  };
  return { get: (name) => environment().get(name), all: () => environment().all() };
}
