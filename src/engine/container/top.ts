import type { ProcessTable } from "../../docker/process-table.ts";
import { membersOf } from "../../runtime/members.ts";
import { factsOf } from "../../runtime/process-facts.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find, requireRunning } from "./find.ts";
import { cgroupOf } from "./group.ts";
import { psColumns } from "./ps-columns.ts";

/**
 * The processes of a running container, as its cgroup has them and /proc shows them to the host; no program is started for
 * that.
 * @throws RtError not-found; conflict: it does not run; invalid-argument | unsupported: what ps was to show
 */
export async function top(host: Host, name: string, psArguments: readonly string[]): Promise<ProcessTable> {
  const seen = await find(host, name);
  await requireRunning(host, seen);
  const columns = psColumns(psArguments);
  const processes = factsOf(membersOf(cgroupOf(host, seen.container.id), seen.state.pid));
  containerEvent(host, seen.container, "top");
  return {
    Titles: columns.map(({ title }) => title),
    Processes: processes.map((facts) => columns.map(({ show }) => show(facts))),
  };
}
