/** The prober as a file, for images that tests build and for running it on the host; and its output as data. */
import { chmod } from "node:fs/promises";
import { join, resolve } from "node:path";
import { run } from "./command.ts";
import { fixture } from "./scratch.ts";

const project = resolve(import.meta.dir, "../..");
const sources = join(project, "zig-native");

/** Path of the prober, built from this checkout's sources once for each state of them. */
export async function probeBinary(target: "x86_64" | "aarch64" = hostTarget()): Promise<string> {
  const files = ["probe.zig", ...new Bun.Glob("probe/*.zig").scanSync(sources)].sort();
  const texts = await Promise.all(files.map((file) => Bun.file(join(sources, file)).text()));
  const dir = await fixture(`probe-${target}`, texts.join("\0"), async (into) => {
    const zig = join(project, "node_modules/.bin/zig");
    const options = `-O ReleaseSmall -fstrip -fno-unwind-tables -fsingle-threaded -target ${target}-linux-none`;
    const cache = join(into, "cache");
    const command = [
      zig,
      "build-exe",
      "probe.zig",
      ...options.split(" "),
      `-femit-bin=${join(into, "probe")}`,
    ];
    await run([...command, "--cache-dir", cache], { cwd: sources });
    await run(["rm", "-rf", cache]);
    await chmod(join(into, "probe"), 0o755);
  });
  return join(dir, "probe");
}

function hostTarget(): "x86_64" | "aarch64" {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}

/** "key value" lines as a map; a key that comes again keeps its first value. */
export function facts(output: string): Map<string, string> {
  const map = new Map<string, string>();
  for (const line of output.split("\n")) {
    const blank = line.indexOf(" ");
    const key = blank < 0 ? line : line.slice(0, blank);
    if (key !== "" && !map.has(key)) map.set(key, blank < 0 ? "" : line.slice(blank + 1));
  }
  return map;
}

/** The values of every line that begins with `key`. */
export function factsNamed(output: string, key: string): string[] {
  return output
    .split("\n")
    .flatMap((line) => (line.startsWith(`${key} `) ? [line.slice(key.length + 1)] : []));
}

/** What `spew BYTES` writes. */
export function spewPattern(bytes: number): Uint8Array {
  const pattern = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) pattern[i] = i ^ (i >> 8) ^ (i >> 16);
  return pattern;
}
