/** A probing program of zig-native/probe/ that the embedded image has no room for, built on demand. */
import { chmod } from "node:fs/promises";
import { join, resolve } from "node:path";
import { run } from "./command.ts";
import { fixture } from "./scratch.ts";

const project = resolve(import.meta.dir, "../..");
const sources = join(project, "zig-native");

/** What this processor executes first of all, and its 32 bits. */
export const programTargets = process.arch === "arm64" ? ["aarch64", "arm"] : ["x86_64", "x86"];

/** A directory with `NAME.zig` as a static program for each target, called as that; built once for each state of the sources. */
export async function zigProgram(name: string, targets = programTargets.slice(0, 1)): Promise<string> {
  const files = [...new Bun.Glob("probe/*.zig").scanSync(sources)].sort();
  const texts = await Promise.all(files.map((file) => Bun.file(join(sources, file)).text()));
  return fixture(name, [...targets, ...texts].join("\0"), async (into) => {
    const zig = join(project, "node_modules/.bin/zig");
    const cache = join(into, "cache");
    const options = "-O ReleaseSmall -fstrip -fno-unwind-tables -fsingle-threaded".split(" ");
    for (const target of targets) {
      const program = join(into, target);
      const command = [zig, "build-exe", `probe/${name}.zig`, ...options, "-target", `${target}-linux-none`];
      await run([...command, `-femit-bin=${program}`, "--cache-dir", cache], { cwd: sources });
      await chmod(program, 0o755);
    }
    await run(["rm", "-rf", cache]);
  });
}
