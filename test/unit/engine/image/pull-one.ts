/**
 * Run in many processes by tests: pulls "shared" images and appends the bytes that it fetched to the file `log`.
 * The number of layers that it unpacked goes to `log`.unpacked.
 * Arguments: directory of the host, log, rounds, number of layers, bytes of each layer.
 */
import { appendFileSync } from "node:fs";
import { collect } from "../../../../src/engine/care/collect.ts";
import { pullFrom } from "../../../../src/engine/image/pull.ts";
import { removeImage } from "../../../../src/engine/image/remove.ts";
import { FakeSource, fakeHost, layerBytes } from "../fakes.ts";

const [directory = "", log = "", rounds = "1", layers = "3", size = "50000"] = process.argv.slice(2);
const host = fakeHost(directory);
const all = Array.from({ length: Number(layers) }, (_, n) => layerBytes(`shared ${n}`, Number(size)));
// The same layers the other way round: locks are then wanted in another order.
const images = [
  { reference: "docker.io/library/shared:latest", layers: all },
  { reference: "docker.io/library/reversed:latest", layers: all.toReversed() },
];
for (let round = 0; round < Number(rounds); round++) {
  for (const image of images) {
    const source = new FakeSource(image);
    source.meddle = async (chunk) => {
      await Bun.sleep(0);
      return chunk;
    };
    await pullFrom(host, source);
    for (const bytes of source.fetched.values()) appendFileSync(log, `${bytes}\n`);
  }
  appendFileSync(`${log}.unpacked`, "x".repeat(host.driver.unpacked.splice(0).length));
  if (Number(rounds) > 1 && round % 3 === 2) {
    await removeImage(host, "shared", { force: true }).catch(() => undefined); // Another process may have been faster.
    await collect(host);
  }
}
