/** What a user namespace of its own costs a container: starts and execs with `--userns=auto` beside the same without. */
import { join } from "node:path";
import { freshDisk } from "./disk.ts";
import { interleave, prints, type Rounds, type Row } from "./measure.ts";
import type { World } from "./world.ts";

/** The code for flags like --userns is loaded with the first of them, and that is not what a namespace costs. */
const flags = { rt: "--userns=auto", host: "--userns=host" } as const;
const plain = "--userns=host";

export async function usernsRows(world: World, rounds: Rounds): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const { reference } = await world.busybox();
  const shell = world.host;
  const disk = stack.use(await freshDisk(shell, world.scratch, "userns-store"));
  const rt = `env RT_ROOT=${disk.dir}/rt RT_STATE=${join(world.scratch, "userns-state")} ${world.binary}`;
  await shell.ok(`${rt} pull --quiet ${reference}`);
  const contender = (engine: string, command: string) => ({ engine, command, shell, check: prints("") });
  const run = (flag: string) => `${rt} run --rm --network none ${flag} ${reference} true`;
  const starts = await interleave(
    [contender("rt", run(flags.rt)), contender(plain, run(flags.host))],
    rounds,
  );
  for (const [name, flag] of Object.entries(flags)) {
    await shell.ok(`${rt} run -d --name ${name} --network none ${flag} ${reference} sleep 86400`);
    stack.defer(async () => void (await shell.ok(`${rt} rm -f ${name}`)));
  }
  const execs = await interleave(
    [contender("rt", `${rt} exec rt true`), contender(plain, `${rt} exec host true`)],
    rounds,
  );
  const common = { unit: "ms", targets: { [plain]: 1.15 } } as const;
  return [
    {
      name: "userns",
      title: "`run --rm --network none --userns=auto busybox true`",
      samples: starts,
      ...common,
      notes: [],
    },
    {
      name: "userns, exec",
      title: "`exec CONTAINER true` in one and in the other",
      samples: execs,
      ...common,
      notes: [],
    },
  ];
}
