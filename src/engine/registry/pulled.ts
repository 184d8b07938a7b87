import type { RepositoryStore } from "../../image/repository-store.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import type { Documents } from "./documents.ts";

const indexDepthMax = 4;
/** For so long it is believed that no more has come of what an index names. */
const age_ms = 1000;
const repositoriesMax = 64;

interface Gathered {
  targets: string;
  at: number;
  named: ReadonlyMap<Digest, string>;
}

/**
 * What the indexes name by which images came here that were pulled or loaded, repository by repository. What was pushed is not
 * looked at: all that it names is on record, so strangers do not add to what is to be walked.
 */
export class Pulled {
  readonly #rows: RepositoryStore;
  readonly #documents: Documents;
  readonly #known = new Map<string, Gathered>();

  constructor(rows: RepositoryStore, documents: Documents) {
    this.#rows = rows;
    this.#documents = documents;
  }

  /** Media types of what is named, by digest; the indexes and manifests among them. */
  namedIn(repository: string): ReadonlyMap<Digest, string> {
    const targets = this.#rows.pulledTargets(repository);
    const key = targets.join(" ");
    const known = this.#known.get(repository);
    if (known?.targets === key && performance.now() - known.at < age_ms) return known.named;
    const named = new Map<Digest, string>();
    for (const target of targets) this.#gather(target, named, 0);
    this.#known.delete(repository);
    this.#known.set(repository, { targets: key, at: performance.now(), named });
    if (this.#known.size > repositoriesMax) this.#known.delete(this.#known.keys().next().value!);
    return named;
  }

  #gather(digest: Digest, into: Map<Digest, string>, depth: number): void {
    const document = depth > indexDepthMax ? undefined : this.#documents.get(digest);
    if (!document) return;
    into.set(digest, document.mediaType);
    for (const entry of document.named) {
      if (!isDigest(entry.digest)) continue;
      if (!document.isIndex) into.set(entry.digest, entry.mediaType);
      else if (!into.has(entry.digest)) this.#gather(entry.digest, into, depth + 1);
    }
  }
}
