import type { Database as Sqlite } from "bun:sqlite";
import { decodeCbor } from "./cbor-decode.ts";

interface StoredRow {
  id: string;
  record: Uint8Array;
}

interface Columns {
  reference: string | null;
  command: string | null;
  autoRemove: boolean;
}

/** For the containers of a database that had these columns in the record only. One that cannot be read stays unknown. */
export function fillContainerColumns(sqlite: Sqlite): void {
  const rows = sqlite.query("SELECT id, record FROM containers").all() as StoredRow[];
  const update = "UPDATE containers SET reference = ?, command = ?, auto_remove = ? WHERE id = ?";
  for (const { id, record } of rows) {
    const { reference, command, autoRemove } = columnsIn(record);
    sqlite.query(update).run(reference, command, autoRemove ? 1 : 0, id);
  }
}

/** For the containers of a database that did not say which volumes are in use. One that cannot be read may use any. */
export function fillContainerVolumes(sqlite: Sqlite): void {
  const rows = sqlite.query("SELECT id, record FROM containers").all() as StoredRow[];
  const insert = sqlite.query("INSERT OR IGNORE INTO container_volumes (container, volume) VALUES (?, ?)");
  for (const { id, record } of rows) for (const name of volumesIn(record)) insert.run(id, name);
  insert.finalize();
}

function volumesIn(bytes: Uint8Array): string[] {
  try {
    const [, , body] = decodeCbor(bytes) as [unknown, unknown, Record<string, unknown>];
    const mounts = (body.mounts ?? []) as { type: unknown; name?: unknown }[];
    return mounts.flatMap(({ type, name }) => (type === "volume" && typeof name === "string" ? [name] : []));
  } catch {
    return ["*"];
  }
}

/** Of a record as it has always been: array(3) of its kind, a checksum, and a map. */
function columnsIn(bytes: Uint8Array): Columns {
  try {
    const [, , body] = decodeCbor(bytes) as [unknown, unknown, Record<string, unknown>];
    const { reference } = body.image as Record<string, unknown>;
    const words = body.args as unknown[];
    return {
      reference: typeof reference === "string" ? reference : null,
      command: words.join(" "),
      autoRemove: body.autoRemove === true,
    };
  } catch {
    // Whatever is wrong with it, whoever asks for the record is told.
    return { reference: null, command: null, autoRemove: false };
  }
}
