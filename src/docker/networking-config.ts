import { invalid } from "../base/invalid.ts";
import { type Infer, listOf, mapOf, object, text } from "../base/shape.ts";
import type { AskedSettings } from "../settings/container-settings.ts";
import { checkNetworkSettings, parseAlias, parseMac, parseNetworkAddress } from "../settings/network.ts";
import { given, refuseOthers, unsupported } from "./zero.ts";

const texts = given(listOf(text), []);
const word = given(text, "");
const addressFields = { IPv4Address: word };
const endpointFields = {
  Aliases: texts,
  IPAMConfig: given(object(addressFields), { IPv4Address: "" }),
  MacAddress: word,
};
const endpoint = object(endpointFields);
type EndpointDocument = Infer<typeof endpoint>;
const fields = { EndpointsConfig: given(mapOf(given(endpoint, endpoint({}, ""))), {}) };

/** `NetworkingConfig` of POST /containers/create: what is asked of the network that `HostConfig.NetworkMode` names. */
export interface NetworkingConfig {
  EndpointsConfig: Record<string, Partial<EndpointDocument>>;
}

export const networkingConfig = object(fields);

type Settings = Pick<AskedSettings, "networkMode" | "networkAddress" | "networkMac" | "networkAliases">;

export function networkingDocument(settings: Settings): NetworkingConfig {
  const { networkMode, networkAddress, networkMac, networkAliases } = settings;
  const asked = {
    ...(networkAddress !== "" && { IPAMConfig: { IPv4Address: networkAddress } }),
    ...(networkMac !== "" && { MacAddress: networkMac }),
    ...(networkAliases.length > 0 && { Aliases: networkAliases }),
  };
  return { EndpointsConfig: Object.keys(asked).length > 0 ? { [networkMode]: asked } : {} };
}

/** @throws RtError invalid-argument | unsupported: several networks, or what rt does not have */
export function networkingSettings(networkMode: string, config: Infer<typeof networkingConfig>): Settings {
  refuseOthers(config, new Set(Object.keys(fields)), {}, "NetworkingConfig");
  const path = "NetworkingConfig.EndpointsConfig";
  const names = Object.keys(config.EndpointsConfig);
  if (names.length > 1) throw unsupported(path, names);
  const [name] = names;
  if (name !== undefined && name !== "default" && name !== networkMode)
    throw invalid(
      `invalid ${path}: it names ${JSON.stringify(name)}, and HostConfig.NetworkMode ${JSON.stringify(networkMode)}`,
    );
  const asked = config.EndpointsConfig[name ?? ""] ?? endpoint({}, "");
  refuseOthers(asked, new Set(Object.keys(endpointFields)), {}, path);
  refuseOthers(asked.IPAMConfig, new Set(Object.keys(addressFields)), {}, `${path}.IPAMConfig`);
  const settings = {
    networkMode,
    networkAddress: parseNetworkAddress(asked.IPAMConfig.IPv4Address, `${path}.IPAMConfig.IPv4Address`),
    networkMac: parseMac(asked.MacAddress, `${path}.MacAddress`),
    networkAliases: asked.Aliases.map((alias) => parseAlias(alias, `${path}.Aliases`)),
  };
  checkNetworkSettings(settings);
  return settings;
}
