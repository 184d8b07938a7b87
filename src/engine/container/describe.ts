import { readFileSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import { parseSignal } from "../../base/signals.ts";
import { findDevices } from "../../container/devices.ts";
import { generateName } from "../../container/names.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { combineCommand, combineEnv, workingDirectory } from "../../container/settings.ts";
import { resolveMounts } from "../../container/volumes.ts";
import type { ImageRecord } from "../../image/record.ts";
import { ownDestinations } from "../../spec/defaults.ts";
import type { Host } from "../host.ts";
import type { RunOptions } from "./run-options.ts";

/** What a new container is to be: the image's wishes, the user's over them, the defaults under both. */
export function describeContainer(
  host: Host,
  image: ImageRecord,
  driver: string,
  options: RunOptions,
): ContainerRecord {
  const id = newId();
  const config = image.config;
  const hostname = options.hostname ?? (options.networkMode === "host" ? hostHostname() : id.slice(0, 12));
  checkSysctls(options);
  return {
    id,
    name: options.name ?? generateName(),
    created: timestamp(),
    image: { id: image.id, reference: options.image },
    ...combineCommand(config, options.entrypoint, options.command),
    chain: image.chain,
    driver,
    env: combineEnv(config, options.env, hostname, options.tty),
    workingDirectory: workingDirectory(options.workingDirectory, config.WorkingDir),
    user: options.user ?? config.User ?? "",
    groupAdd: options.groupAdd,
    hostname,
    labels: { ...config.Labels, ...options.labels },
    annotations: options.annotations,
    tty: options.tty,
    openStdin: options.interactive,
    stopSignal: parseSignal(options.stopSignal ?? (config.StopSignal || "TERM")).name,
    networkMode: options.networkMode,
    autoRemove: options.autoRemove,
    privileged: options.privileged,
    readonlyRootfs: options.readonlyRootfs,
    init: options.init,
    noNewPrivileges: options.noNewPrivileges,
    ...(options.seccomp && { seccomp: options.seccomp }),
    capAdd: options.capAdd,
    capDrop: options.capDrop,
    mounts: resolveMounts(
      host.paths.root,
      options.mounts,
      Object.keys(config.Volumes ?? {}),
      ownDestinations,
      newId,
    ),
    devices: options.devices.flatMap((device) => findDevices(device)),
    ulimits: options.ulimits,
    sysctls: options.sysctls,
    shmSize: options.shmSize,
    dns: options.dns,
    extraHosts: options.extraHosts,
    platform: `${image.platform.os}/${image.platform.architecture}`,
  };
}

/** 64 hex digits, at random. */
export function newId(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}

/** RFC 3339 in UTC, with nine digits as Docker has them. */
function timestamp(): string {
  const now = new Date().toISOString();
  const nanoseconds = String(Bun.nanoseconds() % 1_000_000).padStart(6, "0");
  return `${now.slice(0, -1)}${nanoseconds}Z`;
}

function hostHostname(): string {
  return readFileSync("/proc/sys/kernel/hostname", "utf8").trim();
}

/** With the host's network, net.* would be the host's settings. */
function checkSysctls(options: RunOptions): void {
  if (options.networkMode !== "host") return;
  const name = Object.keys(options.sysctls).find((key) => key.startsWith("net."));
  if (name !== undefined) {
    throw new RtError(
      "invalid-argument",
      `sysctl ${name} is not allowed with the host's network: it would be set there`,
    );
  }
}
