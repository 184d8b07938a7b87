import { RtError } from "../../base/errors.ts";
import { writePolicy } from "../../container/policy-file.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { replaceRecordCopy } from "../../container/state-file.ts";
import type { Container } from "../../container/stored-container.ts";
import { isUnlimited, type Resources } from "../../settings/resources.ts";
import type { RestartPolicy } from "../../settings/restart.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import type { LimitsChange } from "./change-limits.ts";
import { find } from "./find.ts";
import { isRunning } from "./look.ts";

/** What is not said stays as it is. */
export interface UpdateOptions {
  restart?: RestartPolicy;
  resources?: Resources;
  /** Bits per second; 0 is no limit. */
  bandwidth?: { bandwidthUp?: number; bandwidthDown?: number };
  /** "c 1:3 rwm": besides those that it has. */
  deviceRules?: string[];
}

/**
 * Change what can be changed of a container. One that runs, or is paused, has its limits and its bandwidth at once, and its policy from its next
 * end on.
 */
export async function updateContainer(
  host: Host,
  name: string,
  { restart, resources = {}, bandwidth, deviceRules = [] }: UpdateOptions,
): Promise<void> {
  const { container, state } = await find(host, name);
  if (container.autoRemove && restart && restart.name !== "no") {
    const message = "Restart policy cannot be updated because AutoRemove is enabled for the container";
    throw new RtError("conflict", message, { exitCode: 1 });
  }
  const limits = isUnlimited(resources) ? undefined : await changeOf(host, container, resources);
  const directory = host.stateOf(container.id);
  const keep = (change: (now: ContainerRecord) => Partial<ContainerRecord>) =>
    replaceRecordCopy(
      directory,
      host.containers.update(container.id, (now) => ({ ...now, ...change(now) })),
    );
  // The kernel first: what it refuses is not on record, and what it took before that is.
  if (limits) {
    if (isRunning(state)) await limits.write();
    keep((now) => ({ resources: limits.of(now.resources) }));
  }
  if (deviceRules.length > 0) {
    if (isRunning(state)) await allowDevices(host, container, deviceRules);
    keep((now) => ({ deviceCgroupRules: union(now.deviceCgroupRules, deviceRules) }));
  }
  using _ = bandwidth && (await changeBandwidth(host, container, bandwidth, isRunning(state)));
  if (restart || bandwidth) keep(() => ({ ...(restart && { restart }), ...bandwidth }));
  if (restart) writePolicy(directory, restart);
  containerEvent(host, container, "update");
}

async function changeOf(host: Host, { record }: Container, asked: Resources): Promise<LimitsChange> {
  const { limitsChange } = await import("./change-limits.ts");
  return limitsChange(host, record, asked);
}

async function allowDevices(host: Host, { id }: Container, rules: readonly string[]): Promise<void> {
  const { allowMoreDevices } = await import("./change-devices.ts");
  await allowMoreDevices(host, id, rules);
}

function union(before: readonly string[], more: readonly string[]): string[] {
  return [...new Set([...before, ...more])];
}

/** Nobody else changes its networks until what is answered is disposed of. */
async function changeBandwidth(
  host: Host,
  { id }: Container,
  wanted: NonNullable<UpdateOptions["bandwidth"]>,
  isRunning: boolean,
): Promise<Disposable | undefined> {
  const { changedBandwidth } = await import("../network/change-bandwidth.ts");
  return changedBandwidth(host, id, wanted, isRunning);
}
