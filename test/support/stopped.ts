/** Containers that are over, in any number and in no time: what a host looks like after a while. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ContainerStore } from "../../src/container/container-store.ts";
import { Database } from "../../src/store/database.ts";

/** `count` more like `name`, which has ended: rows with an exit, and writable tops. */
export function multiplyStopped(root: string, name: string, count: number): void {
  using database = Database.open(root);
  const containers = new ContainerStore(database);
  const { record, exit } = containers.get(name);
  if (!exit) throw new Error(`container ${name} has not ended`);
  for (let number = 0; number < count; number++) {
    const id = number.toString(16).padStart(8, "0").padEnd(64, record.id);
    containers.create({ ...record, id, name: `${name}-${number}` });
    containers.recordExit(id, exit);
    for (const part of ["upper", "work"])
      mkdirSync(join(root, "snapshots", record.driver, "active", id, part), { recursive: true, mode: 0o700 });
  }
}
