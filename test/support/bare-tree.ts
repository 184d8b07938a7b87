/**
 * A root directory that holds nothing but rt: what a host without libc, loader and certificates looks like to it.
 *
 *   await using tree = await bareTree();
 *   tree.put("etc/resolv.conf", "nameserver 127.0.0.53\n");
 *   const { stdout, code } = await tree.rt(["run", "--rm", "embed:hello"]);
 *
 * Each command is started in a mount namespace of its own, where rt's file and a fresh /proc are mounted in the tree. It is
 * writable below /w only by convention: `before` is a script that may mount otherwise, with the tree as its directory.
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { mountPoints } from "./leaks.ts";
import { tool } from "./root.ts";
import { type RtResult, rtBinary } from "./rt.ts";
import { scratchDirectory } from "./scratch.ts";
import { until } from "./wait.ts";

export const bareTreeNeeds = { root: true, tools: ["unshare", "chroot", "mount"] } as const;

export interface BareOptions {
  env?: Readonly<Record<string, string>>;
  /** Shell commands before the root is changed. */
  before?: string;
  /** A program of the host, with arguments, that executes what follows them: setpriv(1). */
  through?: readonly string[];
  /** Instead of rt: a program of the tree. */
  program?: readonly string[];
  /** Is /proc mounted? It is unless this says otherwise. */
  proc?: boolean;
  /** Of unshare(1), besides --mount. */
  namespaces?: readonly string[];
}

export interface BareTree extends AsyncDisposable {
  readonly dir: string;
  put(name: string, content: string | Uint8Array, mode?: number): void;
  start(args: readonly string[], options?: BareOptions): Bun.Subprocess<"ignore", "pipe", "pipe">;
  rt(args: readonly string[], options?: BareOptions): Promise<RtResult>;
  /** `rt`, which must end with 0: its standard output. */
  ok(args: readonly string[], options?: BareOptions): Promise<string>;
}

export async function bareTree(): Promise<BareTree> {
  const dir = mkdtempSync(join(scratchDirectory(), "rt-bare-"));
  for (const name of ["proc", "w"]) mkdirSync(join(dir, name));
  writeFileSync(join(dir, "rt"), "");
  const start: BareTree["start"] = (args, options = {}) => {
    const command = options.program ?? ["/rt"];
    const script = [
      'cd "$1"; shift',
      'mount --bind "$1" rt; shift',
      ...(options.proc === false ? [] : ["mount -t proc proc proc"]),
      ...(options.before ? [options.before] : []),
      // No env(1), and no shell behind it: rt is started with just the variables that are given.
      'exec "$0" "$@"',
    ].join("\n");
    const unshare = ["unshare", "--mount", ...(options.namespaces ?? []), "sh", "-ec", script];
    const env = { RT_ROOT: "/w/root", RT_STATE: "/w/state", ...options.env };
    const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const change = [...(options.through ?? []), tool("env")!, "-i", ...given, tool("chroot")!, "."];
    return Bun.spawn([...unshare, change[0]!, dir, rtBinary, ...change.slice(1), ...command, ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  };
  const rt: BareTree["rt"] = async (args, options) => {
    const child = start(args, options);
    const [stdoutBytes, stderr, code] = await Promise.all([
      child.stdout.bytes(),
      child.stderr.text(),
      child.exited,
    ]);
    return { stdout: new TextDecoder().decode(stdoutBytes), stdoutBytes, stderr, code };
  };
  return {
    dir,
    put(name, content, mode = 0o644) {
      mkdirSync(dirname(join(dir, name)), { recursive: true });
      writeFileSync(join(dir, name), content);
      chmodSync(join(dir, name), mode);
    },
    start,
    rt,
    async ok(args, options) {
      const result = await rt(args, options);
      if (result.code !== 0)
        throw new Error(`rt ${args.join(" ")} ended with ${result.code}:\n${result.stderr}`);
      return result.stdout;
    },
    async [Symbol.asyncDispose]() {
      const ids = containersOf(dir);
      if (ids.length > 0) await rt(["rm", "-f", ...ids]);
      await until("the tree's containers are gone", () => containersOf(dir).length === 0);
      const mounted = mountPoints().filter((path) => path.startsWith(`${dir}/`));
      if (mounted.length > 0) throw new Error(`still mounted: ${mounted.join(", ")}`);
      rmSync(dir, { recursive: true });
    },
  };
}

function containersOf(dir: string): string[] {
  try {
    return readdirSync(join(dir, "w/state/containers"));
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return [];
    throw error;
  }
}
