import { totalmem } from "node:os";
import type { Container } from "../../container/stored-container.ts";
import { recordOf } from "../../container/stored-container.ts";
import { type StatsDocument, statsDocument, type Usage } from "../../docker/stats.ts";
import { interfacesOf, machineUsage, usageOf } from "../../runtime/usage.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { find } from "./find.ts";
import { cgroupOf } from "./group.ts";
import { isRunning, look } from "./look.ts";

export interface StatsOptions {
  /** Those, or when empty all that run. */
  names: readonly string[];
  /** With `names` empty: those that do not run too. */
  all: boolean;
  /** Once more each second; else once. */
  stream: boolean;
  /** With that false: at once, and so nothing of what one look alone cannot say. */
  oneShot?: boolean;
}

/** What one sample alone cannot say is asked over so long. The machine's counts are in hundredths of a second. */
const firstInterval_ms = 500;
const interval_ms = 1000;

/**
 * What containers use, all of them at each look. With names it ends when none of those is there any more.
 * @throws RtError not-found
 */
export async function containerStats(
  host: Host,
  options: StatsOptions,
): Promise<AsyncIterable<StatsDocument[]>> {
  const ids: string[] = [];
  for (const name of options.names) ids.push((await find(host, name)).container.id);
  return rounds(host, ids, options);
}

async function* rounds(
  host: Host,
  ids: readonly string[],
  { all, stream, oneShot = false }: StatsOptions,
): AsyncGenerator<StatsDocument[]> {
  const { abort } = host.session;
  let before = new Map<string, Usage>();
  for (let round = 0; ; round++) {
    const shown = await chosen(host, ids, all);
    if (ids.length > 0 && shown.length === 0) return;
    const now = new Map(shown.flatMap((each) => entryOf(host, each)));
    const isFirst = round === 0;
    if (!isFirst || oneShot || now.size === 0) {
      yield shown.map((each) => statsDocument(each, now.get(each.id), before.get(each.id)));
      if (!stream) return;
    }
    before = now;
    await patience(isFirst ? firstInterval_ms : interval_ms, abort);
  }
}

/** @throws the reason of `abort` */
async function patience(time_ms: number, abort: AbortSignal): Promise<void> {
  abort.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, time_ms);
  const onAbort = () => resolve();
  abort.addEventListener("abort", onAbort);
  await promise;
  clearTimeout(timer);
  abort.removeEventListener("abort", onAbort);
  abort.throwIfAborted();
}

async function chosen(host: Host, ids: readonly string[], all: boolean): Promise<Container[]> {
  if (ids.length > 0) return ids.flatMap((id) => host.containers.find(id) ?? []);
  const live = await reconcile(host);
  const running = live.filter(({ state }) => isRunning(state)).map(({ container }) => container);
  const found = all ? host.containers.list() : running;
  return found.sort((a, b) => (a.created < b.created ? 1 : -1));
}

function entryOf(host: Host, container: Container): [string, Usage][] {
  const { state } = look(host, container);
  if (!isRunning(state)) return [];
  const { cpu, memory, ...usage } = usageOf(cgroupOf(host, container.id), state.pid);
  const machine = machineUsage();
  const { limit = Number.POSITIVE_INFINITY, ...used } = memory;
  return [
    [
      container.id,
      {
        read: new Date().toISOString(),
        cpu: {
          cpu_usage: {
            total_usage: cpu.total_ns,
            usage_in_kernelmode: cpu.kernel_ns,
            usage_in_usermode: cpu.user_ns,
          },
          system_cpu_usage: machine.total_ns,
          online_cpus: machine.processors,
          throttling_data: cpu.throttling,
        },
        // Without a limit of its own it is the machine's.
        memory: { ...used, limit: Math.min(limit, totalmem()) },
        ...usage,
        ...networksOf(container, state.pid),
      },
    ],
  ];
}

/** Of its own network, where it has one. */
function networksOf(container: Container, pid: number): Pick<Usage, "networks"> {
  const found = recordOf(container)?.networkMode === "host" ? [] : [...interfacesOf(pid)];
  if (found.length === 0) return {};
  const entries = found.map(([name, counts]) => {
    const [rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0] = counts;
    const [tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0] = counts.slice(8);
    const received = { rx_bytes, rx_packets, rx_errors, rx_dropped };
    return [name, { ...received, tx_bytes, tx_packets, tx_errors, tx_dropped }] as const;
  });
  return { networks: Object.fromEntries(entries) };
}
