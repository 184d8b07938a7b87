import { RtError } from "../base/errors.ts";
import { parseCidr } from "./address.ts";
import { type Firewall, isMasqueraded } from "./bridge.ts";
import { replaceTable, tableComment } from "./netlink.ts";
import type { Network, NetworkStore } from "./network-store.ts";
import { type Fenced, families, fence, revision } from "./rules.ts";

/** nft(8) could not name a table `rt`: that is a word of its grammar. */
const tableName = "rt-networks";

/**
 * The tables of the firewall, which follow from the networks that there are. They are not kept anywhere else: what a table was
 * made for stands in its comment, and where that is not what it should be, or the table is gone because somebody has flushed
 * all rules, it is made anew, as a whole. An rt with a root of its own has tables of its own.
 */
export class Fence implements Firewall {
  readonly #store: NetworkStore;
  readonly #name: string;

  /** @param root rt's directory */
  constructor(store: NetworkStore, root: string) {
    this.#store = store;
    const digest = new Bun.CryptoHasher("sha256").update(root).digest("hex").slice(0, 8);
    this.#name = root === "/var/lib/rt" ? tableName : `${tableName}-${digest}`;
  }

  /** Two of us at once would each put in what they know: the second waits until the first has done it, and sees what it has. */
  ensure(): void {
    const wanted = commentFor(this.#store.fingerprint());
    if (tableComment(families[4], this.#name) !== wanted) this.#store.exclusively(() => this.#build());
  }

  /** Whatever it says now. */
  restore(): void {
    this.#store.exclusively(() => this.#build());
  }

  /** After a network went, while no other comes or goes. Where nobody has needed the fence yet it is not made for that. */
  refresh(): void {
    if (tableComment(families[4], this.#name) !== undefined) this.#build();
  }

  #build(): void {
    const comment = commentFor(this.#store.fingerprint());
    const fenced = this.#store.list().flatMap(fencedOf);
    // What `ensure` looks at comes last: before that nothing is done.
    for (const family of [6, 4] as const) this.#put(family, comment, fenced);
  }

  /** A table that nobody needs is not there. */
  #put(family: 4 | 6, comment: string, fenced: readonly Fenced[]): void {
    const isNeeded = fenced.some(({ subnets }) => family === 4 || subnets.some((each) => each.family === 6));
    if (isNeeded) replaceTable(fence(family, this.#name, comment, fenced));
    else if (tableComment(families[family], this.#name) !== undefined)
      replaceTable({ family: families[family], name: this.#name, comment: "", sets: [], chains: [] });
  }
}

function commentFor(fingerprint: string): string {
  const digest = new Bun.CryptoHasher("sha256").update(fingerprint).digest("hex");
  return `${revision} ${digest.slice(0, 32)}`;
}

/** Of one that is damaged nothing but its interface is known: it leads nowhere until it is repaired. */
function fencedOf(network: Network): Fenced[] {
  const { interface: bridge } = network;
  if (bridge === "") return [];
  try {
    const { internal, options, subnets } = network.record;
    const all = subnets.map(({ subnet }) => parseCidr(subnet)!.subnet);
    return [{ bridge, internal, masquerade: isMasqueraded(options), subnets: all }];
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    return [{ bridge, internal: true, masquerade: false, subnets: [] }];
  }
}
