/** Names: how long twenty thousand questions take that one monitor answers by itself. */
import { join, resolve } from "node:path";
import { interleave, prints, type Rounds, type Row } from "./measure.ts";
import type { World } from "./world.ts";

const questions = 20_000;

export async function namesRow(world: World, rounds: Rounds): Promise<Row> {
  const { reference } = await world.busybox();
  const shell = world.host;
  const dir = join(world.scratch, "names");
  const rt = `env RT_ROOT=${dir}/root RT_STATE=${dir}/state ${world.binary}`;
  await shell.ok(`${rt} pull --quiet ${reference}`);
  // A host's network of its own, which is there for as long as the monitor is.
  const run = `${rt} run -d --name web --network bridge ${reference} sleep 100000`;
  await shell.ok(`unshare -n sh -c 'ip link set lo up; ${run}' >/dev/null`);
  try {
    const pid = (await shell.ok(`${rt} inspect -f '{{.State.Pid}}' web`)).trim();
    const asker = resolve(import.meta.dir, "ask.ts");
    const command = `nsenter --net=/proc/${pid}/ns/net ${process.execPath} ${asker} web ${questions}`;
    const contender = { engine: "rt", command, shell, check: prints(`${questions}\n`) };
    return {
      name: "names",
      title: `${questions} questions for a container's name, to one monitor, with the start of who asks`,
      unit: "ms",
      samples: await interleave([contender], rounds),
      targets: {},
      limit: 1000,
      notes: [],
    };
  } finally {
    await shell.ok(`${rt} rm -f web`);
  }
}
