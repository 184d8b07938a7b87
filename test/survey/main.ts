/**
 * bun run survey [--only rt]
 *
 * Asks what the default container of each engine may do, by the same program in the same image: rt, and podman and docker where
 * they are installed (bench/world.ts says where they are looked for). The answers go to recorded.json, the table that they make
 * to the README. --only rt keeps what is recorded of the others. Needs root and what the benchmark needs.
 */

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openEngines } from "../bench/containers.ts";
import type { Engine } from "../bench/engine.ts";
import { makeWorld } from "../bench/world.ts";
import { missing } from "../support/root.ts";
import { type Facts, factsOf } from "./facts.ts";
import { surveyProgram } from "./program.ts";
import { kernelRelease, type Recorded, readRecorded, writeRecorded } from "./record.ts";
import { writeTable } from "./table.ts";

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(process.env.RT_DEBUG ? error : `survey: ${(error as Error).message}`);
  process.exit(1);
}

async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { only: { type: "string" } } });
  const reason = missing({
    root: true,
    tools: ["unshare", "mkfs.ext4", "docker-registry", "busybox", "bash", "tar"],
  });
  if (reason) throw new Error(`needs ${reason}`);
  await using world = await makeWorld();
  const wanted = world.engines.filter(
    (engine) => engine.daily && (!values.only || values.only === engine.name),
  );
  if (wanted.length === 0) throw new Error(`no engine "${values.only}" is here`);
  await using opened = await openEngines({ ...world, engines: wanted });
  for (const { engine, failures } of opened.failed) throw new Error(`${engine}: ${failures.join("; ")}`);
  const program = join(world.scratch, "survey");
  copyFileSync(await surveyProgram(), program);
  const recorded: Recorded = values.only ? readRecorded() : { kernel: kernelRelease(), engines: {} };
  for (const engine of opened.engines) {
    console.error(`asking ${engine.name} …`);
    recorded.engines[engine.name] = { version: engine.version, ...(await ask(engine, program)) };
  }
  writeRecorded(recorded);
  await writeTable(recorded);
  return 0;
}

/** What stands for the host is the engine's own shell, which has a few namespaces of its own. */
async function ask(engine: Engine, program: string): Promise<Facts> {
  const { shell } = engine;
  const daily = engine.daily!;
  const inside = shell.inside(program);
  const host = await shell.ok(`${inside} host`);
  const flags = `--rm -v ${inside}:/survey:ro`;
  const said = await shell.ok(`${daily.make("run", flags)} ${daily.image()} /survey`);
  return factsOf(said, host);
}
