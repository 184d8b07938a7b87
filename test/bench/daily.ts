/** A day with containers that outlive their command: begun, ended, copied to and from, and what they have written. */
import { join } from "node:path";
import type { Opened } from "./containers.ts";
import type { DailyCommands, Engine } from "./engine.ts";
import { type Contender, interleave, percentile, type Rounds, type Row, type Sample } from "./measure.ts";
import type { Timed } from "./shell.ts";

const logBytes = 100_000_000;
const files = 10_000;
const together = 100;
const committedBytes = 100_000_000;
const targets = { podman: 1, docker: 1 };

interface Work {
  name: string;
  title: string;
  /** Rounds are long: at most so many. */
  rounds: number;
  /** Once for each engine, before all rounds. */
  once?: (engine: Engine, daily: DailyCommands) => Promise<unknown>;
  before?: (engine: Engine, daily: DailyCommands) => Promise<unknown>;
  line: (daily: DailyCommands, engine: Engine) => string;
  after?: (engine: Engine, daily: DailyCommands) => Promise<unknown>;
  /** Standard output as it has to be. */
  check?: (stdout: string) => boolean;
}

const writing = `sh -c 'yes "a line of a log as programs write them, with a number: 1234567890" | head -c ${logBytes}'`;
const endless = "sleep 86400";

const remove = (name: string) => (engine: Engine, daily: DailyCommands) =>
  engine.shell.time(`${daily.command()} rm -f ${name}`);

const begun = (name: string) => (engine: Engine, daily: DailyCommands) =>
  engine.shell.ok(`${daily.make("run", `-d --name ${name}`)} ${daily.image()} ${endless}`);

const written = (name: string) => async (engine: Engine, daily: DailyCommands) => {
  await engine.shell.ok(
    `${daily.make("run", `-d ${daily.wholeLog} --name ${name}`)} ${daily.image()} ${writing}`,
  );
  await engine.shell.ok(`${daily.command()} wait ${name}`);
};

const works: Work[] = [
  {
    name: "run -d, rm -f",
    title: "`run -d` and `rm -f` of what that has begun",
    rounds: 20,
    line: (daily) =>
      `${daily.make("run", "-d --name daily")} ${daily.image()} ${endless} && ${daily.command()} rm -f daily`,
  },
  {
    name: "start, stop",
    title: "`start` and `stop -t 0` of a container",
    rounds: 20,
    once: (engine, daily) =>
      engine.shell.ok(`${daily.make("create", "--name daily")} ${daily.image()} ${endless}`),
    line: (daily) => `${daily.command()} start daily && ${daily.command()} stop -t 0 daily`,
  },
  {
    name: "logs",
    title: "`logs` of 100 MB",
    rounds: 5,
    once: written("daily-log"),
    line: (daily) => `${daily.command()} logs daily-log | wc -c`,
    check: (stdout) => Number(stdout) === logBytes,
  },
  {
    name: "logs -f",
    title: "`logs -f` of a program that writes 100 MB, from its start to its end",
    rounds: 5,
    before: remove("daily-follow"),
    line: (daily) =>
      `${daily.make("run", `-d ${daily.wholeLog} --name daily-follow`)} ${daily.image()} ${writing} >/dev/null && ` +
      `${daily.command()} logs -f daily-follow | wc -c`,
    after: remove("daily-follow"),
    check: (stdout) => Number(stdout) === logBytes,
  },
  {
    name: "cp into",
    title: "`cp` of a tree of 10,000 files into a container",
    rounds: 5,
    once: async (engine, daily) => {
      await engine.shell.ok(treeLine(engine));
      await begun("daily-cp")(engine, daily);
    },
    line: (daily, engine) => `${daily.command()} cp ${treeOf(engine)} daily-cp:/tmp`,
  },
  {
    name: "cp from",
    title: "`cp` of them out of it",
    rounds: 5,
    before: (engine) => engine.shell.ok(`rm -rf ${treeOf(engine)}-copy`),
    line: (daily, engine) =>
      `${daily.command()} cp daily-cp:/tmp/daily-tree-${engine.name} ${treeOf(engine)}-copy`,
    after: async (engine) => {
      const count = await engine.shell.ok(`find ${treeOf(engine)}-copy -type f | wc -l`);
      if (Number(count) !== files) throw new Error(`copied ${count} files`);
    },
  },
  {
    name: "commit",
    title: "`commit` of 100 MB",
    rounds: 5,
    once: async (engine, daily) => {
      await begun("daily-commit")(engine, daily);
      const fill = `head -c ${committedBytes} /dev/urandom >/data`;
      await engine.shell.ok(`${daily.command()} exec daily-commit sh -c '${fill}'`);
    },
    line: (daily) => `${daily.command()} commit daily-commit daily-committed`,
    after: (engine, daily) => engine.shell.ok(`${daily.command()} rmi daily-committed`),
  },
  {
    name: "100 run -d",
    title: "100 `run -d` at once, until the last has answered",
    rounds: 3,
    line: (daily) =>
      `for n in $(seq ${together}); do ${daily.make("run", "-d --name daily-$n")} ${daily.image()} ${endless} & done; wait`,
    check: (stdout) => stdout.trim().split("\n").length === together,
    after: (engine, daily) =>
      engine.shell.ok(`${daily.command()} rm -f $(seq -f daily-%g ${together})`, 180_000),
  },
];

