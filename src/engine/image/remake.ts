import { RtError, withCause } from "../../base/errors.ts";
import { LayerStore } from "../../image/layer-store.ts";
import type { ImageRecord } from "../../image/record.ts";
import type { Remake } from "../../image/stored-source.ts";
import type { Digest } from "../../oci/digest.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import type { Host } from "../host.ts";
import { defaultLayerSizeMax } from "./unpack.ts";

/**
 * A layer of `image` whose blob has gone is made again of what is unpacked, and kept. That gives the very bytes of what rt has
 * written itself (`rt commit`); an archive of another tool's is seldom met, and one that was compressed never: nothing but the
 * same bytes is taken for it.
 */
export function remaker(host: Host, name: string, image: ImageRecord): Remake {
  return async ({ digest }, signal) => {
    const index = image.layers.findIndex((layer) => layer.digest === digest);
    const lost = index < 0 ? `blob ${digest} of ${name}` : `layer ${digest} of ${name}`;
    const gone = (why: string) =>
      new RtError("not-found", `${lost} is no longer here${why}: pull the image again`);
    if (index < 0) throw gone("");
    if (image.diffIDs[index] !== digest) throw gone(", and what it was compressed by is not known");
    const chain = image.chain.slice(0, index + 1);
    const driver = await driverWith(host, chain.at(-1)!);
    if (!driver) throw gone(", packed or unpacked");
    using draft = (await host.content()).draft();
    const sizeMax = (await host.config()).maxLayerSize ?? defaultLayerSizeMax;
    const made = await driver.remake(chain, draft.fd, { sizeMax, abort: signal }).catch((error) => {
      throw withCause(`cannot make ${lost} again`, error);
    });
    if (made.digest !== digest)
      throw gone(`, and another tool has packed it (rt makes ${made.digest} of what is unpacked)`);
    await draft.sync();
    draft.publish(digest);
  };
}

async function driverWith(host: Host, chain: Digest): Promise<SnapshotDriver | undefined> {
  const usual = await host.snapshots();
  if (usual.has(chain)) return usual;
  for (const name of new LayerStore(host.database).drivers()) {
    const driver = await host.snapshotsOf(name);
    if (driver.has(chain)) return driver;
  }
  return undefined;
}
