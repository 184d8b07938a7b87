/** What it costs not to be root: the same container by the same executable, as an ordinary user and as root. */
import { join } from "node:path";
import { ordinaryUser } from "../support/ordinary-user.ts";
import { interleave, type Rounds, type Row } from "./measure.ts";
import type { World } from "./world.ts";

export async function rootlessRow(world: World, rounds: Rounds): Promise<Row> {
  await using user = await ordinaryUser();
  const shell = world.host;
  const run = `${user.binary} run --rm --quiet --network none embed:hello ids`;
  const as = (env: Record<string, string>, words: string[]) =>
    `env -i ${Object.entries(env)
      .map(([name, value]) => `${name}=${value}`)
      .join(" ")} ${words.join(" ")} ${run}`;
  const root = { ...user.env, RT_ROOT: join(user.dir, "root"), RT_STATE: join(user.dir, "root-state") };
  const contenders = [
    { engine: "rt", command: as(user.env, user.as([])), shell, check: maps(`0 ${user.uid} 1`) },
    { engine: "root's rt", command: as(root, ["setpriv", "--"]), shell, check: maps("0 0 4294967295") },
  ];
  return {
    name: "rootless",
    title: "`run --rm --network none embed:hello` as an ordinary user with subordinate ids, and as root",
    unit: "ms",
    samples: await interleave(contenders, rounds),
    targets: { "root's rt": 1.3 },
    notes: [],
  };
}

/** Was it in the namespace that it should be in? */
function maps(first: string): (timed: { stdout: string }) => string | undefined {
  return ({ stdout }) => (stdout.includes(`uid_map ${first}\n`) ? undefined : stdout);
}
