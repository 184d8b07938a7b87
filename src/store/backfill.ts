import type { Database as Sqlite } from "bun:sqlite";
import { decodeCbor } from "./cbor-decode.ts";

interface Columns {
  reference: string | null;
  command: string | null;
  autoRemove: boolean;
}

/** For the containers of a database that had these columns in the record only. One that cannot be read stays unknown. */
export function fillContainerColumns(sqlite: Sqlite): void {
  const rows = sqlite.query("SELECT id, record FROM containers").all() as {
    id: string;
    record: Uint8Array;
  }[];
  const update = "UPDATE containers SET reference = ?, command = ?, auto_remove = ? WHERE id = ?";
  for (const { id, record } of rows) {
    const { reference, command, autoRemove } = columnsIn(record);
    sqlite.query(update).run(reference, command, autoRemove ? 1 : 0, id);
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
