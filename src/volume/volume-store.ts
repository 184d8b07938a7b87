import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { isVolumeName } from "../settings/volume.ts";
import { decodeRecord, encodeRecord } from "../store/codec.ts";
import type { Database } from "../store/database.ts";
import { publicDirectory } from "../store/directory.ts";
import { acquireLease, type Lease, leasedItems } from "../store/leases.ts";
import { volumeDirectory } from "./directory.ts";
import { optionsName, readVolumeOptions, writeVolumeOptions } from "./options-file.ts";
import { anonymousLabel, type VolumeRecord, volumeType } from "./record.ts";

/** A volume as the store has it. Columns are there whatever has happened to the record. */
export interface Volume {
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  /** Nobody named it. */
  readonly anonymous: boolean;
  /** @throws RtError data-loss | unsupported */
  readonly record: VolumeRecord;
}

/** `name`: one that was checked, or 64 digits of ours. */
export interface NewVolume extends VolumeRecord {
  name: string;
  anonymous: boolean;
}

interface Row {
  name: string;
  created: string;
  anonymous: number;
  record: Uint8Array;
}

const columns = "name, created, anonymous, record";

/**
 * Volumes: a directory each, and a row that says what was said of it. The directory is what counts: one without a row (made by
 * an rt that had none, or before the database was lost) is a volume all the same, and gets one when it is met.
 *
 * A row and its directory come and go in one transaction, which has the write lock from its start; so nobody sees one of them
 * alone but after a crash, and nobody begins to use what another is removing.
 */
export class VolumeStore {
  readonly #database: Database;
  readonly #root: string;

  constructor(database: Database, root: string) {
    this.#database = database;
    this.#root = root;
  }

