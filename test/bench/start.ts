/**
 * What every command pays first: `rt --version` against a compiled Bun program that only prints, and against rt itself as
 * it was before build/static.ts, started by the host's ld.so. And what the harness itself costs, in each shell: a static
 * program that does nothing.
 */
import { copyFileSync, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../support/command.ts";
import { tool } from "../support/root.ts";
import { type Contender, interleave, prints, type Rounds, type Row } from "./measure.ts";
import type { World } from "./world.ts";

export async function startRow(world: World, rounds: Rounds): Promise<Row> {
  const shell = world.host;
  const hello = await compileHello(world.programs);
  const version = `rt version ${world.rt.version}\n`;
  const contenders: Contender[] = [
    { engine: "rt", command: `${world.binary} --version`, shell, check: prints(version) },
    { engine: "bun hello", command: hello, shell, check: prints("hello\n") },
  ];
  const dynamic = resolve(import.meta.dir, `../../.build/linux-${process.arch}/rt-dynamic`);
  if (existsSync(dynamic)) {
    // Beside the other, so that both are read from the same file system.
    const copy = join(world.programs, "rt-dynamic");
    copyFileSync(dynamic, copy);
    contenders.push({ engine: "rt, dynamic", command: `${copy} --version`, shell, check: prints(version) });
  }
  return {
    name: "start",
    title: "`rt --version`; a compiled Bun hello world; rt as Bun makes it, linked to the host's glibc",
    unit: "ms",
    samples: await interleave(contenders, rounds),
    targets: { "bun hello": 2, "rt, dynamic": 1.1 },
    notes: [],
  };
}

async function compileHello(dir: string): Promise<string> {
  const source = join(dir, "hello.ts");
  const outfile = join(dir, "hello");
  await Bun.write(source, `console.log("hello");\n`);
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm"];
  // As rt is built: a program that looks for these two files starts a little later.
  const plain = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  await run([process.execPath, "build", ...flags, ...plain, source, `--outfile=${outfile}`]);
  return outfile;
}

export async function harnessRow(world: World, rounds: Rounds): Promise<Row> {
  const busybox = tool("busybox");
  if (busybox === undefined) throw new Error("no busybox (apt-get install busybox-static)");
  const copy = join(world.scratch, "busybox");
  copyFileSync(busybox, copy);
  const contenders = world.shells.map((shell) => ({
    engine: `${shell.name} shell`,
    command: `${shell.inside(copy)} true`,
    shell,
    check: prints(""),
  }));
  return {
    name: "true",
    title: "the harness: fork, exec and wait for a program that does nothing (subtracted nowhere)",
    unit: "ms",
    samples: await interleave(contenders, rounds),
    targets: {},
    notes: [],
  };
}
