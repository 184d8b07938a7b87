import { readFileSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { newId } from "../../base/new-id.ts";
import { parseSignal } from "../../base/signals.ts";
import { findDevices } from "../../container/devices.ts";
import { generateName } from "../../container/names.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { resolveMounts } from "../../container/volumes.ts";
import type { ImageRecord } from "../../image/record.ts";
import { combineCommand, combineEnv, workingDirectory } from "../../settings/combine.ts";
import type { AskedSettings, DeviceRequest, Mount } from "../../settings/container-settings.ts";
import { combineHealthcheck } from "../../settings/health.ts";
import { parseExpose, sortedPorts } from "../../settings/port.ts";
import { ownDestinations } from "../../spec/defaults.ts";
import type { Host } from "../host.ts";
import type { CreateOptions } from "./run-options.ts";

/**
 * What a new container is to be: the image's wishes, the user's over them, the defaults under both.
 * @param taken mounts of other containers
 */
export function describeContainer(
  host: Host,
  image: ImageRecord,
  driver: string,
  options: CreateOptions,
  taken: readonly Mount[] = [],
): ContainerRecord {
  const id = newId();
  const { config, chain } = image;
  const { command, entrypoint, ...asked } = options.settings;
  const hostname = asked.hostname || (isHostsName(asked) ? hostHostname() : id.slice(0, 12));
  const healthcheck = combineHealthcheck(config.Healthcheck, asked.healthcheck);
  const covered = [...ownDestinations, ...taken.map(({ destination }) => destination)];
  return {
    ...asked,
    id,
    name: options.name ?? generateName(),
    created: timestamp(),
    image: { id: image.id, reference: options.image },
    chain,
    driver,
    platform: `${image.platform.os}/${image.platform.architecture}`,
    ...combineCommand(config, entrypoint, command),
    env: combineEnv(config, asked.env, hostname, asked.tty),
    workingDirectory: workingDirectory(asked.workingDirectory, config.WorkingDir),
    user: asked.user || (config.User ?? ""),
    hostname,
    labels: { ...config.Labels, ...asked.labels },
    expose: sortedPorts([...imagePorts(config.ExposedPorts), ...asked.expose]),
    ...(healthcheck && { healthcheck }),
    shell: asked.shell.length > 0 ? asked.shell : (config.Shell ?? []),
    stopSignal: parseSignal(asked.stopSignal || config.StopSignal || "TERM").name,
    mounts: [
      ...taken,
      ...resolveMounts(host.paths.root, asked.mounts, Object.keys(config.Volumes ?? {}), covered, newId),
    ],
    devices: found(asked.devices),
  };
}

/** A mistake is told at once; at the start they may be others. */
function found(devices: DeviceRequest[]): DeviceRequest[] {
  for (const device of devices) findDevices(device);
  return devices;
}

/** What an image says is not more than what it says: what is no port is left out. */
function imagePorts(exposed: object | undefined): string[] {
  return Object.keys(exposed ?? {}).flatMap((key) => {
    try {
      return parseExpose(key);
    } catch (error) {
      if (error instanceof RtError) return [];
      throw error;
    }
  });
}

/** RFC 3339 in UTC, with nine digits as Docker has them. */
export function timestamp(): string {
  const now = new Date().toISOString();
  const nanoseconds = String(Bun.nanoseconds() % 1_000_000).padStart(6, "0");
  return `${now.slice(0, -1)}${nanoseconds}Z`;
}

function hostHostname(): string {
  return readFileSync("/proc/sys/kernel/hostname", "utf8").trim();
}

function isHostsName({ networkMode, utsMode }: Pick<AskedSettings, "networkMode" | "utsMode">): boolean {
  return networkMode === "host" || utsMode === "host";
}
