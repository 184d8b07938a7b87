import type { Page } from "../../distribution/route.ts";
import type { DistributionStore, ServedRepository } from "../../distribution/store.ts";
import { RepositoryStore } from "../../image/repository-store.ts";
import { Documents } from "./documents.ts";
import { Pulled } from "./pulled.ts";
import { Repository } from "./repository.ts";
import { pathOfRepository, repositoryCalled } from "./repository-name.ts";
import type { Shared } from "./shared.ts";
import { UploadRoom } from "./upload-room.ts";

/** The store of this host as the protocol knows it: its images by their names, and what was pushed. */
export class Repositories implements DistributionStore {
  readonly #shared: Shared;
  readonly #home: string;

  /** @param home the domain of names without one */
  constructor(shared: Omit<Shared, "rows" | "hashes" | "room" | "documents" | "pulled">, home: string) {
    const rows = new RepositoryStore(shared.host.database);
    const room = new UploadRoom(rows, shared.host.paths.root);
    room.settle((id) => shared.content.uploadSize(id));
    const documents = new Documents(shared.content);
    const pulled = new Pulled(rows, documents);
    this.#shared = { ...shared, rows, hashes: new Map(), room, documents, pulled };
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
