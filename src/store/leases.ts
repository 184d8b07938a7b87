import { readFileSync } from "node:fs";
import type { Database } from "./database.ts";

/**
 * A lease keeps what a running command is about to refer to (blobs, chainIDs) from being collected as garbage. It ends
 * with its owner: a lease whose process is gone protects nothing, so a killed pull needs no cleaning up after.
 *
 * A process is known by its pid and its start time together with the boot it happened in: pids are used again.
 */
export type Lease = Disposable;

/** @param within done in the same transaction */
export function acquireLease(
  database: Database,
  items: readonly string[],
  within: () => void = () => {},
): Lease {
  const id = crypto.randomUUID();
  const start = startOf("self");
  database.transaction(() => {
    within();
    database.run("INSERT INTO leases (id, pid, start) VALUES (?, ?, ?)", id, process.pid, start ?? "");
    for (const item of new Set(items))
      database.run("INSERT INTO lease_items (lease, item) VALUES (?, ?)", id, item);
  });
  return { [Symbol.dispose]: () => releaseLease(database, id) };
}

/** Twice is fine. */
function releaseLease(database: Database, id: string): void {
  database.run("DELETE FROM leases WHERE id = ?", id);
}

/** What living owners hold. Forgets the leases of the dead; call it in a transaction. */
export function leasedItems(database: Database): Set<string> {
  for (const lease of database.all<{ id: string; pid: number; start: string }>("SELECT * FROM leases")) {
    if (startOf(lease.pid) !== lease.start) releaseLease(database, lease.id);
  }
  return new Set(
    database.all<{ item: string }>("SELECT DISTINCT item FROM lease_items").map((row) => row.item),
  );
}

/** Does somebody who lives hold it? */
export function isLeased(database: Database, item: string): boolean {
  const sql = "SELECT pid, start FROM leases JOIN lease_items ON lease = id WHERE item = ?";
  const leases = database.all<{ pid: number; start: string }>(sql, item);
  return leases.some(({ pid, start }) => startOf(pid) === start);
}

/** Boot id and start time (field 22 of /proc/PID/stat, clock ticks since boot) of a living process, or undefined. */
function startOf(pid: number | "self"): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in parentheses and may hold anything, so count from the last one.
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()} ${ticks}`;
  } catch {
    // No such process (or no /proc at all: then it cannot be told from a dead one, and rt does not run without /proc).
    return undefined;
  }
}
