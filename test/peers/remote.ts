/**
 * RT_DOCKERD=/path/to/docker.sock bun test/peers/remote.ts
 *
 * The engine behind Docker's own API: called by hand, as root, with a dockerd that listens there. The prober is loaded into it,
 * and what a client does is done; a line for each, and exit status 1 when anything else came out. Nothing is left there.
 */
import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openLocal } from "../../src/engine/local.ts";
import { connectDuplex } from "../../src/http/socket.ts";
import { openRemote } from "../../src/remote/remote.ts";
import { options, said, talking } from "../contract/engine/callers.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { testSession } from "../support/session.ts";

const path = process.env.RT_DOCKERD;
if (!path) throw new Error("RT_DOCKERD names no socket of dockerd");
const dial = () => connectDuplex({ unix: path });
const name = `rt-peer-${process.pid}`;
const image = `${name}:1`;
const session = testSession();
const { output } = session;
const docker = openRemote(session, { dial, address: `unix://${path}` });
const { container } = docker;
const run = (...argv: string[]) => options("--rm", "--network", "none", ...argv);

const steps: Readonly<Record<string, () => Promise<void>>> = {
  async "an image is loaded"() {
    const archive = await prober();
    const loaded: string[][] = [];
    const engine = docker.as(talking(piecesOf(archive)));
    await engine.image.load({ onLoaded: ({ names }) => void loaded.push(names) });
    assert.deepEqual(loaded, [[image]]);
    assert.ok((await docker.image.list({})).some(({ tags }) => tags.some((tag) => tag.name === image)));
  },
  async "a program's output and status"() {
    assert.equal(await container.run(run(image, "exit", "7")), 7);
    assert.equal(await container.run(run(image, "args", "b c")), 0);
    assert.match(output.stdout, /b c/);
    await container.run(run(image, "stderr", "oops"));
    assert.match(output.stderr, /oops/);
  },
  async "its input, to the end"() {
    const talker = talking(said(...Array.from({ length: 40 }, () => "0123456789".repeat(5000))));
    assert.equal(await docker.as(talker).container.run(run("-i", image, "stdin-sha256")), 0);
    assert.match(talker.output.stdout, /bytes 2000000/);
  },
  async "what cannot be executed"() {
    const absent = container.run(run("--entrypoint", "/none", image));
    await assert.rejects(absent, { code: "not-found", exitCode: 127 });
    await assert.rejects(container.run(run("--entrypoint", "/", image)), { exitCode: 126 });
  },
  async "a container's life"() {
    const id = await container.create(options("--name", name, "--network", "none", image, "sleep", "600"));
    await container.start(name, { attach: false, stdin: false, sigProxy: false });
    assert.equal((await container.inspect(name)).State.Status, "running");
    await container.pause(name);
    await assert.rejects(container.pause(name), { code: "conflict" });
    await container.unpause(name);
    const [found] = await container.list({ all: false, filters: { name: [name] } });
    assert.equal(found?.id, id);
    const [first] = await Array.fromAsync(
      await container.stats({ names: [name], all: false, stream: false }),
    );
    assert.equal(first?.[0]?.name, `/${name}`);
    const ended = container.wait(name);
    await container.stop(name, { timeout_s: 0 });
    assert.equal(await ended, 137);
    await container.remove(name, { force: true, volumes: true });
    await assert.rejects(container.inspect(name), { code: "not-found", exitCode: 1 });
  },
  async "what only the engine's own host can do"() {
    for (const ask of [
      () => docker.system.check(),
      () => container.why(name),
      () => docker.image.untag(image, []),
    ])
      await assert.rejects(ask(), { code: "unsupported" });
  },
};

async function* piecesOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/** The prober's image, as an archive of docker's. */
async function prober(): Promise<Uint8Array[]> {
  const directory = mkdtempSync(join(scratchDirectory(), "rt-peer-"));
  const pieces: Uint8Array[] = [];
  const saver = talking(said(), { output: (_, piece) => void pieces.push(piece.slice()) });
  try {
    const places = { root: join(directory, "root"), state: join(directory, "state") };
    using local = await openLocal(saver, { ...places, env: { HOME: directory } });
    await local.image.pull("embed:hello", {});
    await local.image.tag("embed:hello", [image]);
    await local.image.save([image], { format: "docker-archive" });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return pieces;
}

let failures = 0;
try {
  for (const [what, step] of Object.entries(steps)) {
    const error: unknown = await step().then(
      () => undefined,
      (thrown: unknown) => thrown ?? "nothing",
    );
    if (error) failures++;
    console.log(error ? `WRONG ${what}: ${error}` : `ok    ${what}`);
  }
} finally {
  await container.remove(name, { force: true, volumes: true }).catch(() => undefined);
  await docker.image.remove(image, { force: true }).catch(() => undefined);
}
process.exit(failures > 0 ? 1 : 0);
