import { afterEach, expect } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { flock } from "../../../src/native/system.ts";
import { SnapshotDirectory } from "../../../src/snapshot/directory.ts";
import { selectDriver } from "../../../src/snapshot/select.ts";
import { requireRoot } from "../../support/root.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { until } from "../../support/wait.ts";

const gated = requireRoot();
const dirs: string[] = [];

function directory(): string {
  const dir = mkdtempSync(join(scratchDirectory(), "rt-snapshots-"));
  dirs.push(dir);
  return dir;
}

afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

gated.test("a sweep takes what nobody holds, and only that", async () => {
  const snapshots = new SnapshotDirectory(directory());
  snapshots.ensure();
  for (const name of ["dead", "alive"]) mkdirSync(join(snapshots.tmp, name, "diff"), { recursive: true });
  const held = openSync(join(snapshots.tmp, "alive"), "r");
  flock(held, "exclusive", true);
  const born = openSync(snapshots.tmp, "r");
  flock(born, "shared", true);
  await snapshots.removeAbandoned();
  expect(readdirSync(snapshots.tmp).sort()).toEqual(["alive", "dead"]); // one is being born: all wait
  closeSync(born);
  await snapshots.removeAbandoned();
  expect(readdirSync(snapshots.tmp)).toEqual(["alive"]);
  closeSync(held);
  await snapshots.removeAbandoned();
  expect(readdirSync(snapshots.tmp)).toEqual([]);
});

gated.test("the driver is what was asked for, or what the probe found, which is remembered", async () => {
  const root = directory();
  expect((await selectDriver(root, "copy")).name).toBe("copy");
  await expect(selectDriver(root, "zfs")).rejects.toThrow(
    'unknown storage driver "zfs": there are overlay and copy',
  );
  const found = (await selectDriver(root)).name;
  expect(readdirSync(join(root, "snapshots"))).not.toContain(".probe");
  writeFileSync(join(root, "snapshots/driver"), found === "overlay" ? "copy\n" : "overlay\n");
  expect((await selectDriver(root)).name).not.toBe(found);
  writeFileSync(join(root, "snapshots/driver"), "nonsense");
  expect((await selectDriver(root)).name).toBe(found);
});

gated.test("when the engine is killed its helper ends, and the next sweep clears up", async () => {
  const root = directory();
  const script = `
    import { workbench } from ${JSON.stringify(join(import.meta.dir, "../../contract/bench.ts"))};
    import { OverlayDriver } from ${JSON.stringify(join(import.meta.dir, "../../../src/snapshot/overlay.ts"))};
    const request = workbench("overlay").request(new Uint8Array(600));
    const more = (have) => have === 0 ? Promise.resolve({ size: 600, done: false }) : new Promise(() => {});
    const driver = new OverlayDriver(${JSON.stringify(root)});
    driver.unpack({ ...request, source: { ...request.source, more } });
    setInterval(() => {}, 1000);`;
  const child = Bun.spawn([process.execPath, "-e", script], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    env: { ...process.env, RT_TEST_SCRATCH: root },
  });
  const tmp = join(root, "tmp");
  await until(
    "the helper is at work",
    () => existsSync(tmp) && readdirSync(tmp).some((name) => existsSync(join(tmp, name, "diff"))),
  );
  const snapshots = new SnapshotDirectory(root);
  await snapshots.removeAbandoned();
  expect(readdirSync(tmp)).toHaveLength(1);
  child.kill("SIGKILL");
  await child.exited;
  await until("the helper is gone", async () => {
    await snapshots.removeAbandoned();
    return readdirSync(tmp).length === 0;
  });
});
