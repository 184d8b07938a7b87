/**
 * What a program does with files, as strace(1) sees it.
 *
 *   const trace = await traceFiles([rtBinary, "ps"], { env, cwd });
 *   trace.paths       every path that the program itself named in a system call: opened, looked at, executed
 *   trace.executed    every file that it or a child of it executed
 *   trace.listening   it took connections
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join, normalize } from "node:path";
import { searchPath } from "./root.ts";
import { scratchDirectory } from "./scratch.ts";

export interface FileTrace {
  stdout: string;
  stderr: string;
  code: number;
  paths: string[];
  executed: string[];
  listening: boolean;
}

export interface TraceOptions {
  /** Of the program alone: strace does not get it. */
  env: Readonly<Record<string, string>>;
  cwd: string;
}

export async function traceFiles(command: readonly string[], options: TraceOptions): Promise<FileTrace> {
  const dir = await mkdtemp(join(scratchDirectory(), "rt-strace-"));
  try {
    const output = join(dir, "trace");
    const calls = "trace=%file,%process,listen,readlink,getdents64";
    const strace = [
      "strace",
      "-f",
      "-qq",
      "--decode-fds=path",
      "-s",
      "4096",
      "-e",
      "signal=none",
      "-e",
      calls,
    ];
    // env(1) would be traced as well; strace itself can set and unset.
    const inherited = ["PATH"].flatMap((name) => ["-E", name]);
    const given = Object.entries(options.env).flatMap(([name, value]) => ["-E", `${name}=${value}`]);
    const child = Bun.spawn([...strace, "-o", output, ...inherited, ...given, ...command], {
      env: { PATH: searchPath },
      cwd: options.cwd,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    return { stdout, stderr, code, ...readTrace(await readFile(output, "utf8")) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Of `strace -f --decode-fds=path`: "1234  openat(AT_FDCWD</work>, "file", O_RDONLY) = 3</work/file>". */
export function readTrace(text: string): Pick<FileTrace, "paths" | "executed" | "listening"> {
  const lines = text.split("\n").filter(Boolean);
  // Threads are the program; whoever was cloned otherwise is a child, with a world of its own.
  const own = new Set([lines[0]?.match(/^\d+/)?.[0] ?? ""]);
  const cloning = new Map<string, boolean>();
  const paths = new Set<string>();
  const executed = new Set<string>();
  let listening = false;
  for (const line of lines) {
    const [, thread = "", call = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (/^(clone3?|vfork|fork)\(/.test(call)) cloning.set(thread, call.includes("CLONE_THREAD"));
    const made = /^(?:clone3?\(|<\.\.\. clone3? resumed>).*\) = (\d+)$/.exec(call)?.[1];
    if (made !== undefined && cloning.get(thread) && own.has(thread)) own.add(made);
    if (/^execve(at)?\(/.test(call) && !/ = -1 \w+/.test(call)) executed.add(pathsOf(call)[0] ?? call);
    if (!own.has(thread)) continue;
    listening ||= call.startsWith("listen(");
    for (const path of pathsOf(call)) paths.add(path);
  }
  return { paths: [...paths].sort(), executed: [...executed].sort(), listening };
}

/** Absolute where the call's directory tells so. An empty path is a descriptor's own file, and names nothing. */
function pathsOf(call: string): string[] {
  const [, name = "", rest = ""] = /^(\w+)\((.*)$/.exec(call) ?? [];
  if (name === "" || name === "getcwd" || name === "clone3") return [];
  const found: string[] = [];
  for (const [, directory, path] of rest.matchAll(/(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/g)) {
    if (!path) continue;
    found.push(normalize(path.startsWith("/") || directory === undefined ? path : `${directory}/${path}`));
    if (/^(execve|readlink|symlink|open|stat|lstat|access|mkdir|statfs|chmod|unlink)(at|at2)?$/.test(name))
      break;
  }
  return found;
}
