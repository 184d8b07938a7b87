/** Whether a process does nothing, as far as the kernel counts. */
import { readFileSync } from "node:fs";

/** The share of a processor that it takes for a second. */
export async function shareOf(pid: number): Promise<number> {
  const [before, since] = [ticksOf(pid), performance.now()];
  await Bun.sleep(1000);
  return ((ticksOf(pid) - before) * 10) / (performance.now() - since); // a tick is 10 ms
}

/** Of processor time: fields 14 and 15 of /proc/PID/stat. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
