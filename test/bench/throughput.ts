/** How fast what is sent goes through rt's networks, beside what is made by hand without rt: to a neighbour, and from outside to a port. */
import { probeBinary } from "../support/probe.ts";
import { until } from "../support/wait.ts";
import { interleave, prints, type Rounds, type Row, type Sample } from "./measure.ts";
import { handMade, hostAddress, newOutlook } from "./namespaces.ts";
import { rtPlace } from "./rt-place.ts";
import type { World } from "./world.ts";

const bytes = 1_000_000_000;
const port = 8080;

export async function throughputRows(world: World, rounds: Rounds): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const shell = world.host;
  const probe = await probeBinary();
  const outlook = await newOutlook(shell, stack);
  const rt = await rtPlace(world, stack, outlook.host, "throughput");
  const server = await rt.serve("server", `-p ${port}:80`, "drain 80");
  const neighbour = await rt.serve("neighbour", "", "drain 80");
  const plain = await handMade(shell, stack, port);
  const drain = await shell.ok(
    `(${plain.server.enter} ${probe} drain 80 >${world.scratch}/drain 2>&1 & echo $!)`,
  );
  stack.defer(async () => void (await shell.time(`kill ${drain}`)));
  await until("somebody drains", async () => (await shell.ok(`cat ${world.scratch}/drain`)) === "draining");
  // What is sent is what has come, as who received it says.
  const contender = (engine: string, enter: string, address: string, at: number) => {
    const command = `${enter} ${probe} pour ${address} ${at} ${bytes}`;
    return { engine, command, shell, check: prints(`${bytes}\n`) };
  };
  const few = { ...rounds, rounds: Math.min(rounds.rounds, 10) };
  const near = await interleave(
    [
      contender("rt", neighbour.enter, server.address, 80),
      contender("by hand", plain.client.enter, plain.address, 80),
    ],
    few,
  );
  const far = await interleave(
    [
      contender("rt", outlook.outside.enter, hostAddress, port),
      contender("by hand", plain.outside.enter, hostAddress, port),
    ],
    few,
  );
  const title = `${bytes / 1e6} MB by TCP`;
  return [
    {
      name: "throughput, neighbour",
      title: `${title} from container to container, and over a bridge between two namespaces`,
      unit: "ms",
      samples: near,
      targets: { "by hand": 1 / 0.95 },
      notes: [rates(near)],
    },
    {
      name: "throughput, port",
      title: `${title} from outside to a published port, and by plain DNAT of nftables to such a namespace`,
      unit: "ms",
      samples: far,
      targets: { "by hand": 1 / 0.9 },
      notes: [rates(far)],
    },
  ];
}

function rates(samples: readonly Sample[]): string {
  const each = samples.map(({ engine, values }) => {
    const best = Math.min(...values);
    return `${engine} ${values.length === 0 ? "none" : (bytes / 1e6 / best).toFixed(2)}`;
  });
  return `GB a second, the best round: ${each.join(", ")}`;
}
