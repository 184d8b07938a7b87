/** Pulls and removals, several at once, killed at any moment: what is left is always a whole store. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { collect } from "../../src/engine/care/collect.ts";
import { Host } from "../../src/engine/host.ts";
import { pull, pullFrom } from "../../src/engine/image/pull.ts";
import { removeImage } from "../../src/engine/image/remove.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { busyboxLayout } from "../support/images.ts";
import { needs } from "../support/root.ts";
import { testSession } from "../support/session.ts";
import { FakeSource, fakeHost, layerBytes } from "../unit/engine/fakes.ts";
import { scratch } from "../unit/store/samples.ts";

const script = join(import.meta.dir, "../unit/engine/image/pull-one.ts");
const rounds = Number(process.env.RT_CRASH_ROUNDS || 40);
const layers = [0, 1, 2].map((n) => layerBytes(`shared ${n}`, 400_000));

/** Every record is readable, and all that it speaks of is there and intact. */
async function checkStore(host: Host): Promise<void> {
  const check = host.database.get<{ integrity_check: string }>("PRAGMA integrity_check");
  expect(check?.integrity_check).toBe("ok");
  expect(host.database.all("PRAGMA foreign_key_check")).toEqual([]);
  const content = await host.content();
  const driver = await host.snapshots();
  for (const digest of content.list()) expect(await content.intact(digest)).toBe(true);
  for (const { record } of host.images.list()) {
    for (const chain of record.chain) expect(driver.has(chain)).toBe(true);
    for (const { digest } of [record.manifest, record.configuration, ...record.layers]) {
      expect(content.has(digest)).toBe(true);
    }
  }
}

test("kill -9 of pulls and removals at random moments", async () => {
  using dir = scratch();
  using host = fakeHost(dir.path);
  host.images.list();
  for (let round = 0; round < rounds; round++) {
    const log = join(dir.path, "log");
    const children = Array.from({ length: 3 }, () =>
      Bun.spawn([process.execPath, script, dir.path, log, "1000", "3", "400000"], {
        stdout: "ignore",
        stderr: "pipe",
      }),
    );
    await Bun.sleep(20 + Math.random() * 120);
    for (const child of children) child.kill("SIGKILL");
    for (const child of children) {
      await child.exited;
      expect(await child.stderr.text()).toBe("");
    }
    await checkStore(host);
  }
  // And nothing stands in the way of the next commands.
  const source = new FakeSource({ reference: "docker.io/library/shared:latest", layers });
  await pullFrom(host, source);
  await checkStore(host);
  for (const { record } of host.images.list())
    host.images.remove(record.id, { force: true, isRunning: () => false });
  await collect(host, { now: Date.now() + 48 * 3600 * 1000 });
  expect((await host.content()).list()).toEqual([]);
  expect(readdirSync(join(host.paths.root, "content/ingest"))).toEqual([]);
  expect(host.driver.list().committed).toEqual([]);
  expect(host.database.all("SELECT * FROM leases")).toEqual([]);
  expect(layers.map((layer) => digestOf(layer))).toHaveLength(3);
}, 120_000);

const real = needs({ root: true, tools: ["busybox"] });

real.test(
  "the same with real layers",
  async () => {
    using dir = scratch();
    const [root, state] = [join(dir.path, "root"), join(dir.path, "state")];
    const source = `oci:${await busyboxLayout()}:latest`;
    for (let round = 0; round < rounds / 2; round++) {
      const command = [process.execPath, join(import.meta.dir, "pull-loop.ts"), root, state, source];
      const children = [0, 1].map(() => Bun.spawn(command, { stdout: "ignore", stderr: "pipe" }));
      await Bun.sleep(50 + Math.random() * 200);
      for (const child of children) child.kill("SIGKILL");
      for (const child of children) {
        await child.exited;
        expect(await child.stderr.text()).toBe("");
      }
      using host = new Host(testSession(), { root, state });
      await checkStore(host);
    }
    using host = new Host(testSession(), { root, state });
    await pull(host, source);
    await checkStore(host);
    const driver = await host.snapshots();
    for (const { record } of host.images.list()) await removeImage(host, record.id, { force: true });
    await collect(host, { now: Date.now() + 48 * 3600 * 1000 });
    expect(driver.list()).toEqual({ active: [], committed: [] });
    expect((await host.content()).list()).toEqual([]);
    expect(readdirSync(join(root, "content/ingest"))).toEqual([]);
  },
  120_000,
);
