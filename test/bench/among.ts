/** What is over costs nothing: rt's commands on a host with a thousand stopped containers, and on one with none. */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { multiplyStopped } from "../support/stopped.ts";
import { until } from "../support/wait.ts";
import { interleave, prints, type Rounds, type Row } from "./measure.ts";
import { processWithArguments } from "./processes.ts";
import type { World } from "./world.ts";

const stopped = 1000;

interface Place {
  engine: "rt" | "none around";
  /** rt in this store. */
  rt: string;
}

export async function amongRows(world: World, rounds: Rounds): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const { reference } = await world.busybox();
  const shell = world.host;
  const places: Place[] = [];
  for (const engine of ["rt", "none around"] as const) {
    // Not on a disk of its own, which only the shell would see: this process writes there too.
    const dir = join(world.scratch, `among-${places.length}`);
    const [root, state] = [join(dir, "root"), join(dir, "state")];
    const rt = `env RT_ROOT=${root} RT_STATE=${state} ${world.binary}`;
    await shell.ok(`${rt} pull --quiet ${reference}`);
    await shell.ok(`${rt} run --name over ${reference} true`);
    if (engine === "rt") multiplyStopped(root, "over", stopped - 1);
    else await shell.ok(`${rt} rm over`);
    const program = `sleep ${randomInt(10_000_000, 99_999_999)}`;
    await shell.ok(`{ ${rt} run --rm --name up ${reference} ${program} & } >/dev/null 2>&1`);
    stack.defer(async () => void (await shell.ok(`${rt} rm -f up`)));
    await until(`${program} runs`, () => processWithArguments(program.split(" ")) !== undefined);
    places.push({ engine, rt });
  }
  const commands = {
    run: `run --rm --network none ${reference} true`,
    exec: "exec up true",
    ps: "ps -q --no-trunc",
    kill: "kill -s CONT up",
  };
  const rows: Row[] = [];
  for (const [name, command] of Object.entries(commands)) {
    const contenders = places.map(({ engine, rt }) => {
      const check = name === "ps" ? isOneId : prints(name === "kill" ? "up\n" : "");
      return { engine, command: `${rt} ${command}`, shell, check };
    });
    rows.push({
      name: `among, ${name}`,
      title: `\`${command.replace(reference, "busybox")}\` among ${stopped} stopped containers, and among none`,
      unit: "ms",
      samples: await interleave(contenders, rounds),
      targets: { "none around": 1.1 },
      notes: [],
    });
  }
  const all = { engine: "rt", command: `${places[0]!.rt} ps -a`, shell, check: isWhole };
  const samples = await interleave([all], rounds);
  const title = `\`ps -a\` of ${stopped} stopped containers and one that runs`;
  rows.push({ name: "among, ps -a", title, unit: "ms", samples, targets: {}, limit: 60, notes: [] });
  return rows;
}

function isOneId({ stdout }: { stdout: string }): string | undefined {
  return /^[0-9a-f]{64}\n$/.test(stdout) ? undefined : `printed ${JSON.stringify(stdout.slice(0, 300))}`;
}

function isWhole({ stdout }: { stdout: string }): string | undefined {
  const lines = stdout.split("\n").length - 2; // the heading, and what follows the last line end
  return lines === stopped + 1 ? undefined : `listed ${lines}`;
}
