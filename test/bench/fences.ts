/** What the fences of a container cost: rt's own start and exec beside the same without them, and without each of them. */
import { join } from "node:path";
import { freshDisk } from "./disk.ts";
import { interleave, percentile, prints, type Rounds, type Row, type Sample } from "./measure.ts";
import type { World } from "./world.ts";

/** What is left out, by the flags that leave it out. */
const without = {
  filter: "--security-opt seccomp=unconfined",
  masks: "--security-opt systempaths=unconfined",
  capabilities: "--cap-add ALL",
  "pids limit": "--pids-limit -1",
} as const;
/** Given by default: the code for flags like those is loaded with the first of them, and that is not what a fence costs. */
const noChange = "--cap-add CHOWN";
const withoutAll = Object.values(without).join(" ");
const bare = "no fences";

export async function fenceRows(world: World, rounds: Rounds): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const { reference } = await world.busybox();
  const shell = world.host;
  const disk = stack.use(await freshDisk(shell, world.scratch, "fences-store"));
  const rt = `env RT_ROOT=${disk.dir}/rt RT_STATE=${join(world.scratch, "fences-state")} ${world.binary}`;
  await shell.ok(`${rt} pull --quiet ${reference}`);
  const contender = (engine: string, command: string) => ({ engine, command, shell, check: prints("") });
  const run = (flags: string) => `${rt} run --rm --network none ${flags} ${reference} true`;
  const starts = await interleave(
    [
      contender("rt", run(noChange)),
      contender(bare, run(withoutAll)),
      ...Object.entries(without).map(([name, flags]) => contender(`no ${name}`, run(flags))),
    ],
    rounds,
  );
  for (const [name, flags] of Object.entries({ fenced: noChange, bare: withoutAll })) {
    await shell.ok(`${rt} run -d --name ${name} --network none ${flags} ${reference} sleep 86400`);
    stack.defer(async () => void (await shell.ok(`${rt} rm -f ${name}`)));
  }
  const execs = await interleave(
    [contender("rt", `${rt} exec fenced true`), contender(bare, `${rt} exec bare true`)],
    rounds,
  );
  const common = { unit: "ms", targets: { [bare]: 1.25 } } as const;
  return [
    {
      name: "fences",
      title: `\`run --rm --network none ${noChange} busybox true\`, and with ${withoutAll} instead`,
      samples: starts,
      notes: costs(starts),
      ...common,
    },
    {
      name: "fences, exec",
      title: "`exec CONTAINER true` in one and in the other",
      samples: execs,
      notes: [],
      ...common,
    },
  ];
}

/** What it is more than it would be without them, or without one. */
function costs(samples: readonly Sample[]): string[] {
  const median = ({ values }: Sample) => percentile(values, 0.5);
  const own = samples.find(({ engine }) => engine === "rt")!;
  return samples
    .filter((sample) => sample !== own)
    .map((sample) => `beside ${sample.engine}: ${(median(own) - median(sample)).toFixed(1)} ms more`);
}
