import { parseSignal } from "../../base/signals.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { goDuration } from "../../docker/time.ts";
import { cgroupPath } from "../../runtime/cgroup.ts";
import type { HealthRequest } from "../../runtime/native/request.ts";
import { healthPlan } from "../../settings/health.ts";
import type { Host } from "../host.ts";
import { writeEventLines } from "./event-lines.ts";
import { execProcess, isConfined } from "./exec-process.ts";
import { patience_s } from "./stop.ts";

/**
 * What the monitor of a container needs to find out by itself whether its program is well. What it is to say of that goes into
 * the state directory.
 * @returns null where nothing is checked
 */
export function healthRequest(host: Host, record: ContainerRecord, directory: string): HealthRequest | null {
  const plan = healthPlan(record.healthcheck, record.shell);
  if (!plan) return null;
  const { words, ...rest } = plan;
  writeEventLines(host, record, directory, words.join(" "));
  const stopTimeout_s = record.stopTimeout ?? patience_s;
  return {
    exec: {
      kind: "exec",
      id: record.id,
      process: execProcess(record, { command: words }),
      user: record.user,
      groupAdd: record.groupAdd,
      stdin: false,
      confined: isConfined(record),
      cgroup: { path: cgroupPath(record.id) },
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
