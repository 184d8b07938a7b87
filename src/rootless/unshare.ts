import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../base/errors.ts";
import { type Caller, callerVariable } from "../base/rootless.ts";
import { cstring, describeErrno, errnoName, native } from "../native/ffi.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Become `command`, or a shell, in a mount namespace of its own; with all that this process was given, and the word that rt in
 * there is an ordinary user's.
 *
 * @param env where the program is looked for (PATH), and which is the shell (SHELL)
 * @throws RtError: there is no such program (127), or it cannot be executed (126); it does not return
 */
export function becomeApart(command: readonly string[], caller: Caller, env: Environment): void {
  const words = command.length > 0 ? command : [env.SHELL || "/bin/sh"];
  const path = programPath(words[0]!, env.PATH ?? "");
  const variables = ownVariables(caller);
  const count = variables.filter((byte) => byte === 0).length;
  const block = Buffer.concat(words.map(cstring));
  const result = native().rt_execute_apart(cstring(path), block, words.length, variables, count);
  throw new RtError("forbidden", `cannot execute ${path}: ${describeErrno(errnoName(-result))}`, {
    exitCode: 126,
  });
}

function programPath(name: string, path: string): string {
  if (name.includes("/")) {
    if (statSync(name, { throwIfNoEntry: false })) return name;
  } else {
    const found = path
      .split(":")
      .filter((directory) => directory.startsWith("/"))
      .map((directory) => join(directory, name))
      .find(isExecutable);
    if (found !== undefined) return found;
  }
  throw new RtError("not-found", `${name} is not there, or not in PATH`, { exitCode: 127 });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Byte for byte what the caller gave, but for what rt has said to itself. */
function ownVariables(caller: Caller): Buffer {
  const given = readFileSync("/proc/self/environ").toString("latin1").split("\0").slice(0, -1);
  const kept = given.filter((entry) => !/^RT_(ROOTLESS|HOLDER)=/.test(entry));
  return Buffer.from([callerVariable(caller), ...kept].map((entry) => `${entry}\0`).join(""), "latin1");
}
