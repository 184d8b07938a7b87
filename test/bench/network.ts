/** What a container's network costs: rt's start with the default bridge beside the same without, and a hundred in one network at once. */
import { join } from "node:path";
import { interleave, percentile, prints, type Rounds, type Row, type Sample } from "./measure.ts";
import { newNamespace } from "./namespaces.ts";
import { networkPeers } from "./network-peers.ts";
import type { World } from "./world.ts";

const together = 100;

/** All of it in a network namespace of its own: the machine's stays as it is. */
export async function networkRows(world: World, rounds: Rounds): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const { reference } = await world.busybox();
  const shell = world.host;
  const { enter } = await newNamespace(shell, stack);
  const [root, state] = [join(world.scratch, "network-root"), join(world.scratch, "network-state")];
  const places = `env RT_ROOT=${root} RT_STATE=${state}`;
  // The registry is on the machine's own loopback interface.
  await shell.ok(`${places} ${world.binary} pull --quiet ${reference}`);
  const rt = `${places} ${enter} ${world.binary}`;
  const run = (network: string) => `${rt} run --rm --network ${network} ${reference} true`;
  const peers = await networkPeers(world, stack);
  const starts = await interleave(
    [
      { engine: "rt", command: run("bridge"), shell, check: prints("") },
      { engine: "none", command: run("none"), shell, check: prints("") },
      ...peers.contenders,
    ],
    rounds,
  );
  const each = `${run("bridge")} && echo ok`;
  const crowd = await interleave(
    [
      {
        engine: "rt",
        command: `for n in $(seq ${together}); do { ${each}; } & done; wait`,
        shell,
        check: prints("ok\n".repeat(together)),
      },
    ],
    { rounds: Math.min(rounds.rounds, 3), warmUp: 0 },
  );
  const rates = crowd.flatMap(({ values }) => values.map((ms) => Math.round((together * 1000) / ms)));
  return [
    {
      name: "network, run",
      title:
        "`run --rm busybox true` in the default bridge, and with `--network none`; podman and docker likewise",
      unit: "ms",
      samples: [...peers.failed, ...starts],
      targets: { none: 1.5 },
      notes: overNone(starts),
    },
    {
      name: "network, 100 run",
      title: `${together} of them in the bridge at once, until the last has ended`,
      unit: "ms",
      samples: crowd,
      targets: {},
      notes: [`a second: ${rates.join(", ")}`],
    },
  ];
}

/** What each pays for its network. */
function overNone(samples: readonly Sample[]): string[] {
  const median = (engine: string) =>
    percentile(samples.find((sample) => sample.engine === engine)?.values ?? [], 0.5);
  return ["podman", "docker"]
    .filter((engine) => samples.some((sample) => sample.engine === engine))
    .map((engine) => `${engine}: ${(median(engine) / median(`${engine}, none`)).toFixed(2)} of its own none`);
}
