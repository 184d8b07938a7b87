import type { Page } from "../../distribution/route.ts";
import type { DistributionStore, ServedRepository } from "../../distribution/store.ts";
import { RepositoryStore } from "../../image/repository-store.ts";
import { Repository } from "./repository.ts";
import { pathOfRepository, repositoryCalled } from "./repository-name.ts";
import type { Shared } from "./shared.ts";

/** The store of this host as the protocol knows it: its images by their names, and what was pushed. */
export class Repositories implements DistributionStore {
  readonly #shared: Shared;
  readonly #home: string;

  /** @param home the domain of names without one */
  constructor(shared: Omit<Shared, "rows" | "hashes">, home: string) {
    this.#shared = { ...shared, rows: new RepositoryStore(shared.host.database), hashes: new Map() };
    this.#home = home;
  }

  get upstream(): string | undefined {
    return this.#shared.mirror?.domain;
  }

  repositories({ last, limit }: Page): string[] {
    const all = this.#shared.rows
      .repositories()
      .map((repository) => pathOfRepository(repository, this.#home));
    return all
      .sort()
      .filter((name) => name > last)
      .slice(0, limit + 1);
  }

  repository(name: string): ServedRepository {
    return new Repository(this.#shared, repositoryCalled(name, this.#home));
  }
}
