import { RtError } from "../../base/errors.ts";
import {
  checkFilters,
  type Filters,
  hasLabel,
  isTrue,
  matcher,
  namePattern,
  networkFilters,
} from "../../docker/filters.ts";
import type { NetworkDocument } from "../../docker/network.ts";
import { isPredefined } from "../../network/record.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { describeNetwork } from "./describe.ts";

/** By name. @throws RtError invalid-argument: a filter that is none */
export async function listNetworks(
  host: Host,
  { filters }: { filters: Filters },
): Promise<NetworkDocument[]> {
  checkFilters(filters, networkFilters);
  await reconcile(host);
  const networks = (await host.networks()).store.list();
  const documents = await Promise.all(networks.map((network) => describeNetwork(host, network)));
  return documents.filter(matcher(filters, predicate));
}

function predicate(key: string, value: string): (network: NetworkDocument) => boolean {
  switch (key) {
    case "name": {
      const pattern = namePattern(value);
      return ({ Name }) => pattern.test(Name);
    }
    case "id":
      return ({ Id }) => Id.startsWith(value);
    case "driver":
      return ({ Driver }) => Driver === value;
    case "scope":
      return ({ Scope }) => Scope === value;
    case "type":
      return ({ Name }) => isPredefined(Name) === (value === "builtin");
    case "dangling":
      return ({ Name, Containers }) =>
        (!isPredefined(Name) && Object.keys(Containers).length === 0) === isTrue(value);
    case "label":
      return ({ Labels }) => hasLabel(Labels, value);
    default:
      throw new RtError("internal", `the filter ${key} has no meaning`);
  }
}
