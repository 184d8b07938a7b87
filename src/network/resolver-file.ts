import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "./address.ts";
import { digitsOf, isName, shortId } from "./name-store.ts";

/** What a container may ask. */
export interface Resolver {
  networks: readonly { id: string; name: string }[];
  /** Other containers by names of its own: an id each. */
  links: readonly { alias: string; container: string }[];
  servers: readonly { address: Address; scope: number; from: "host" | "container" }[];
  /** Names without a dot are asked of no server. */
  keepsDotless: boolean;
  egress?: EgressNames | undefined;
}

/** Of one that may go to some destinations alone: zig-native/monitor/egress.zig. */
export interface EgressNames {
  /** The firewall's. */
  table: string;
  /** Nothing else is asked for. */
  isAll: boolean;
  /** From an address of the container's to what a name leads to; port 0: to any. */
  allowed: readonly { from: Address; name: string; port: number }[];
}

function egressLines({ table, isAll, allowed }: EgressNames): string[] {
  return [
    `egress ${table}`,
    ...(isAll ? ["egress-names"] : []),
    ...allowed.map(({ from, name, port }) => `allow ${digitsOf([from])} ${name} ${port}`),
  ];
}

/** The container's own file for its monitor, `resolver` in its state directory: in the place of the one that is there. */
export function writeResolver(directory: string, resolver: Resolver): void {
  const { networks, links, servers, keepsDotless } = resolver;
  const lines = [
    ...networks.map(({ id, name }) => `network ${id} ${name}`),
    ...links
      .filter(({ alias }) => isName(alias))
      .map(({ alias, container }) => `link ${alias.toLowerCase()} ${shortId(container)}`),
    ...servers.map(({ address, scope, from }) => `server ${from} ${digitsOf([address])} ${scope}`),
    ...(keepsDotless ? ["ndots"] : []),
    ...(resolver.egress ? egressLines(resolver.egress) : []),
  ];
  const path = join(directory, "resolver");
  writeFileSync(`${path}.new`, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
