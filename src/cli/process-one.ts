import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** What tells whether process 1 was started by a kernel, or as a command in a container. */
export interface ProcessOne {
  /** The name that it was called by. */
  name: string;
  words: readonly string[];
  /** The initial pid namespace: a machine has booted us. */
  isMachine: boolean;
  /** /proc/cmdline; only a machine's is ours. */
  kernelCommandLine: string;
}

/** The command line of this process 1, if it was started to be an init; undefined where it is an ordinary command. */
export function initArgvOfThis(): readonly string[] | undefined {
  // Its inode is part of the kernel's ABI (linux/nsfs.h).
  const isMachine = readlinkSync("/proc/self/ns/pid") === "pid:[4026531836]";
  return initArgv({
    name: process.argv0,
    words: process.argv.slice(2),
    isMachine,
    kernelCommandLine: isMachine ? readFileSync("/proc/cmdline", "utf8") : "",
  });
}

/** Flags of `rt init` that mean something on a kernel's command line, after "--". */
const known = new Set(["--config", "--root", "--state", "--storage-driver"]);

/**
 * The command line that is meant. Whatever a kernel starts is `init`, and so is what is called so; a kernel hands on what it
 * does not know itself ("quiet", "splash"), and all but our flags is left out. `rt.config=FILE` does as `--config FILE`.
 * Undefined: as process 1 of a container, rt is the command that it was called with.
 */
export function initArgv(process: ProcessOne): readonly string[] | undefined {
  const { name, words, isMachine, kernelCommandLine } = process;
  const isInit = isMachine || ["init", "linuxrc"].includes(basename(name));
  if (!isInit) return undefined;
  const argv = ["init"];
  const config = / (?:.* )?rt\.config=(\S+)/s.exec(` ${kernelCommandLine}`)?.[1];
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
