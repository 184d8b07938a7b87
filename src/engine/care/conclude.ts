import { keepHealth } from "../../container/health.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { ExitFacts } from "../../container/state.ts";
import type { SnapshotDriver } from "../../snapshot/snapshot.ts";
import { look } from "../container/look.ts";
import type { Host } from "../host.ts";
import { leaving } from "../network/leave.ts";
import { dieEvent } from "../record-event.ts";
import { endLeftovers, hasEndedOrderly, removeIfRoom, removeState, settling } from "./remove.ts";
import { ifRoom } from "./room.ts";

/** The program has ended: write down how, or with `--rm` remove what is left. */
export async function concludeRun(
  host: Host,
  record: ContainerRecord,
  snapshots: SnapshotDriver,
): Promise<void> {
  const { id, autoRemove } = record;
  const seen = look(host, { id, exit: undefined });
  if (seen.state.status === "restarting") return;
  // Without an orderly end the monitor was killed, be it before it had written down that the program runs.
  const ended = hasEndedOrderly(seen);
  // Or somebody has concluded it before us, and it runs again.
  if (!ended) settling(host, id, () => endLeftovers(host, id, seen));
  if (autoRemove)
    await removeIfRoom(host, { id, record }, [snapshots], { volumes: true, ended, state: seen.state });
  else if (seen.state.status === "exited") await conclude(host, record, seen.state);
}

/**
 * Write down how it ended. Its state directory says nothing more then, and goes: what lies there is what a command has to
 * look at, so that it does not grow with what is over.
 * @returns false on a full disk: it stays, and the next command tries again
 */
export async function conclude(
  host: Host,
  { id, name }: { id: string; name: string },
  exit: ExitFacts,
): Promise<boolean> {
  const first: { exit?: ExitFacts } = {};
  const leave = await leaving(host, id);
  const record = () => {
    leave();
    // Whoever came before us may have done it, and since then it may have been started again, and have ended.
    const { state } = look(host, { id, exit: undefined });
    const facts = state.status === "exited" ? state : exit;
    if (host.containers.recordExit(id, facts)) first.exit = facts;
  };
  const write = () => void settling(host, id, record);
  if (!(await ifRoom(host, `how container ${name} ended is not in the database yet`, write))) return false;
  const container = first.exit && host.containers.find(id);
  if (container && first.exit) dieEvent(host, container, first.exit);
  keepHealth(host.stateOf(id), host.filesOf(id));
  await removeState(host, id);
  return true;
}
