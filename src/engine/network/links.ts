import { RtError } from "../../base/errors.ts";
import type { LinkedNames } from "../../container/files.ts";
import { type Container, isContainerId, recordOf } from "../../container/stored-container.ts";
import { formatAddress } from "../../network/address.ts";
import type { Network } from "../../network/network-store.ts";
import type { Networks } from "../../network/networks.ts";
import { predefined } from "../../network/record.ts";
import type { NetworkWish } from "../../settings/network.ts";
import { allExposed } from "../../settings/port.ts";
import { isRunning, look } from "../container/look.ts";
import type { Host } from "../host.ts";

/**
 * Links of the default network, as the classic engine had them: `--link db:store` gives a container that runs by then a name
 * here, a line in /etc/hosts, and what it says of itself in variables of the environment:
 *
 *   STORE_NAME=/web/store
 *   STORE_PORT=tcp://172.17.0.2:5432                  its first one
 *   STORE_PORT_5432_TCP=tcp://172.17.0.2:5432         and _ADDR, _PORT, _PROTO, of each that it exposes
 *   STORE_ENV_VERSION=15                              of its own environment, but HOME and PATH
 *
 * In a record a link has the other's id; in other networks it is a name that is looked up, and is kept as it was typed. Where the
 * other one is started again and has another address, the line follows; the environment is that of the start.
 */
export interface Link extends LinkedNames {
  target: Container;
}

/** The default network: with it links mean more than a name. */
export function linksAreClassic({ name }: Pick<Network, "name">): boolean {
  return name === predefined.bridge;
}

/** What is asked of networks, as it is kept. @throws RtError not-found, in Docker's words */
export async function withLinks(host: Host, wishes: readonly NetworkWish[]): Promise<NetworkWish[]> {
  const { store } = await host.networks();
  return wishes.map((wish) =>
    linksAreClassic(store.get(wish.network)) ? { ...wish, links: resolvedLinks(host, wish.links) } : wish,
  );
}

/** With the ids of the others. @throws RtError not-found, in Docker's words */
export function resolvedLinks(host: Host, links: readonly string[]): string[] {
  return links.map((link) => {
    const [name = "", alias = name] = link.split(":");
    const target = host.containers.find(name);
    if (!target)
      throw new RtError("not-found", `could not get container for ${name}: No such container: ${name}`);
    return `${target.id}:${alias}`;
  });
}

/** With the names that the others have now; one that is gone is none any more. */
export function namedLinks(host: Host, links: readonly string[]): string[] {
  return links.flatMap((link) => {
    const [id = "", alias = id] = link.split(":");
    if (!isContainerId(id)) return [link];
    const target = host.containers.find(id);
    return target ? [`${target.name}:${alias}`] : [];
  });
}

/** Those of its links whose containers are there. */
export function linksOf(
  host: Host,
  networks: Networks,
  places: readonly { network: Network; wish: NetworkWish }[],
): Link[] {
  return places.flatMap(({ network, wish }) =>
    linksAreClassic(network) ? wish.links.flatMap((link) => linkOf(host, networks, network, link)) : [],
  );
}

function linkOf(host: Host, { endpoints }: Networks, network: Network, link: string): Link[] {
  const [id = "", alias = id] = link.split(":");
  const target = host.containers.find(id);
  if (!target) return [];
  const place = endpoints.ofContainer(target.id).find((each) => each.network === network.id);
  const addresses = target.isSettled ? [] : (place?.addresses ?? []).map(formatAddress);
  const names = [recordOf(target)?.hostname ?? target.id.slice(0, 12), target.name];
  return [{ alias, addresses, names, target }];
}

/** Where a link leads at this moment, and by which ports: none where there is no such container. */
export function linkedBy(host: Host, link: string): { target: string; ports: string[] }[] {
  const target = host.containers.find(link.slice(0, link.indexOf(":")));
  const record = target && recordOf(target);
  return record ? [{ target: record.id, ports: allExposed(record) }] : [];
}

/** Its links lead somewhere. @throws RtError conflict | invalid-argument, in Docker's words */
export function checkLinks(host: Host, name: string, links: readonly Link[]): void {
  for (const { alias, addresses, target } of links) {
    if (!isRunning(look(host, target).state))
      throw new RtError(
        "conflict",
        `Cannot link to a non running container: /${target.name} AS /${name}/${alias}`,
      );
    if (addresses.length === 0) {
      const message = `Cannot link to /${target.name}, as it does not belong to the default network`;
      throw new RtError("invalid-argument", message);
    }
  }
}

/** What a container that is about to start is told of those that it is linked to. */
export function linkEnvironment(name: string, links: readonly Link[]): string[] {
  return links.flatMap(({ alias, addresses, target }) => {
    const record = recordOf(target);
    return [
      `${prefixOf(alias)}_NAME=/${name}/${alias}`,
      ...portVariables(prefixOf(alias), addresses[0] ?? "", record?.expose ?? []),
      ...(record?.env ?? []).flatMap((entry) =>
        /^(HOME|PATH)=/.test(entry) ? [] : [`${prefixOf(alias)}_ENV_${entry}`],
      ),
    ];
  });
}

function prefixOf(alias: string): string {
  return alias.toUpperCase().replaceAll("-", "_");
}

/** @param exposed "80/tcp", sorted */
function portVariables(prefix: string, address: string, exposed: readonly string[]): string[] {
  const ports = exposed
    .map((text) => text.split("/"))
    .map(([port = "", protocol = "tcp"]) => ({ port, protocol }));
  const url = ({ port, protocol }: (typeof ports)[number]) => `${protocol}://${address}:${port}`;
  const [first] = ports;
  return [
    ...(first ? [`${prefix}_PORT=${url(first)}`] : []),
    ...ports.flatMap((each) => {
      const name = `${prefix}_PORT_${each.port}_${each.protocol.toUpperCase()}`;
      return [
        ...[`${name}=${url(each)}`, `${name}_ADDR=${address}`],
        ...[`${name}_PORT=${each.port}`, `${name}_PROTO=${each.protocol}`],
      ];
    }),
  ];
}
