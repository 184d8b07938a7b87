import type { Page } from "../../distribution/route.ts";
import type { DistributionStore, ServedRepository } from "../../distribution/store.ts";
import { RepositoryStore } from "../../image/repository-store.ts";
import { Repository } from "./repository.ts";
import { pathOfRepository, repositoryCalled } from "./repository-name.ts";
import type { Shared } from "./shared.ts";

/** The store of this host as the protocol knows it: its images by their names, and what was pushed. */
export class Repositories implements DistributionStore {
  readonly domain: string;
  readonly #shared: Shared;

  constructor(shared: Omit<Shared, "rows" | "hashes">, domain: string) {
    this.#shared = { ...shared, rows: new RepositoryStore(shared.host.database), hashes: new Map() };
    this.domain = domain;
  }

  repositories({ last, limit }: Page): string[] {
    const all = this.#shared.rows
      .repositories()
      .map((repository) => pathOfRepository(repository, this.domain));
    return all
      .sort()
      .filter((name) => name > last)
      .slice(0, limit + 1);
  }

  repository(name: string): ServedRepository {
    return new Repository(this.#shared, repositoryCalled(name, this.domain));
  }
}
