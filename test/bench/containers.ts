/** The rows that need every engine open, with the image in its store: run, exec, and what a running container costs. */
import { randomInt } from "node:crypto";
import { until } from "../support/wait.ts";
import { freshDisk } from "./disk.ts";
import type { Engine } from "./engine.ts";
import { interleave, prints, type Rounds, type Row, type Sample } from "./measure.ts";
import { allProcesses, keepersOf, memoryOf, processWithArguments } from "./processes.ts";
import type { World } from "./world.ts";

export interface Opened extends AsyncDisposable {
  engines: Engine[];
  /** One for each engine that could not be opened. */
  failed: Sample[];
}

/** Each engine with a store on an ext4 of its own. */
export async function openEngines(world: World): Promise<Opened> {
  await using stack = new AsyncDisposableStack();
  const image = await world.busybox();
  const engines: Engine[] = [];
  const failed: Sample[] = [];
  for (const engine of world.engines) {
    const disk = stack.use(await freshDisk(engine.shell, world.scratch, `${engine.name}-store`));
    try {
      await engine.open(disk.dir);
      stack.defer(() => engine.close());
      await engine.prepare(image);
      // A container does run, and it is the image's program that does.
      const said = await engine.shell.ok(engine.run("echo it runs"));
      if (said !== "it runs") throw new Error(`its first container printed ${JSON.stringify(said)}`);
      engines.push(engine);
    } catch (error) {
      failed.push({ engine: engine.name, values: [], failures: [(error as Error).message] });
    }
  }
  const owned = stack.move();
  return { engines, failed, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export async function runRow(opened: Opened, rounds: Rounds): Promise<Row> {
  const contenders = opened.engines.map((engine) => ({
    engine: engine.name,
    command: engine.run("true"),
    shell: engine.shell,
    check: prints(""),
  }));
  return {
    name: "run",
    title: "`run --rm --network none busybox true`; runc and crun on a prepared bundle of the same tree",
    unit: "ms",
    samples: [...opened.failed, ...(await interleave(contenders, rounds))],
    targets: { runc: 0.7, podman: 1 / 8, docker: 1 / 8 },
    notes: [],
  };
}

export async function execRow(opened: Opened, rounds: Rounds): Promise<Row> {
  await using stack = new AsyncDisposableStack();
  const failed = [...opened.failed];
  const contenders = [];
  for (const engine of opened.engines) {
    try {
      await engine.start("bench-exec", forever());
      stack.defer(() => engine.remove("bench-exec"));
      const said = await engine.shell.ok(engine.exec("bench-exec", "echo it runs"));
      if (said !== "it runs") throw new Error(`its first exec printed ${JSON.stringify(said)}`);
      const command = engine.exec("bench-exec", "true");
      contenders.push({ engine: engine.name, command, shell: engine.shell, check: prints("") });
    } catch (error) {
      failed.push({ engine: engine.name, values: [], failures: [(error as Error).message] });
    }
  }
  return {
    name: "exec",
    title: "`exec CONTAINER true` in a running container",
    unit: "ms",
    samples: [...failed, ...(await interleave(contenders, rounds))],
    targets: { runc: 0.8 },
    notes: [],
  };
}

const memoryRounds = 3;

/** What an engine keeps for one running container; of rt after its client was killed. */
export async function memoryRows(opened: Opened): Promise<Row[]> {
  const resident = [...opened.failed];
  const shares = [...opened.failed];
  const notes = [];
  for (const engine of opened.engines) {
    const rss: Sample = { engine: engine.name, values: [], failures: [] };
    const pss: Sample = { engine: engine.name, values: [], failures: [] };
    try {
      for (let round = 0; round < memoryRounds; round++) {
        const kept = await keptFor(engine);
        rss.values.push(kept.rssKiB);
        pss.values.push(kept.pssKiB);
        if (round === 0) notes.push(`${engine.name}: ${kept.what}`);
      }
    } catch (error) {
      rss.failures.push((error as Error).message);
    }
    resident.push(rss);
    shares.push(pss);
  }
  const of = "that a running container costs beside its own program, clients killed";
  const common = { unit: "KiB", targets: {}, limit: 512 } as const;
  return [
    { name: "memory", title: `resident memory ${of}`, samples: resident, notes, ...common },
    {
      name: "memory, shared pages by share",
      title: `proportional set size ${of}`,
      samples: shares,
      notes: [],
      ...common,
    },
  ];
}

interface Kept {
  rssKiB: number;
  pssKiB: number;
  what: string;
}

async function keptFor(engine: Engine): Promise<Kept> {
  const before = allProcesses();
  const program = forever();
  await engine.start("bench-memory", program);
  try {
    const pid = await until(`${engine.name} runs ${program}`, () => processWithArguments(program.split(" ")));
    // What a start leaves to be done, or a client's end, is done by then.
    await Bun.sleep(500);
    const kept = keepersOf(pid, before).flatMap((each) => memoryOf(each) ?? []);
    const sum = (key: "rssKiB" | "pssKiB") => kept.reduce((total, each) => total + each[key], 0);
    const what = kept.map(
      (each) =>
        `${each.name} ${each.rssKiB} KiB RSS, ${each.pssKiB} PSS, ${each.pageTablesKiB} of page tables` +
        (each.memfdKiB > 0 ? `, its executable ${each.memfdKiB} in memory` : ""),
    );
    return { rssKiB: sum("rssKiB"), pssKiB: sum("pssKiB"), what: what.join("; ") || "keeps no process" };
  } finally {
    await engine.remove("bench-memory");
  }
}

/** A program that ends only when it is made to, with arguments that no other process has. */
function forever(): string {
  return `sleep ${randomInt(10_000_000, 99_999_999)}`;
}
