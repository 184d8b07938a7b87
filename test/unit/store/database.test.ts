import { Database as Sqlite } from "bun:sqlite";
import { expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { ContainerStore } from "../../../src/container/container-store.ts";
import { containerType } from "../../../src/container/record.ts";
import { encodeRecord } from "../../../src/store/codec.ts";
import { Database } from "../../../src/store/database.ts";
import { migrations, schemaVersion } from "../../../src/store/schema.ts";
import { run } from "../../support/command.ts";
import { needs } from "../../support/root.ts";
import { containerRecord, scratch } from "./samples.ts";

const script = join(import.meta.dir, "write-many.ts");

function codeOf(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof RtError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

test("a new store is private, whatever the umask", () => {
  using dir = scratch();
  const before = process.umask(0);
  try {
    const root = join(dir.path, "var/lib/rt");
    using database = Database.open(root);
    database.run("INSERT INTO blobs VALUES ('a', 1, '')");
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect(readdirSync(root).sort()).toEqual(["db.sqlite", "db.sqlite-shm", "db.sqlite-wal"]);
    for (const name of readdirSync(root)) expect(mode(join(root, name))).toBe("600");
    expect(mode(root)).toBe("700");
    // Directories above are the system's: a private /var would lock everybody out.
    expect(mode(join(dir.path, "var"))).toBe("755");
  } finally {
    process.umask(before);
  }
});

test("fifty processes make one fresh store, and lose no write", async () => {
  using dir = scratch();
  const root = join(dir.path, "rt");
  const children = Array.from({ length: 50 }, () =>
    Bun.spawn([process.execPath, script, root, "20"], { stdout: "pipe", stderr: "pipe" }),
  );
  for (const child of children) {
    expect(await child.stderr.text()).toBe("");
    expect(await child.exited).toBe(0);
  }
  using database = Database.open(root);
  expect(database.get<{ size: number }>("SELECT size FROM blobs")?.size).toBe(1000);
  expect(database.get<{ integrity_check: string }>("PRAGMA integrity_check")?.integrity_check).toBe("ok");
  expect(database.get<{ journal_mode: string }>("PRAGMA journal_mode")?.journal_mode).toBe("wal");
  expect(readdirSync(root).filter((name) => name.includes(".new-"))).toEqual([]);
}, 240_000);

test("writers killed at any moment leave a whole store", async () => {
  using dir = scratch();
  const root = join(dir.path, "rt");
  for (let round = 0; round < 25; round++) {
    const child = Bun.spawn([process.execPath, script, root, "100000"], { stdout: "ignore", stderr: "pipe" });
    await Bun.sleep(5 + Math.random() * 40);
    child.kill("SIGKILL");
    await child.exited;
    expect(await child.stderr.text()).toBe("");
  }
  using database = Database.open(root);
  expect(database.get<{ integrity_check: string }>("PRAGMA integrity_check")?.integrity_check).toBe("ok");
  database.run("DELETE FROM blobs");
}, 240_000);

test("a transaction that throws changes nothing", () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const attempt = () =>
    database.transaction(() => {
      database.run("INSERT INTO blobs VALUES ('a', 1, '')");
      throw new RtError("conflict", "no");
    });
  expect(codeOf(attempt)).toBe("conflict: no");
  expect(database.all("SELECT * FROM blobs")).toEqual([]);
  expect(database.transaction(() => database.run("INSERT INTO blobs VALUES ('a', 1, '')"))).toBe(1);
});

test("a database of a newer rt is refused, and left as it was", () => {
  using dir = scratch();
  Database.open(dir.path).close();
  const path = join(dir.path, "db.sqlite");
  const sqlite = new Sqlite(path);
  sqlite.exec(`PRAGMA user_version = ${schemaVersion + 1}`);
  sqlite.close();
  expect(codeOf(() => Database.open(dir.path))).toStartWith(`unsupported: ${path} was made by a newer rt`);
});

test("a database of yesterday reads today, whatever its records hold", () => {
  using dir = scratch();
  const path = join(dir.path, "db.sqlite");
  const sqlite = new Sqlite(path);
  sqlite.exec(`${migrations[0]!.sql}; PRAGMA user_version = 1; PRAGMA journal_mode = WAL`);
  const good = containerRecord({ args: ["sh", "-c", "a b"], autoRemove: true });
  const insert = (id: string, record: Uint8Array) =>
    sqlite.run("INSERT INTO containers (id, name, image, created, record) VALUES (?, ?, 'x', 'y', ?)", [
      id,
      id,
      record,
    ]);
  insert(good.id, encodeRecord(containerType, good));
  insert("d".repeat(64), new Uint8Array([1, 2, 3]));
  insert("e".repeat(64), new Uint8Array());
  insert(
    "f".repeat(64),
    encodeRecord(
      { kind: "container", version: 1, remedy: "", shape: (value: unknown) => value },
      { image: 1 },
    ),
  );
  sqlite.close();
  using database = Database.open(dir.path);
  const containers = new ContainerStore(database);
  expect(containers.get(good.id).record).toEqual(good);
  expect(containers.get(good.id)).toMatchObject({
    reference: "alpine",
    command: "sh -c a b",
    autoRemove: true,
  });
  for (const digit of "def") {
    const damaged = containers.get(digit.repeat(64));
    expect(damaged).toMatchObject({ reference: "", command: "", autoRemove: false, exit: undefined });
    expect(() => damaged.record).toThrow("is damaged");
  }
  expect(containers.unsettled()).toHaveLength(4);
  const plan = database.all<{ detail: string }>(
    "EXPLAIN QUERY PLAN SELECT id FROM containers WHERE exit_code IS NULL",
  );
  expect(plan[0]?.detail).toContain("containers_unsettled");
});

test("an empty file in its place becomes a database", () => {
  using dir = scratch();
  writeFileSync(join(dir.path, "db.sqlite"), "");
  using database = Database.open(dir.path);
  expect(database.all("SELECT * FROM images")).toEqual([]);
  expect(database.get<{ journal_mode: string }>("PRAGMA journal_mode")?.journal_mode).toBe("wal");
});

test("damage is data-loss, and says what to do", () => {
  using dir = scratch();
  const path = join(dir.path, "db.sqlite");
  writeFileSync(
    path,
    "this is not a database, but it is longer than a header of one hundred bytes".repeat(10),
  );
  expect(codeOf(() => Database.open(dir.path))).toStartWith(
    `data-loss: cannot use ${path}: the file is not a database`,
  );

  using other = scratch();
  Database.open(other.path).close();
  truncateSync(join(other.path, "db.sqlite"), 5000);
  const use = () => {
    using database = Database.open(other.path);
    return database.all("SELECT * FROM containers");
  };
  expect(codeOf(use)).toStartWith("data-loss: ");
});

test("a log without its database is not taken for the log of a new one", () => {
  using dir = scratch();
  const path = join(dir.path, "db.sqlite");
  const old = Database.open(dir.path);
  old.run("INSERT INTO blobs VALUES ('old', 1, '')");
  const log = readFileSync(`${path}-wal`);
  old.close();
  rmSync(path);
  writeFileSync(`${path}-wal`, log);
  expect(codeOf(() => Database.open(dir.path))).toStartWith(`data-loss: cannot use ${path}: it is gone`);
  rmSync(`${path}-wal`);
  using database = Database.open(dir.path);
  expect(database.all("SELECT * FROM blobs")).toEqual([]);
});

test("a place where nothing can be made is named", () => {
  using dir = scratch();
  const root = join(dir.path, "file/rt");
  writeFileSync(join(dir.path, "file"), "");
  expect(codeOf(() => Database.open(root))).toContain(join(dir.path, "file"));
  mkdirSync(join(dir.path, "d/db.sqlite"), { recursive: true });
  expect(codeOf(() => Database.open(join(dir.path, "d")))).toStartWith("forbidden: ");
  chmodSync(dir.path, 0o700);
});

needs({ root: true }).test("a full disk and a read-only one are named, and nothing is lost", async () => {
  using dir = scratch();
  await run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", dir.path]);
  try {
    using database = Database.open(dir.path);
    const row = () =>
      database.run(
        "INSERT INTO images (id, record) VALUES (?, ?)",
        crypto.randomUUID(),
        new Uint8Array(50_000),
      );
    const fill = () => {
      for (let n = 0; n < 100; n++) database.transaction(row);
    };
    expect(codeOf(fill)).toStartWith(`exhausted: cannot use ${database.path}: no space left on the device`);
    expect(database.all("SELECT id FROM images").length).toBeGreaterThan(1);
    expect(codeOf(() => Database.open(join(dir.path, "other")))).toStartWith("exhausted: ");
    database.close();
    await run(["mount", "-o", "remount,ro", dir.path]);
    const write = () => {
      using again = Database.open(dir.path);
      again.transaction(() => again.run("DELETE FROM images"));
    };
    expect(codeOf(write)).toStartWith("forbidden: ");
  } finally {
    await run(["umount", "--lazy", dir.path]);
  }
});
