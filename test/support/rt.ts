/** Runs the built executable (dist/rt, or RT_BINARY), to its end or beside the test. Worlds for it: host.ts. */
import { resolve } from "node:path";
import { patience, Transcript } from "./wait.ts";

export const rtBinary = process.env.RT_BINARY || resolve(import.meta.dir, "../../dist/rt");

export interface RtOptions {
  stdin?: string | Uint8Array;
  /** Added to the host's environment. */
  env?: Record<string, string>;
  cwd?: string;
  /** Longer than a busy machine needs for anything that is not one of very many. */
  timeoutMs?: number;
  /** Another executable than `rtBinary`. */
  binary?: string;
  /** Words before the executable, for what has it executed as somebody else. */
  front?: readonly string[];
}

export interface RtResult {
  stdout: string;
  stderr: string;
  code: number;
  stdoutBytes: Uint8Array;
}

/** A long-running `rt`. Dispose of it, or wait for its end. */
export interface RtProcess extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: Transcript;
  readonly stderr: Transcript;
  readonly exited: Promise<number>;
  write(text: string | Uint8Array): void;
  closeStdin(): void;
  kill(signal?: NodeJS.Signals | number): void;
}

export async function runRt(
  args: readonly string[],
  env: Record<string, string>,
  options: RtOptions,
): Promise<RtResult> {
  const timeoutMs = (options.timeoutMs ?? 90_000) * patience;
  const child = Bun.spawn([...(options.front ?? []), options.binary ?? rtBinary, ...args], {
    stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...env, ...options.env },
    ...(options.cwd && { cwd: options.cwd }),
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const [stdoutBytes, stderr, code] = await Promise.all([
    child.stdout.bytes(),
    child.stderr.text(),
    child.exited,
  ]);
  clearTimeout(timer);
  const stdout = new TextDecoder().decode(stdoutBytes);
  if (late) throw new Error(`rt ${args.join(" ")} did not end within ${timeoutMs} ms\n${stdout}\n${stderr}`);
  return { stdout, stderr, code, stdoutBytes };
}

export function spawnRt(args: readonly string[], env: Record<string, string>, options: RtOptions): RtProcess {
  const child = Bun.spawn([...(options.front ?? []), options.binary ?? rtBinary, ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...env, ...options.env },
    ...(options.cwd && { cwd: options.cwd }),
  });
  const stdout = new Transcript();
  const stderr = new Transcript();
  const drained = Promise.all([stdout.drain(child.stdout), stderr.drain(child.stderr)]);
  if (options.stdin !== undefined) child.stdin.write(options.stdin);
  return {
    pid: child.pid,
    stdout,
    stderr,
    exited: child.exited.then(async (code) => {
      await drained;
      return code;
    }),
    write(text) {
      untilClosed(child.stdin.write(text));
      untilClosed(child.stdin.flush());
    },
    closeStdin: () => untilClosed(child.stdin.end()),
    kill: (signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** What is written may be more than `rt` takes before it ends: that is for the test to see, and no error of ours. */
function untilClosed(written: number | Promise<number>): void {
  if (typeof written === "number") return;
  written.catch((error: { code?: string }) => {
    if (error.code !== "EPIPE") throw error;
  });
}
