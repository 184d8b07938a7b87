/**
 * A command that is held right before one of its system calls, while a script changes what it is about to name:
 *
 *   const trace = await callsOf(host, ["stage"], ["run", …]);
 *   for (const { role, index } of windowsOf(trace, ["stage"], /\/volume/)) await heldAt(host, { role, index }, "mv a b", ["run", …]);
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestHost } from "./host.ts";
import { rtBinary } from "./rt.ts";

const tracer = join(import.meta.dir, "crash-at.ts");

export interface Call {
  role: string;
  index: number;
  name: string;
  /** What it names, where that is known. */
  path: string;
}

export interface Held {
  stdout: string;
  stderr: string;
  code: number;
}

/** Everything that the command's processes of some roles look at or change, by role and in their order. */
export async function callsOf(
  host: TestHost,
  roles: readonly string[],
  args: readonly string[],
): Promise<Call[]> {
  const { code, stderr } = await heldAt(host, { role: roles.join(), index: 0 }, "", args);
  if (code !== 0) throw new Error(`rt ${args.join(" ")} ended with ${code}: ${stderr}`);
  const trace = readFileSync(join(host.dir, "held"), "utf8");
  return [...trace.matchAll(/^(\w+) (\d+) (\w+) (.*)$/gm)].map(([, role, index, name, path]) => ({
    role: role!,
    index: Number(index),
    name: name!,
    path: path!,
  }));
}

/**
 * Where a swap can matter: before each call that names `place`, and before the two that follow it, which may take for granted what
 * it saw. Of all of them `most`, evenly.
 */
export function windowsOf(calls: readonly Call[], roles: readonly string[], place: RegExp, most: number) {
  const windows = new Map<string, Pick<Call, "role" | "index">>();
  for (const { role, index, path } of calls) {
    if (!roles.includes(role) || !place.test(path)) continue;
    for (const at of [index, index + 1, index + 2]) windows.set(`${role} ${at}`, { role, index: at });
  }
  const all = [...windows.values()];
  const count = Math.min(most, all.length);
  return Array.from({ length: count }, (_, each) => all[Math.floor((each * all.length) / count)]!);
}

/** As an index: the script runs at each call, whose process is its $RT_TEST_HELD. */
export const everyCall = -1;

/** `script` runs while the `index`th call of whoever is `role` is about to be made. */
export async function heldAt(
  host: TestHost,
  { role, index }: Pick<Call, "role" | "index">,
  script: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Held> {
  const trace = join(host.dir, "held");
  const words = [process.execPath, tracer, trace, "client", role, `${index}`, rtBinary, ...args];
  const child = Bun.spawn(words, {
    env: { ...host.env, RT_TEST_AT_CALL: script, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}
