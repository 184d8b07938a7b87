import { expect, test } from "bun:test";
import { join } from "node:path";
import { Database } from "../../../src/store/database.ts";
import { acquireLease, leasedItems } from "../../../src/store/leases.ts";
import { scratch } from "./samples.ts";

const leased = (database: Database) => database.transaction(() => [...leasedItems(database)].sort());

test("items are held until the lease ends", () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const first = acquireLease(database, ["a", "b", "a"]);
  const second = acquireLease(database, ["b", "c"]);
  expect(leased(database)).toEqual(["a", "b", "c"]);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  expect(leased(database)).toEqual(["b", "c"]);
  second[Symbol.dispose]();
  expect(leased(database)).toEqual([]);
  expect(database.all("SELECT * FROM lease_items")).toEqual([]);
});

test("a lease ends with its process, also when the pid has been used again", async () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const module = (name: string) => JSON.stringify(join(import.meta.dir, "../../../src/store", name));
  const script = `
    const { Database } = await import(${module("database.ts")});
    const { acquireLease } = await import(${module("leases.ts")});
    acquireLease(Database.open(${JSON.stringify(dir.path)}), ["x"]);
    console.log("held");
    await Bun.sleep(60_000);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  await child.stdout.getReader().read();
  expect(leased(database)).toEqual(["x"]);
  child.kill("SIGKILL");
  await child.exited;
  expect(leased(database)).toEqual([]);

  acquireLease(database, ["y"]);
  database.run("UPDATE leases SET start = 'another boot 1'");
  expect(leased(database)).toEqual([]);
});
