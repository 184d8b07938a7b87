import { invalid } from "../base/invalid.ts";

/** oom_score_adj, proc_pid_oom_score_adj(5). @returns it @throws RtError invalid-argument */
export function checkOomScore(score: number, what: string): number {
  if (Math.abs(score) <= 1000) return score;
  throw invalid(`invalid ${what} ${score}: the range for the oom score adj is [-1000, 1000]`);
}
