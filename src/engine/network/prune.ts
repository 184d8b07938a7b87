import { RtError } from "../../base/errors.ts";
import { checkFilters, type Filters, hasLabel, matcher, networkPruneFilters } from "../../docker/filters.ts";
import type { PrunedNetworks } from "../../docker/network.ts";
import { parseMoment } from "../../docker/timestamp.ts";
import type { Network } from "../../network/network-store.ts";
import { isPredefined } from "../../network/record.ts";
import { withReserve } from "../../store/reserve.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { readable } from "../readable.ts";
import { removeNetworkIfUnused } from "./remove.ts";

/** Remove the networks that no container runs in. What the default one has on the host goes as well, until it is needed again. */
export async function pruneNetworks(host: Host, { filters }: { filters: Filters }): Promise<PrunedNetworks> {
  checkFilters(filters, networkPruneFilters);
  await reconcile(host);
  const networks = await host.networks();
  const warn = (line: string) => host.warn(line);
  const holds = matcher(filters, predicate(host));
  const pruned: PrunedNetworks = { NetworksDeleted: [] };
  for (const network of networks.store.list()) {
    if (networks.driver(network.driver, warn).isFixed || !holds(network)) continue;
    if (isPredefined(network.name)) networks.rest(network, warn);
    else if (await withReserve(host.paths.root, () => removeNetworkIfUnused(host, network.id)))
      pruned.NetworksDeleted.push(network.name);
  }
  return pruned;
}

function predicate(host: Host): (key: string, value: string) => (network: Network) => boolean {
  // Where labels decide, a network whose labels nobody can read stays.
  const labels = (network: Network) => readable(host, network)?.labels;
  return (key, value) => {
    switch (key) {
      case "label":
        return (network) => hasLabel(labels(network) ?? {}, value);
      case "label!":
        return (network) => {
          const own = labels(network);
          return own !== undefined && !hasLabel(own, value);
        };
      case "until": {
        const limit = Number(parseMoment("until", value, Date.now()));
        return ({ created }) => Date.parse(created) < limit;
      }
      default:
        throw new RtError("internal", `the filter ${key} has no meaning`);
    }
  };
}
