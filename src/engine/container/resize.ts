import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import type { WindowSize } from "../session.ts";
import { find, requireRunning } from "./find.ts";
import { joinProgram } from "./join.ts";

/** The terminal of a running container has another size; one without a terminal stays as it is. @throws RtError conflict: it does not run */
export async function resizeContainer(host: Host, name: string, size: WindowSize): Promise<void> {
  const seen = await find(host, name);
  await requireRunning(host, seen);
  const { record } = seen.container;
  if (!record.tty) return;
  using program = joinProgram(host, record.id, seen.state);
  await program.resize(size);
  containerEvent(host, record, "resize", { height: String(size.rows), width: String(size.columns) });
}
