/**
 * bun run bench [--rounds N] [--pull-rounds N] [--only NAME[,NAME…]] [--json FILE]
 *
 * Figures of rt beside those of the engines that are installed (world.ts says where they are looked for), in rounds in
 * which each has its turn. Names: true start run exec memory api daily thousand fences userns rootless among names network throughput
 * ports pull out load serve.
 * A missed target is shown and is no failure; the exit status is 1 when one of rt's own commands failed. Needs root,
 * mkfs.ext4, loop devices and docker-registry; ip, and for throughput nft.
 * Stores lie on fresh file systems in files on a tmpfs; RT_TEST_SCRATCH=/var/tmp puts those files on a disk.
 */
import { parseArgs } from "node:util";
import { missing } from "../support/root.ts";
import { amongRows } from "./among.ts";
import { apiRows } from "./api.ts";
import { execRow, memoryRows, openEngines, runRow } from "./containers.ts";
import { dailyRows, thousandRow } from "./daily.ts";
import { fenceRows } from "./fences.ts";
import { load, machine } from "./machine.ts";
import type { Rounds, Row } from "./measure.ts";
import { namesRow } from "./names.ts";
import { networkRows } from "./network.ts";
import { loadRow, outRows } from "./out.ts";
import { portsRow } from "./ports.ts";
import { pullRow } from "./pull.ts";
import { failures, printReport } from "./report.ts";
import { rootlessRow } from "./rootless.ts";
import { serveRows } from "./serve.ts";
import { harnessRow, startRow } from "./start.ts";
import { throughputRows } from "./throughput.ts";
import { usernsRows } from "./userns.ts";
import { makeWorld, type World } from "./world.ts";

const names = [
  "true",
  "start",
  "run",
  "exec",
  "memory",
  "api",
  "daily",
  "thousand",
  "fences",
  "userns",
  "rootless",
  "among",
  "names",
  "network",
  "throughput",
  "ports",
  "pull",
  "out",
  "load",
  "serve",
] as const;
type Name = (typeof names)[number];

interface Options extends Rounds {
  pullRounds: number;
  only: ReadonlySet<Name>;
  json: string | undefined;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(process.env.RT_DEBUG ? error : `bench: ${(error as Error).message}`);
  process.exit(1);
}

async function main(argv: string[]): Promise<number> {
  const options = parse(argv);
  const reason = missing({
    root: true,
    tools: ["unshare", "mkfs.ext4", "docker-registry", "busybox", "bash", "tar"],
  });
  if (reason) {
    console.error(`bench: needs ${reason}`);
    return 1;
  }
  const before = load();
  await using world = await makeWorld();
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(signal, () => void world.abort().finally(() => process.exit(status)));
  }
  const rows = await measure(world, options);
  const head = headOf(world, before);
  printReport({ head, rows });
  if (options.json) await Bun.write(options.json, `${JSON.stringify({ head, rows }, null, 2)}\n`);
  return failures(rows, "rt") > 0 ? 1 : 0;
}

function parse(argv: string[]): Options {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: "string", default: "20" },
      "pull-rounds": { type: "string", default: "3" },
      only: { type: "string", multiple: true, default: [] },
      json: { type: "string" },
    },
  });
  const chosen = values.only.flatMap((list) => list.split(","));
  const unknown = chosen.filter((name) => !names.some((each) => each === name));
  if (unknown.length > 0) throw new Error(`no row "${unknown[0]}": there are ${names.join(" ")}`);
  const only = names.filter((name) => chosen.length === 0 || chosen.includes(name));
  return {
    rounds: count(values.rounds),
    warmUp: 2,
    pullRounds: count(values["pull-rounds"]),
    only: new Set(only),
    json: values.json,
  };
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`want a number of rounds, not "${text}"`);
  return value;
}

async function measure(world: World, options: Options): Promise<Row[]> {
  const rows: Row[] = [];
  const row = async (name: Name, make: () => Promise<Row | Row[]>) => {
    if (!options.only.has(name)) return;
    console.error(`measuring ${name} …`);
    rows.push(...[await make()].flat());
  };
  await row("true", () => harnessRow(world, options));
  await row("start", () => startRow(world, options));
  if (["run", "exec", "memory", "api", "daily", "thousand"].some((name) => options.only.has(name as Name))) {
    await using opened = await openEngines(world);
    await row("run", () => runRow(opened, options));
    await row("exec", () => execRow(opened, options));
    await row("memory", () => memoryRows(opened));
    await row("api", () => apiRows(opened, options));
    await row("daily", () => dailyRows(opened, options));
    await row("thousand", () => thousandRow(opened, options));
  }
  await row("fences", () => fenceRows(world, options));
  await row("userns", () => usernsRows(world, options));
  await row("rootless", () => rootlessRow(world, options));
  await row("among", () => amongRows(world, options));
  await row("names", () => namesRow(world, options));
  await row("network", () => networkRows(world, options));
  await row("throughput", () => throughputRows(world, options));
  await row("ports", () => portsRow(world, options));
  await row("pull", () => pullRow(world, options.pullRounds));
  await row("out", () => outRows(world, { rounds: options.pullRounds, warmUp: 1 }));
  await row("load", () => loadRow(world, options.pullRounds));
  await row("serve", () => serveRows(world, options.pullRounds));
  return rows;
}

function headOf(world: World, before: string): string {
  const versions = world.engines.map((engine) => `${engine.name} ${engine.version}`);
  versions.push(`bun ${Bun.version}`, ...world.absent.map((name) => `${name} not installed`));
  const date = new Date().toISOString().slice(0, 10);
  return `${machine()}; load ${before} before, ${load()} after; ${versions.join(", ")}; ${date}`;
}
