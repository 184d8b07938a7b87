/** Volumes that come and go, several processes at once, killed at any moment: what is left is whole, and goes when asked. */
import { expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Host } from "../../src/engine/host.ts";
import { pruneVolumes } from "../../src/engine/volume/prune.ts";
import { volumeDirectory } from "../../src/volume/directory.ts";
import { whereThere } from "../support/leaks.ts";
import { needs } from "../support/root.ts";
import { testSession } from "../support/session.ts";
import { scratch } from "../unit/store/samples.ts";

const rounds = Number(process.env.RT_CRASH_ROUNDS || 20);

needs({ root: true }).test(
  "kill -9 of creations and removals of volumes at random moments",
  async () => {
    using dir = scratch();
    const [root, state] = [join(dir.path, "root"), join(dir.path, "state")];
    using host = new Host(testSession(), { root, state });
    const volumes = await host.volumes();
    for (let round = 0; round < rounds; round++) {
      const command = [process.execPath, join(import.meta.dir, "volume-loop.ts"), root, state];
      const children = [0, 1, 2].map(() => Bun.spawn(command, { stdout: "ignore", stderr: "pipe" }));
      await Bun.sleep(100 + Math.random() * 150);
      for (const child of children) child.kill("SIGKILL");
      for (const child of children) {
        await child.exited;
        expect(await child.stderr.text()).toBe("");
      }
      for (const { name, record } of volumes.list()) {
        expect([name, existsSync(volumeDirectory(root, name))]).toEqual([name, true]);
        expect(record.options).toEqual({});
      }
    }
    await pruneVolumes(host, { filters: { all: ["true"] } });
    expect(volumes.list()).toEqual([]);
    // On a busy machine nobody may have come so far as to make the first.
    expect(whereThere(() => readdirSync(join(root, "volumes")), [])).toEqual([]);
    expect(host.database.all("SELECT * FROM leases")).toEqual([]);
  },
  120_000,
);