  /** Made, if it is not there yet: of one that is there nothing changes. */
  create(wanted: NewVolume): { volume: Volume; isNew: boolean } {
    return this.#database.transaction(() => {
      const isNew = this.#make(wanted);
      return { volume: this.get(wanted.name), isNew };
    });
  }

  /** All of these, made where they are not there yet (`made`: which), and in use until the lease ends. */
  hold(wanted: readonly NewVolume[]): { lease: Lease; made: string[] } {
    const items = wanted.map(({ name }) => leaseOf(name));
    let made: string[] = [];
    const lease = acquireLease(this.#database, items, () => {
      made = wanted.filter((each) => this.#make(each)).map(({ name }) => name);
    });
    return { lease, made };
  }

  /** @returns false when it was there */
  #make({ name, anonymous, labels, options }: NewVolume): boolean {
    const path = volumeDirectory(this.#root, name);
    const made = this.#stat(name);
    if (this.#row(name) === undefined) {
      const created = made ? createdOf(made) : new Date().toISOString();
      const marks: Record<string, string> = anonymous ? { [anonymousLabel]: "" } : {};
      this.#insert(name, created, anonymous, { labels: { ...labels, ...marks }, options });
    }
    if (made) return false;
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
    writeVolumeOptions(path, options);
    publicDirectory(path); // the container's users look into it
    return true;
  }

  #insert(name: string, created: string, anonymous: boolean, record: VolumeRecord): void {
    const sql = `INSERT OR IGNORE INTO volumes (${columns}) VALUES (?, ?, ?, ?)`;
    this.#database.run(sql, name, created, anonymous ? 1 : 0, encodeRecord(volumeType, record));
  }

  #row(name: string): Row | undefined {
    return this.#database.get<Row>(`SELECT ${columns} FROM volumes WHERE name = ?`, name);
  }

  /** The directory of volume `name`, if it is one. */
  #stat(name: string): Stats | undefined {
    try {
      const stats = statSync(volumeDirectory(this.#root, name));
      return stats.isDirectory() ? stats : undefined;
    } catch (error) {
      if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
      throw withCause(`cannot use volume ${name}`, error);
    }
  }

  /** @throws RtError not-found, in Docker's words */
  get(name: string): Volume {
    const row = isVolumeName(name) ? (this.#row(name) ?? this.#adopt(name)) : undefined;
    if (row) return new StoredVolume(row);
    throw new RtError("not-found", `get ${name}: no such volume`, { exitCode: 1 });
  }

  /** A row for a directory that has none. */
  #adopt(name: string): Row | undefined {
    const stats = this.#stat(name);
    if (!stats) return undefined;
    const anonymous = /^[0-9a-f]{64}$/.test(name);
    const labels: Record<string, string> = anonymous ? { [anonymousLabel]: "" } : {};
    this.#insert(name, createdOf(stats), anonymous, { labels, options: this.#optionsOf(name) });
    return this.#row(name);
  }

  /** Nobody knows those that nobody can read. */
  #optionsOf(name: string): Record<string, string> {
    try {
      return readVolumeOptions(volumeDirectory(this.#root, name)) ?? {};
    } catch (error) {
      if (error instanceof RtError) return {};
      throw error;
    }
  }

  /** All, the damaged ones too, in no order. */
  list(): Volume[] {
    this.leftovers();
    const rows = this.#database.all<Row>(`SELECT ${columns} FROM volumes`);
    const known = new Set(rows.map(({ name }) => name));
    const strays = this.#entries().filter((name) => isVolumeName(name) && !known.has(name));
    const adopted = strays.flatMap((name) => this.#adopt(name) ?? this.#removeHollow(name));
    return [...rows, ...adopted].map((row) => new StoredVolume(row));
  }

  /** Whoever was making it has died before there was more than its outer directory: nobody makes one outside a transaction. */
  #removeHollow(name: string): [] {
    this.#database.transaction(() => {
      if (this.#row(name) !== undefined) return;
      try {
        // Of one with a file system of its own the options come first.
        if (this.#entries(name).join() === optionsName)
          unlinkSync(join(this.#root, "volumes", name, optionsName));
        rmdirSync(join(this.#root, "volumes", name));
      } catch {
        // There is something in it, or it is no directory: not ours to judge.
      }
    });
    return [];
  }

  /** Rows without a directory, and directories without a row; nothing is adopted. */
  halves(): { rows: string[]; directories: string[] } {
    return this.#database.transaction(() => {
      const rows = this.#database.all<{ name: string }>("SELECT name FROM volumes").map(({ name }) => name);
      const known = new Set(rows);
      const names = this.#entries().filter((name) => isVolumeName(name) && this.#stat(name));
      return {
        rows: rows.filter((name) => !isVolumeName(name) || !this.#stat(name)),
        directories: names.filter((name) => !known.has(name)),
      };
    });
  }

  /** Those that have a row, the damaged ones too. */
  known(): Volume[] {
    return this.#database.all<Row>(`SELECT ${columns} FROM volumes`).map((row) => new StoredVolume(row));
  }

  #entries(below = ""): string[] {
    try {
      return readdirSync(join(this.#root, "volumes", below));
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw withCause("cannot list the volumes", error);
    }
  }

  /** Names of those that a container has, or will have in a moment; undefined: a container is damaged, and may have any. */
  inUse(): Set<string> | undefined {
    const rows = this.#database.all<{ volume: string }>("SELECT DISTINCT volume FROM container_volumes");
    if (rows.some(({ volume }) => volume === anyVolume)) return undefined;
    const held = this.#database.transaction(() => leasedItems(this.#database));
    const names = [...held].flatMap((item) => (item.startsWith(leasePrefix) ? [nameIn(item)] : []));
    return new Set([...rows.map(({ volume }) => volume), ...names]);
  }

  /**
   * Take a volume out of the world: from now on there is none of this name.
   *
   * @param but this container's use of it does not count: it is being removed
   * @param unmount what is mounted at its files is to go: what lies there is not the volume's
   * @returns the directory that is left to be removed; undefined if it had none
   * @throws RtError not-found; conflict: it is in use
   */
  take(name: string, but?: string, unmount: (files: string) => void = () => {}): string | undefined {
    const aside = join(this.#root, "volumes", `${removedPrefix}${crypto.randomUUID()}`);
    const directory = join(this.#root, "volumes", name);
    return this.#database.transaction(() => {
      this.get(name);
      const users = this.#usersOf(name).filter((id) => id !== but);
      if (leasedItems(this.#database).has(leaseOf(name))) users.push("a container that is being made");
      if (users.length > 0) {
        const text = `remove ${name}: volume is in use - [${users.join(", ")}]`;
        throw new RtError("conflict", text, { exitCode: 1 });
      }
      this.#database.run("DELETE FROM volumes WHERE name = ?", name);
      if (!existsSync(directory)) return undefined;
      try {
        unmount(volumeDirectory(this.#root, name));
        mkdirSync(aside, { mode: 0o700 });
        // Under its name: should we die before the row is gone, that says whose the row is.
        renameSync(directory, join(aside, name));
        return aside;
      } catch (error) {
        throw withCause(`remove ${name}`, error);
      }
    });
  }

  #usersOf(name: string): string[] {
    const sql = "SELECT container FROM container_volumes WHERE volume IN (?, ?) ORDER BY container";
    return this.#database.all<{ container: string }>(sql, name, anyVolume).map(({ container }) => container);
  }

  /** Is it in use by one of the containers that `isActive`, or about to be? */
  isNeeded(name: string, isActive: (container: string) => boolean): boolean {
    return this.#database.transaction(
      () => leasedItems(this.#database).has(leaseOf(name)) || this.#usersOf(name).some(isActive),
    );
  }

  /**
   * Directories that somebody took out of the world, and did not live to remove. Of those who died in the middle of it the
   * rows go.
   */
  leftovers(): string[] {
    const found = this.#entries().filter((name) => name.startsWith(removedPrefix));
    if (found.length === 0) return [];
    return this.#database.transaction(() => {
      for (const name of found.flatMap((each) => this.#entries(each))) {
        if (!this.#stat(name)) this.#database.run("DELETE FROM volumes WHERE name = ?", name);
      }
      return found.map((name) => join(this.#root, "volumes", name));
    });
  }
}

/** In the place of a name, of a container whose record nobody can read. */
const anyVolume = "*";

const leasePrefix = "volume:";
const leaseOf = (name: string): string => leasePrefix + name;
const nameIn = (item: string): string => item.slice(leasePrefix.length);

/** No volume's name begins so. */
const removedPrefix = ".removed-";

/** File systems without a time of birth say 1970. */
function createdOf({ birthtimeMs, mtimeMs }: Stats): string {
  return new Date(birthtimeMs > 0 ? birthtimeMs : mtimeMs).toISOString();
}

class StoredVolume implements Volume {
  readonly #row: Row;
  #record: VolumeRecord | undefined;

  constructor(row: Row) {
    this.#row = row;
  }

  get name(): string {
    return this.#row.name;
  }

  get created(): string {
    return this.#row.created;
  }

  get anonymous(): boolean {
    return this.#row.anonymous === 1;
  }

  get record(): VolumeRecord {
    this.#record ??= decodeRecord(volumeType, this.#row.record, this.name);
    return this.#record;
  }
}
