import { invalid } from "../base/invalid.ts";
import { type Infer, integer, listOf, mapOf, object, text } from "../base/shape.ts";
import type { AskedSettings } from "../settings/container-settings.ts";
import { networkOf } from "../settings/namespace-mode.ts";
import {
  checkEndpointOption,
  checkNetworks,
  checkNetworkWish,
  isPlain,
  type NetworkWish,
  parseAlias,
  parseLink,
  parseMac,
  parseNetworkAddress,
  parseNetworkAddress6,
  parsePriority,
  plainWish,
  wishesOf,
} from "../settings/network.ts";
import { addressConfig, defaultNetwork } from "./endpoint-settings.ts";
import { given, read, refuseUnavailable } from "./zero.ts";

const texts = given(listOf(text), []);
const word = given(text, "");
const addressFields = { IPv4Address: word, IPv6Address: word };
const endpointFields = {
  Aliases: texts,
  IPAMConfig: given(object(addressFields), { IPv4Address: "", IPv6Address: "" }),
  MacAddress: word,
  Links: texts,
  DriverOpts: given(mapOf(text), {}),
  GwPriority: given(integer, 0),
};
const endpoint = object(endpointFields);
type EndpointDocument = Infer<typeof endpoint>;
const nothing = endpoint({}, "");
const fields = { EndpointsConfig: given(mapOf(given(endpoint, nothing)), {}) };

/** `NetworkingConfig` of POST /containers/create: the networks, first of all the one that `HostConfig.NetworkMode` names. */
export interface NetworkingConfig {
  EndpointsConfig: Record<string, EndpointConfig>;
}

/** What is asked of a network. */
type EndpointConfig = Partial<Omit<EndpointDocument, "IPAMConfig">> & {
  IPAMConfig?: NonNullable<ReturnType<typeof addressConfig>>;
};

export const networkingConfig = object(fields);

type Settings = Pick<AskedSettings, "networkMode" | "networks">;

/** Of one network about which nothing is said there is nothing in it. */
export function networkingDocument(settings: Settings): NetworkingConfig {
  const wishes = wishesOf(settings);
  const entries = wishes.map((wish) => {
    const links = wish.network === defaultNetwork ? [] : wish.links;
    return [wish.network, endpointDocument({ ...wish, links })] as const;
  });
  const isPlain = entries.length === 1 && Object.keys(entries[0]![1]).length === 0;
  return { EndpointsConfig: isPlain ? {} : Object.fromEntries(entries) };
}

function endpointDocument(wish: Omit<NetworkWish, "network">): EndpointConfig {
  const { address, address6, mac, aliases, links, options, priority } = wish;
  const IPAMConfig = addressConfig(address, address6);
  return {
    ...(IPAMConfig && { IPAMConfig }),
    ...(mac !== "" && { MacAddress: mac }),
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(links.length > 0 && { Links: links }),
    ...(Object.keys(options).length > 0 && { DriverOpts: options }),
    ...(priority !== 0 && { GwPriority: priority }),
  };
}

/**
 * @param links `HostConfig.Links`, which mean the network of the mode
 * @throws RtError invalid-argument | unsupported: networks beside one that is none, or what rt does not have
 */
export function networkingSettings(
  networkMode: string,
  config: Infer<typeof networkingConfig>,
  links: readonly string[] = [],
): Settings {
  const settings = withoutLinks(networkMode, config);
  if (links.length === 0) return settings;
  const [first = plainWish(networkMode), ...others] = settings.networks ?? [];
  const parsed = links.map((link) => parseLink(link, "HostConfig.Links"));
  const own = { ...first, links: [...new Set([...first.links, ...parsed])] };
  checkNetworkWish(networkMode, own);
  return { networkMode, networks: [own, ...others] };
}

function withoutLinks(networkMode: string, config: Infer<typeof networkingConfig>): Settings {
  const path = "NetworkingConfig.EndpointsConfig";
  const asked = Object.entries(config.EndpointsConfig).map(([name, each]) => {
    const network = name === "default" ? networkMode : name;
    return [network, endpointWish(network, each, path)] as const;
  });
  if (asked.length === 0) return { networkMode };
  const networks = networksOf(asked);
  if (networkOf(networkMode) === undefined) {
    const [first, ...others] = networks;
    if (others.length > 0 || first!.network !== networkMode) throw contradiction(path, networks, networkMode);
    checkNetworkWish(networkMode, first!);
    return { networkMode };
  }
  const own = networks.find(({ network }) => network === networkMode);
  if (!own && networks.length === 1) throw contradiction(path, networks, networkMode);
  const others = networks.filter((wish) => wish !== own);
  if (own && others.length === 0 && isPlain(own)) return { networkMode };
  return { networkMode, networks: [own ?? plainWish(networkMode), ...others] };
}

function networksOf(asked: readonly (readonly [string, NetworkWish])[]): NetworkWish[] {
  checkNetworks(asked.map(([network]) => network));
  return asked.map(([, wish]) => wish);
}

function contradiction(path: string, networks: readonly NetworkWish[], networkMode: string): Error {
  const names = networks.map(({ network }) => JSON.stringify(network)).join(", ");
  return invalid(
    `invalid ${path}: it names ${names}, and HostConfig.NetworkMode ${JSON.stringify(networkMode)}`,
  );
}

/** `EndpointConfig` of a request that puts a container into a network. @throws RtError invalid-argument | unsupported */
export function parseEndpoint(network: string, document: unknown): NetworkWish {
  return endpointWish(network, read(given(endpoint, nothing), document, "EndpointConfig"), "EndpointConfig");
}

/** And the other way. */
export function endpointConfigDocument(wish: Omit<NetworkWish, "network">): EndpointConfig {
  return endpointDocument(wish);
}

/** @throws RtError invalid-argument | unsupported */
function endpointWish(network: string, asked: EndpointDocument, path: string): NetworkWish {
  refuseUnavailable(asked.IPAMConfig, { LinkLocalIPs: () => false }, `${path}.IPAMConfig`);
  const { Aliases, DriverOpts, GwPriority, IPAMConfig, Links, MacAddress } = asked;
  return {
    network,
    address: parseNetworkAddress(IPAMConfig.IPv4Address, `${path}.IPAMConfig.IPv4Address`),
    address6: parseNetworkAddress6(IPAMConfig.IPv6Address, `${path}.IPAMConfig.IPv6Address`),
    mac: parseMac(MacAddress, `${path}.MacAddress`),
    aliases: Aliases.map((alias) => parseAlias(alias, `${path}.Aliases`)),
    links: Links.map((link) => parseLink(link, `${path}.Links`)),
    options: Object.fromEntries(
      Object.entries(DriverOpts).map(([key, value]) => checkEndpointOption(key, value, `${path}.DriverOpts`)),
    ),
    priority: parsePriority(String(GwPriority), `${path}.GwPriority`),
  };
}
