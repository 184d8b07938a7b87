import { RtError } from "../base/errors.ts";
import { mapOf, object, optional, type Shape, such, text } from "../base/shape.ts";
import type { StatsDocument } from "../docker/stats.ts";
import { given } from "../docker/zero.ts";
import type { StatsOptions } from "../engine/container/stats.ts";
import { containerPath, documentOf, type RemoteCaller, tell } from "./caller.ts";
import { listContainers } from "./container-list.ts";
import { abortOf } from "./stdio.ts";

const interval_ms = 1000;
/** Nanoseconds of many processors are more than an integer of JavaScript holds exactly. */
const number = such((value): value is number => typeof value === "number", "a number");
const count = given(number, 0);
const anything: Shape<object> = object({});
const cpuFields = {
  cpu_usage: given(object({ total_usage: count, usage_in_kernelmode: count, usage_in_usermode: count }), {
    total_usage: 0,
    usage_in_kernelmode: 0,
    usage_in_usermode: 0,
  }),
  system_cpu_usage: optional(number),
  online_cpus: optional(number),
};
const noCpu = { cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 } };
/** As far as figures are made of it; the rest passes. */
const document = object({
  name: text,
  id: text,
  read: text,
  preread: given(text, ""),
  pids_stats: given(anything, {}),
  blkio_stats: given(anything, {}),
  cpu_stats: given(object(cpuFields), noCpu),
  precpu_stats: given(object(cpuFields), noCpu),
  memory_stats: given(anything, {}),
  networks: optional(mapOf(anything)),
});

/** What containers use, all of them at each look; each of them is asked by itself. @throws RtError not-found */
export async function remoteStats(
  caller: RemoteCaller,
  options: StatsOptions,
): Promise<AsyncIterable<StatsDocument[]>> {
  for (const name of options.names) await tell(caller, { method: "GET", path: containerPath(name, "/json") });
  return rounds(caller, options);
}

async function* rounds(
  caller: RemoteCaller,
  { names, all, stream }: StatsOptions,
): AsyncGenerator<StatsDocument[]> {
  const { session } = caller;
  while (true) {
    const began = performance.now();
    const chosen =
      names.length > 0 ? names : (await listContainers(caller, { all, filters: {} })).map(({ id }) => id);
    const found = (await Promise.all(chosen.map((name) => oneOf(caller, name)))).flat();
    if (names.length > 0 && found.length === 0) return;
    yield found;
    if (!stream) return;
    const left_ms = interval_ms - (performance.now() - began);
    if (left_ms > 0) await Bun.sleep(left_ms);
    if (session.stdio.kind === "streams") session.abort.throwIfAborted();
  }
}

/** One that has gone since is none. */
async function oneOf(caller: RemoteCaller, name: string): Promise<StatsDocument[]> {
  const request = {
    method: "GET",
    path: containerPath(name, "/stats"),
    query: { stream: "0" },
    abort: abortOf(caller.session),
  } as const;
  try {
    return [(await documentOf(caller, document, request, "stats")) as unknown as StatsDocument];
  } catch (error) {
    if (error instanceof RtError && error.code === "not-found") return [];
    throw error;
  }
}
