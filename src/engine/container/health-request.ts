import { parseSignal } from "../../base/signals.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { goDuration } from "../../docker/time.ts";
import type { HealthRequest } from "../../runtime/native/request.ts";
import { healthPlan } from "../../settings/health.ts";
import type { Host } from "../host.ts";
import { writeEventLines } from "./event-lines.ts";
import { execProcess } from "./exec-process.ts";
import { filterFor } from "./filter.ts";
import { enteredGroup } from "./group.ts";
import { groupsOf } from "./groups.ts";
import { isScoped } from "./labels.ts";
import { patience_s } from "./stop.ts";

/**
 * What the monitor of a container needs to find out by itself whether its program is well. What it is to say of that goes into
 * the state directory.
 * @param neighbour pid of a process whose network it has, where that is another container's
 * @returns null where nothing is checked
 */
export function healthRequest(
  host: Host,
  record: ContainerRecord,
  directory: string,
  neighbour?: number,
): HealthRequest | null {
  const plan = healthPlan(record.healthcheck, record.shell);
  if (!plan) return null;
  const { words, ...rest } = plan;
  writeEventLines(host, record, directory, words.join(" "));
  const stopTimeout_s = record.stopTimeout ?? patience_s;
  const process = execProcess(record, { command: words });
  return {
    exec: {
      kind: "exec",
      id: record.id,
      process,
      user: record.user,
      groupAdd: groupsOf(record).named,
      scoped: isScoped(record, neighbour),
      stdin: false,
      filter: filterFor(host, record, process.capabilities.bounding),
      cgroup: enteredGroup(host, record.id),
      tied: true,
      session: "",
    },
    interval: rest.interval_ms,
    timeout: rest.timeout_ms,
    startPeriod: rest.startPeriod_ms,
    startInterval: rest.startInterval_ms,
    retries: rest.retries,
    late: `Health check exceeded timeout (${goDuration(record.healthcheck?.timeout || 30e9)})`,
    onFailure: record.healthOnFailure,
    stopSignal: parseSignal(record.stopSignal || "TERM").number,
    stopTimeout: stopTimeout_s < 0 ? -1 : stopTimeout_s * 1000,
  };
}
