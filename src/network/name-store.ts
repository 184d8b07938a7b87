import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import type { Database } from "../store/database.ts";
import { type Address, addressBytes } from "./address.ts";

/**
 * Who is called what in a network: a file for each, which the monitors of the containers in it read when somebody asks them
 * (zig-native/monitor/names_files.zig says what stands in it). A line is a container that runs:
 *
 *   ac120002,fd000000000000000000000000000002 0123456789ab web www db-host
 *
 * It is written when the container has its interface, and goes in the transaction that makes its end known, so that no
 * name is left once that is on record; whoever writes drops what is not in the network any more.
 */
export class NameStore {
  readonly directory: string;
  readonly #database: Database;

  /** @param state rt's state directory */
  constructor(database: Database, state: string) {
    this.#database = database;
    this.directory = join(state, "networks");
  }

  /** The directory is there from here on. */
  prepare(): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
  }

  /**
   * A container is found from here on, unless it is over.
   * @param names the first is its own
   */
  enter(
    { network, container, addresses }: { network: string; container: string; addresses: readonly Address[] },
    names: readonly string[],
  ): void {
    const [own, ...others] = names.filter(isName).map((name) => name.toLowerCase());
    const words = [digitsOf(addresses), shortId(container), own, ...new Set(others)];
    this.#database.within(() => this.#write(network, container, () => words.join(" ")));
  }

  /** Its own name is another one. In a transaction, after which comes `settle`, by him or whoever is next. */
  rename(container: string, name: string): void {
    if (!this.#networksOf(container).some((network) => existsSync(this.#fileOf(network)))) return;
    writeFileSync(this.#renaming, container, { mode: 0o600 });
    this.#rename(container, name);
  }

  /** Who renames a container may die before all know its name, with the files done: they have what it is called after all. */
  settle(): void {
    if (!existsSync(this.#renaming)) return;
    // Nobody is about to rename one meanwhile.
    this.#database.transaction(() => {
      const [container = ""] = readLines(this.#renaming);
      const row = this.#database.get<{ name: string }>("SELECT name FROM containers WHERE id = ?", container);
      if (row) this.#rename(container, row.name);
      rmSync(this.#renaming, { force: true });
    });
  }

  #rename(container: string, name: string): void {
    for (const network of this.#networksOf(container))
      this.#write(network, container, (line) => renamed(line, name.toLowerCase()));
  }

  /** Whose names are being changed: no network has such an id. */
  get #renaming(): string {
    return join(this.directory, "renaming");
  }

  /** `act` takes it out of one network. In one transaction. */
  leave(container: string, network: string, act: () => void): void {
    this.#database.within(() => {
      act();
      this.#write(network, container, () => undefined);
    });
  }

  /** `act` is its end. In one transaction. */
  leaving<T>(container: string, act: () => T): T {
    return this.#database.within(() => {
      const networks = this.#networksOf(container);
      const result = act();
      for (const network of networks) this.#write(network, container, (line) => line);
      return result;
    });
  }

  /** The network is no more. */
  remove(network: string): void {
    const path = this.#fileOf(network);
    for (const each of [path, `${path}.new`]) rmSync(each, { force: true });
  }

  #networksOf(container: string): string[] {
    const sql = "SELECT network FROM network_endpoints WHERE container = ?";
    return this.#database.all<{ network: string }>(sql, container).map((row) => row.network);
  }

  /** @param change its line as it was, or undefined, to what it is to be; of one that is not in the network there is none */
  #write(network: string, container: string, change: (line: string | undefined) => string | undefined): void {
    const path = this.#fileOf(network);
    const before = readLines(path);
    const own = shortId(container);
    const active = this.#activeIn(network);
    const kept = before.filter((line) => idOf(line) !== own && active.has(idOf(line)));
    const line = active.has(own) ? change(before.find((each) => idOf(each) === own)) : undefined;
    const after = line === undefined ? kept : [...kept, line];
    if (after.length === 0) {
      // Somebody may have died over the other.
      for (const each of [path, `${path}.new`]) rmSync(each, { force: true });
      return;
    }
    if (after.join("\n") === before.join("\n")) return;
    writeFileSync(`${path}.new`, `${after.join("\n")}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  /** Short ids of those that run in it, or are about to. */
  #activeIn(network: string): Set<string> {
    const sql = `SELECT substr(e.container, 1, 12) AS id FROM network_endpoints AS e
      JOIN containers AS c ON c.id = e.container WHERE e.network = ? AND c.exit_code IS NULL`;
    return new Set(this.#database.all<{ id: string }>(sql, network).map(({ id }) => id));
  }

  #fileOf(network: string): string {
    return join(this.directory, network);
  }
}

/** What can stand in a line, and be asked for. */
export function isName(text: string): boolean {
  return /^[a-zA-Z0-9_.-]{1,253}$/.test(text);
}

export function shortId(container: string): string {
  return container.slice(0, 12);
}

function idOf(line: string): string {
  return line.split(" ", 2)[1] ?? "";
}

function renamed(line: string | undefined, name: string): string | undefined {
  const [addresses, id, , ...others] = line?.split(" ") ?? [];
  return addresses === undefined ? undefined : [addresses, id, name, ...others].join(" ");
}

export function digitsOf(addresses: readonly Address[]): string {
  return addresses
    .map((address) =>
      addressBytes(address)
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join(""),
    )
    .join(",");
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split("\n").filter(Boolean);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
