import type { NetworkDocument } from "../../docker/network.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { describeNetwork } from "./describe.ts";

/** Docker's document. @throws RtError not-found */
export async function inspectNetwork(host: Host, name: string): Promise<NetworkDocument> {
  await reconcile(host);
  return describeNetwork(host, (await host.networks()).store.get(name));
}
