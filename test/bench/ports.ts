/** What a connection through a published port costs where there are a thousand of them, and where it is the only one. */
import { probeBinary } from "../support/probe.ts";
import { interleave, prints, type Rounds, type Row } from "./measure.ts";
import { hostAddress, newOutlook } from "./namespaces.ts";
import { rtPlace } from "./rt-place.ts";
import type { World } from "./world.ts";

const connections = 5000;
const published = 1000;
/** In the middle of them. */
const port = 8500;

export async function portsRow(world: World, rounds: Rounds): Promise<Row> {
  await using stack = new AsyncDisposableStack();
  const shell = world.host;
  const probe = await probeBinary();
  const contenders = [];
  for (const [engine, ports] of [
    ["rt", `8000-${8000 + published - 1}`],
    ["one port", String(port)],
  ] as const) {
    const { host, outside } = await newOutlook(shell, stack);
    const rt = await rtPlace(world, stack, host, `ports-${contenders.length}`);
    await rt.serve("server", `-p ${ports}:${ports}`, `serve ${port} hello`);
    const command = `${outside.enter} ${probe} connects ${hostAddress} ${port} ${connections}`;
    contenders.push({ engine, command, shell, check: prints(`connects ${connections}\n`) });
  }
  const samples = await interleave(contenders, { ...rounds, rounds: Math.min(rounds.rounds, 10) });
  const rates = samples.map(({ engine, values }) => {
    const each = values.map((ms) => (connections * 1000) / ms);
    return `${engine} ${Math.round(Math.max(...each))}`;
  });
  return {
    name: "ports",
    title: `${connections} connections from outside, one after another, through one of ${published} published ports, and through the only one`,
    unit: "ms",
    samples,
    targets: { "one port": 1.3 },
    notes: [`connections a second, the best round: ${rates.join(", ")}`],
  };
}
