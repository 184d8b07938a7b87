/** Programs that the tests use as tools or as oracles (skopeo, tar, runc): they must succeed. */
import { searchPath } from "./root.ts";

export interface ToolOptions {
  cwd?: string;
  stdin?: Uint8Array | string;
  env?: Record<string, string>;
}

/** Its standard output. @throws Error with its standard error, when it ends with anything but 0. */
export async function run(command: readonly string[], options: ToolOptions = {}): Promise<string> {
  return new TextDecoder().decode(await runBytes(command, options));
}

export async function runBytes(command: readonly string[], options: ToolOptions = {}): Promise<Uint8Array> {
  const child = Bun.spawn([...command], {
    stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, PATH: searchPath, LC_ALL: "C.UTF-8", ...options.env },
    ...(options.cwd && { cwd: options.cwd }),
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited]);
  if (code !== 0)
    throw new Error(`${command.join(" ").slice(0, 400)} ended with ${code}: ${stderr.trim().slice(-2000)}`);
  return stdout;
}
