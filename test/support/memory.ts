/** How much memory a process takes. */
import { readFileSync } from "node:fs";
import type { RtProcess } from "./rt.ts";

/** The largest resident size that a process and its children ever had, in KiB, by /proc while it runs. */
export async function peakOf(process: Pick<RtProcess, "pid" | "exited">): Promise<number> {
  let peak = 0;
  let over = false;
  void process.exited.then(() => (over = true));
  const look = (pid: number) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "latin1");
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1")
        .split(" ")
        .filter(Boolean))
        look(Number(child));
    } catch (error) {
      if (!["ENOENT", "ESRCH"].includes((error as { code?: string }).code ?? "")) throw error;
    }
  };
  while (!over) {
    look(process.pid);
    await Bun.sleep(2);
  }
  return peak;
}
