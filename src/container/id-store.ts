import type { IdMap } from "../base/id-map.ts";
import type { IdSpan } from "../base/id-span.ts";
import type { Database } from "../store/database.ts";
import { acquireLease, type Lease, leasedItems } from "../store/leases.ts";

/** The host's numbers that containers with user namespaces of their own have. */
export type UsedIds = Record<keyof IdMap, IdSpan[]>;

const kinds = ["uids", "gids"] as const;

/**
 * Whose numbers of the host are whose. A container's are in its row's (schema.ts): they are its own from its creation to its
 * removal, whether or not it runs. While it is being made they are a lease of the command that makes it: if that dies, they are free.
 */
export class IdStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The maps of a container that is about to be made, with nobody in between.
   * @param choose given what others have
   */
  hold(choose: (used: UsedIds) => IdMap): { map: IdMap; lease: Lease } {
    const items: string[] = [];
    let map: IdMap | undefined;
    const lease = acquireLease(this.#database, items, () => {
      map = choose(this.#used());
      items.push(...itemsOf(map));
    });
    return { map: map!, lease };
  }

  #used(): UsedIds {
    const used: UsedIds = { uids: [], gids: [] };
    const sql = "SELECT kind, first, size FROM container_ids";
    for (const { kind, ...span } of this.#database.all<IdSpan & { kind: keyof IdMap }>(sql))
      used[kind]?.push(span);
    for (const item of leasedItems(this.#database)) {
      const [, kind, first, size] = /^ids:(uids|gids):(\d+):(\d+)$/.exec(item) ?? [];
      if (kind !== undefined) used[kind as keyof IdMap].push({ first: Number(first), size: Number(size) });
    }
    return used;
  }

  /** The names of those that have any. */
  holders(): string[] {
    const sql =
      "SELECT DISTINCT name FROM containers JOIN container_ids ON container = id ORDER BY created LIMIT 5";
    return this.#database.all<{ name: string }>(sql).map(({ name }) => name);
  }
}

function itemsOf(map: IdMap): string[] {
  return kinds.flatMap((kind) => map[kind].map(({ host, size }) => `ids:${kind}:${host}:${size}`));
}
