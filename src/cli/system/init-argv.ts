import { readFileSync } from "node:fs";
import { kernelWord } from "../../base/kernel-words.ts";

/** The variable that rt-init sets for the session: "machine" or "namespace" (zig-native/boot/session.zig). */
export const sessionVariable = "RT_INIT";

/** @returns what the session that process 1 of ours has started is one of; undefined: we are no such session */
export function sessionKind(env: NodeJS.ProcessEnv): "machine" | "namespace" | undefined {
  const kind = env[sessionVariable];
  // Anybody may set the variable, but not be that process's child.
  if (kind === undefined || process.ppid !== 1) return undefined;
  return kind === "machine" ? kind : "namespace";
}

/**
 * @param argv begins with "init"
 * @returns the command line that is meant, if we are the session that a process 1 of ours has started
 */
export function sessionArgv(argv: readonly string[]): readonly string[] | undefined {
  const kind = sessionKind(process.env);
  if (kind === undefined) return undefined;
  return initArgv(argv.slice(1), kind === "machine" ? readFileSync("/proc/cmdline", "utf8") : "");
}

/** Flags of `rt init` that mean something on a kernel's command line, after "--". */
const known = new Set(["--config", "--root", "--state", "--storage-driver"]);

/**
 * A kernel hands on what it does not know itself ("quiet", "splash"), so all but our flags
 * is left out. `rt.config=FILE` does as `--config FILE`.
 */
export function initArgv(words: readonly string[], kernelCommandLine: string): readonly string[] {
  const argv = ["init"];
  const config = kernelWord(kernelCommandLine, "rt.config");
  if (config !== undefined) argv.push("--config", config);
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    const next = words[index + 1];
    if (known.has(word) && next !== undefined) {
      argv.push(word, next);
      index++;
    } else if (known.has(word.split("=", 1)[0]!) && word.includes("=")) argv.push(word);
  }
  return argv;
}
