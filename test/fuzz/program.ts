/** The native fuzzing targets: built with every safety check, beside the programs that ship. */
import { join, resolve } from "node:path";

const project = resolve(import.meta.dir, "../..");

/** Its path. The compiler's cache makes this quick but for the first time. */
export async function fuzzProgram(name: "rt-fuzz" | "rt-fuzz-layer" | "rt-fuzz-seccomp"): Promise<string> {
  const output = join(project, ".build/fuzz");
  const cache = join(project, ".build/zig-cache");
  const zig = join(project, "node_modules/.bin/zig");
  const places = ["--prefix", output, "--cache-dir", cache, "--global-cache-dir", cache];
  const child = Bun.spawn([zig, "build", "fuzz", ...places], {
    cwd: join(project, "zig-native"),
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = await child.stderr.text();
  if ((await child.exited) !== 0) throw new Error(errors);
  return join(output, name);
}
