/** How much memory a process takes. */
import { readFileSync } from "node:fs";
import type { RtProcess } from "./rt.ts";

/**
 * What is resident of a process now, in KiB, as the kernel finds it in the page tables. VmHWM, and in older kernels VmRSS, come of
 * counters that each processor keeps up to 32 pages of to itself: of a process of a hundred pages they tell 128 KiB too much or too
 * little. With one processor they are exact.
 */
export function residentKiB(pid: number): number {
  const [, size] = /^Rss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1")) ?? [];
  if (size === undefined) throw new Error(`nothing is resident of process ${pid}`);
  return Number(size);
}

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
