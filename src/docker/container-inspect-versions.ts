import type { ContainerInspect } from "./container-inspect.ts";
import { defaultNetwork } from "./endpoint-settings.ts";

const builtIn = new Set([defaultNetwork, "host", "none"]);

/** GET /containers/ID/json as clients knew it who found all names of a container among its aliases: before 1.45. */
export function withAllAliases(document: ContainerInspect): ContainerInspect {
  if (!("NetworkSettings" in document)) return document;
  const names = [document.Id.slice(0, 12), document.Config.Hostname];
  const networks = Object.entries(document.NetworkSettings.Networks).map(([network, place]) => {
    if (builtIn.has(network)) return [network, place] as const;
    return [network, { ...place, Aliases: [...new Set([...(place.Aliases ?? []), ...names])] }] as const;
  });
  return {
    ...document,
    NetworkSettings: { ...document.NetworkSettings, Networks: Object.fromEntries(networks) },
  };
}