function treeOf(engine: Engine): string {
  return engine.shell.inside(join(engine.shell.scratch, `daily-tree-${engine.name}`));
}

/** A hundred directories of a hundred files, of up to 8 KiB. */
function treeLine(engine: Engine): string {
  const top = treeOf(engine);
  return (
    `for d in $(seq 100); do mkdir -p ${top}/$d; for f in $(seq 100); do ` +
    `head -c $(( (d * f) % 8192 )) /dev/zero >${top}/$d/$f; done; done`
  );
}

export async function dailyRows(opened: Opened, rounds: Rounds): Promise<Row[]> {
  const rows: Row[] = [];
  for (const work of works) {
    const row = await dailyRow(opened, work, rounds);
    const medians = row.samples.map(
      ({ engine, values }) => `${engine} ${percentile(values, 0.5).toFixed(1)}`,
    );
    console.error(`  ${work.name}: ${medians.join(", ")} ms`);
    rows.push(row);
  }
  await forEach(opened, (engine, daily) =>
    engine.shell.time(
      `${daily.command()} rm -f daily daily-log daily-cp daily-commit; rm -rf ${treeOf(engine)}*`,
    ),
  );
  return rows;
}

async function dailyRow(opened: Opened, work: Work, rounds: Rounds): Promise<Row> {
  const contenders: Contender[] = [];
  const failed: Sample[] = [...opened.failed];
  await forEach(opened, async (engine, daily) => {
    try {
      await work.once?.(engine, daily);
      contenders.push(contender(work, engine, daily));
    } catch (error) {
      failed.push({ engine: engine.name, values: [], failures: [(error as Error).message] });
    }
  });
  const samples = await interleave(contenders, {
    rounds: Math.min(work.rounds, rounds.rounds),
    // What takes seconds is not made slower by what was never looked at before.
    warmUp: work.rounds > 5 ? rounds.warmUp : 0,
  });
  return {
    name: work.name,
    title: work.title,
    unit: "ms",
    samples: [...failed, ...samples],
    targets,
    notes: [],
  };
}

function contender(work: Work, engine: Engine, daily: DailyCommands): Contender {
  const check = ({ stdout }: Timed) =>
    work.check && !work.check(stdout) ? `printed ${JSON.stringify(stdout.slice(0, 300))}` : undefined;
  return {
    engine: engine.name,
    shell: engine.shell,
    command: work.line(daily, engine),
    check,
    ...(work.before && { before: async () => void (await work.before!(engine, daily)) }),
    ...(work.after && { after: async () => void (await work.after!(engine, daily)) }),
  };
}

async function forEach(opened: Opened, act: (engine: Engine, daily: DailyCommands) => Promise<unknown>) {
  for (const engine of opened.engines) if (engine.daily) await act(engine, engine.daily);
}

const thousand = 1000;

/** `ps -a` of a thousand containers, which each engine has made itself: that takes minutes. */
export async function thousandRow(opened: Opened, rounds: Rounds): Promise<Row> {
  const contenders: Contender[] = [];
  await forEach(opened, async (engine, daily) => {
    for (let made = 0; made < thousand; made += 20) {
      const line = `${daily.make("create", "")} ${daily.image()} ${endless}`;
      await engine.shell.ok(`for n in $(seq 20); do ${line} & done; wait`, 180_000);
    }
    const check = ({ stdout }: Timed) =>
      stdout.trim().split("\n").length > thousand ? undefined : `listed ${stdout.trim().split("\n").length}`;
    contenders.push({ engine: engine.name, shell: engine.shell, command: `${daily.command()} ps -a`, check });
  });
  const samples = await interleave(contenders, rounds);
  await forEach(opened, (engine, daily) =>
    engine.shell.ok(`${daily.command()} rm -f $(${daily.command()} ps -aq)`, 600_000),
  );
  const title = "`ps -a` of 1,000 containers";
  return { name: "ps -a, thousand", title, unit: "ms", samples, targets, notes: [] };
}
