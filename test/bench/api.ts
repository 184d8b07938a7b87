/** The daemons beside each other: what a request of the API takes, a container's life through it, its streams, and what an idle daemon costs. */
import { ApiClient } from "./api-client.ts";
import { attachWork, execWork, inspectWork, lifeWork, listWork, logsWork, type Work } from "./api-work.ts";
import type { Opened } from "./containers.ts";
import type { Engine, Served } from "./engine.ts";
import { type Rounds, type Row, type Sample, settleMs, shuffled } from "./measure.ts";
import { cpuOf, memoryOf, processWithArgument, treeOf } from "./processes.ts";

/** One engine, with its daemon up and the containers that are listed. */
export interface Contestant {
  engine: Engine;
  served: Served;
  client: ApiClient;
  /** Of the daemon. */
  pid: number;
}

const works: Work[] = [listWork, inspectWork, lifeWork(1), lifeWork(4), execWork, attachWork, logsWork];

const listed = { stopped: 16, running: 4 };
const targets = { podman: 1, docker: 1 };

export async function apiRows(opened: Opened, rounds: Rounds): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const failed = [...opened.failed];
  const contestants: Contestant[] = [];
  for (const engine of opened.engines) {
    if (!engine.api) continue;
    try {
      const served = await engine.api.serve();
      stack.defer(() => served.stop());
      const client = stack.use(new ApiClient(served.socket));
      await client.request("GET", "/_ping", 200);
      const pid = processWithArgument(`unix://${engine.shell.inside(served.socket)}`);
      if (pid === undefined) throw new Error("its daemon's process is not there");
      contestants.push({ engine, served, client, pid });
    } catch (error) {
      failed.push({ engine: engine.name, values: [], failures: [(error as Error).message] });
    }
  }
  const idle = await idleRows(contestants, "with no container, after its start");
  for (const contestant of contestants) await populate(contestant);
  const rows: Row[] = [...idle];
  for (const work of works) {
    const measured = await workRows(contestants, work, rounds, failed);
    for (const { name, samples } of measured)
      console.error(`  ${name}: ${samples.map((s) => `${s.engine} ${medianOf(s.values)}`).join(", ")}`);
    rows.push(...measured);
  }
  for (const { client } of contestants) await depopulate(client);
  rows.push(...(await idleRows(contestants, "after all of these rows")));
  return rows;
}

function medianOf(values: number[]): string {
  return [...values].sort((a, b) => a - b)[values.length >> 1]?.toFixed(3) ?? "failed";
}

/** What a work is for each of its figures, in rounds in which each daemon has its turn. */
async function workRows(
  contestants: Contestant[],
  work: Work,
  rounds: Rounds,
  failed: Sample[],
): Promise<Row[]> {
  const cpu = new Map<string, number[]>();
  const count = work.isLong ? Math.min(2, rounds.rounds) : rounds.rounds;
  const rows = work.figures.map(({ name, title, unit }): Row => {
    const samples = contestants.map(
      ({ engine }): Sample => ({ engine: engine.name, values: [], failures: [] }),
    );
    return { name: `api: ${name}`, title, unit, samples: [...failed, ...samples], targets, notes: [] };
  });
  const sampleOf = (row: Row, { engine }: Contestant) =>
    row.samples.find((sample) => sample.engine === engine.name)!;
  for (let round = work.isLong ? 0 : -rounds.warmUp; round < count; round++) {
    for (const each of shuffled(contestants)) {
      if (sampleOf(rows[0]!, each).failures.length >= 3) continue;
      try {
        const before = cpuOf(each.pid);
        const { figures, times } = await work.act(each);
        const spent = (cpuOf(each.pid) - before) / times;
        if (round < 0) continue;
        for (const [index, row] of rows.entries()) sampleOf(row, each).values.push(figures[index]!);
        cpu.set(each.engine.name, [...(cpu.get(each.engine.name) ?? []), spent]);
      } catch (error) {
        for (const row of rows) sampleOf(row, each).failures.push((error as Error).message);
      }
      await Bun.sleep(settleMs);
    }
  }
  for (const [engine, values] of cpu)
    rows[0]!.notes.push(
      `${engine}: ${(sum(values) / values.length).toFixed(2)} ms of its daemon's processors each`,
    );
  return rows;
}

function sum(values: number[]): number {
  return values.reduce((total, each) => total + each, 0);
}

async function populate({ engine, client }: Contestant): Promise<void> {
  for (let made = 0; made < listed.stopped + listed.running; made++) {
    const isRunning = made < listed.running;
    const body = engine.api!.document(isRunning ? ["sleep", "86400"] : ["true"]);
    await client.request("POST", `/containers/create?name=listed-${made}`, 201, body);
    await client.request("POST", `/containers/listed-${made}/start`, 204);
    if (!isRunning) await client.request("POST", `/containers/listed-${made}/wait`, 200);
  }
}

async function depopulate(client: ApiClient): Promise<void> {
  for (const { Id } of await client.json("GET", "/containers/json?all=1", 200))
    await client.request("DELETE", `/containers/${Id}?force=1`, 204);
}

const idleMs = 10_000;

/** Memory, by resident pages and by share, and the time of processors, of a daemon and what it keeps beside it. */
async function idleRows(contestants: Contestant[], when: string): Promise<Row[]> {
  const row = (name: string, title: string, unit: Row["unit"], rest: Partial<Row> = {}): Row => {
    const samples = contestants.map(
      ({ engine }): Sample => ({ engine: engine.name, values: [], failures: [] }),
    );
    return {
      name: `api: ${name}`,
      title: `${title} of a daemon ${when}`,
      unit,
      samples,
      targets,
      notes: [],
      ...rest,
    };
  };
  const resident = row("idle memory", "resident memory", "KiB", { limit: 60 << 10 });
  const shares = row("idle memory, shared pages by share", "proportional set size", "KiB");
  const busy = row("idle processors", `time of processors in ${idleMs / 1000} s without a request`, "ms", {
    limit: 10,
    targets: {},
  });
  await Bun.sleep(2000); // what the last request has left to be done
  const before = contestants.map(({ pid }) => cpuOf(pid));
  await Bun.sleep(idleMs);
  for (const [index, { pid }] of contestants.entries()) {
    const kept = treeOf(pid).flatMap((each) => memoryOf(each) ?? []);
    resident.samples[index]!.values.push(sum(kept.map(({ rssKiB }) => rssKiB)));
    shares.samples[index]!.values.push(sum(kept.map(({ pssKiB }) => pssKiB)));
    busy.samples[index]!.values.push(cpuOf(pid) - before[index]!);
    const what = kept.map(({ name, rssKiB }) => `${name} ${rssKiB} KiB`).join(", ");
    resident.notes.push(`${contestants[index]!.engine.name}: ${what}`);
  }
  return [resident, shares, busy];
}
