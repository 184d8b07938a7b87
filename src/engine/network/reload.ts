import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";

/** What the networks of running containers need on this host is made again: rules, bridges, their ports. */
export async function reloadNetworks(host: Host): Promise<void> {
  await reconcile(host);
  (await host.networks()).restore((line) => host.warn(line));
}
