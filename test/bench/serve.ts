/** `rt registry serve` beside docker-registry: eight clients at once that pull the Debian image, and that push it. */
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pushLayout } from "../support/push.ts";
import { freePort, startRegistry } from "../support/registry.ts";
import { until } from "../support/wait.ts";
import { benchDebianLayout, blob, type Manifest, tagged } from "./debian-image.ts";
import { type Contender, interleave, type Row, type Sample } from "./measure.ts";
import type { World } from "./world.ts";

const clients = 8;
const program = resolve(import.meta.dir, "registry-clients.ts");

/** One that listens, with a store of its own on the scratch tmpfs. */
interface Served extends AsyncDisposable {
  url: string;
}

type Serve = (world: World, withImage: boolean) => Promise<Served>;

export async function serveRows(world: World, rounds: number): Promise<Row[]> {
  const layout = await benchDebianLayout();
  const manifest: Manifest = await blob(layout, await tagged(layout, "gzip")).json();
  const bytes = clients * [manifest.config, ...manifest.layers].reduce((sum, { size }) => sum + size, 0);
  const servers: [string, Serve][] = [
    ["rt", serveRt],
    ["docker-registry", serveDockerRegistry],
  ];
  const row = async (what: "pull" | "push"): Promise<Row> => {
    const contenders = servers.map(([name, serve]) => contender(world, name, serve, { what, layout, bytes }));
    const samples = await interleave(contenders, { rounds, warmUp: 0 });
    return {
      name: `serve, ${what}`,
      title: `${clients} clients at once ${what} the Debian image, ${(bytes / 1e6).toFixed(0)} MB in all, with a fresh store on a tmpfs`,
      unit: "ms",
      samples,
      targets: { "docker-registry": 1 },
      notes: [rates(samples, bytes)],
    };
  };
  return [await row("pull"), await row("push")];
}

interface Work {
  what: "pull" | "push";
  layout: string;
  /** What all clients together should count. */
  bytes: number;
}

function contender(world: World, engine: string, serve: Serve, { what, layout, bytes }: Work): Contender {
  let served: Served | undefined;
  return {
    engine,
    shell: world.host,
    get command() {
      return `${process.execPath} ${program} ${what} ${served?.url} ${layout} gzip ${clients}`;
    },
    async before() {
      served = await serve(world, what === "pull");
    },
    async check({ stdout }) {
      if (stdout !== `${bytes}\n`) return `the clients counted ${stdout}`;
      const last = `client-${clients - 1}`;
      if (
        what === "push" &&
        !(await fetch(`${served!.url}/v2/${last}/manifests/gzip`, { headers: accept })).ok
      )
        return `${last} is not there`;
      return undefined;
    },
    after: async () => await served?.[Symbol.asyncDispose](),
  };
}

const accept = { Accept: "application/vnd.oci.image.manifest.v1+json" };

async function serveRt(world: World, withImage: boolean): Promise<Served> {
  await using stack = new AsyncDisposableStack();
  const { host: shell, binary, scratch, rt } = world;
  const dir = join(scratch, "rt-serve");
  stack.defer(() => rm(dir, { recursive: true }));
  await rt.open(dir);
  stack.defer(() => rt.close());
  if (withImage) {
    const { reference } = await world.debian();
    await shell.ok(`${binary} pull --quiet ${reference} && ${binary} tag ${reference} debian:gzip`);
  }
  const address = `127.0.0.1:${await freePort()}`;
  const log = join(scratch, "rt-serve.log");
  const line = `{ ${binary} registry serve --listen ${address} & } >${log} 2>&1; echo $!`;
  const pid = await shell.ok(line);
  stack.defer(async () => void (await shell.ok(`kill ${pid}; wait ${pid}; true`)));
  const url = `http://${address}`;
  await until("rt's registry answers", () =>
    fetch(`${url}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  const owned = stack.move();
  return { url, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function serveDockerRegistry(_: World, withImage: boolean): Promise<Served> {
  const registry = await startRegistry();
  if (withImage) await pushLayout(await benchDebianLayout(), "gzip", registry, "debian:gzip");
  return registry;
}

function rates(samples: readonly Sample[], bytes: number): string {
  const each = samples.map(({ engine, values }) => {
    const best = Math.min(...values);
    return `${engine} ${values.length === 0 ? "none" : (bytes / 1e3 / best).toFixed(0)}`;
  });
  return `MB a second, the best round: ${each.join(", ")}`;
}
