/** `bun volume-loop.ts ROOT STATE`: volumes come and go until somebody ends it. */
import { Host } from "../../src/engine/host.ts";
import { createVolume } from "../../src/engine/volume/create.ts";
import { pruneVolumes } from "../../src/engine/volume/prune.ts";
import { removeVolume } from "../../src/engine/volume/remove.ts";
import { testSession } from "../support/session.ts";

const [root, state] = process.argv.slice(2) as [string, string];
using host = new Host(testSession(), { root, state });
const volumes = await host.volumes();
for (let round = 0; ; round++) {
  const name = `v${Math.floor(Math.random() * 4)}`;
  await createVolume(host, { name, driver: "local", labels: { round: String(round) }, options: {} });
  {
    const { lease } = volumes.hold([{ name: `${name}-held`, anonymous: false, labels: {}, options: {} }]);
    using _ = lease;
  }
  await removeVolume(host, name, { force: true });
  if (round % 5 === 0) await pruneVolumes(host, { filters: { all: ["true"] } });
}
