import type { CallerEnvironment } from "../../base/environment.ts";
import { RtError } from "../../base/errors.ts";
import { invalid, quote, rejectControl, rejectNul } from "../../base/invalid.ts";
import { parseSignal } from "../../base/signals.ts";
import type { PullListener, PullPolicy, RunOptions } from "../../engine/container/run-options.ts";
import { parseAddHost, parseDns } from "../../settings/address.ts";
import { parseCapability } from "../../settings/capability.ts";
import { type AskedSettings, defaultSettings } from "../../settings/container-settings.ts";
import { parseDevice } from "../../settings/device.ts";
import {
  parseContainerName,
  parseHostname,
  parseUser,
  parseWorkingDirectory,
} from "../../settings/identity.ts";
import { parseLabels } from "../../settings/labels.ts";
import { parseSecurityOptions } from "../../settings/security-opt.ts";
import { parseSysctls } from "../../settings/sysctl.ts";
import { parseUlimit } from "../../settings/ulimit.ts";
import type { RtCommand } from "../command.ts";
import { readKeyValueFile, requestedEnvironment } from "../parse/env.ts";
import { parseMounts } from "../parse/mounts.ts";
import { parseSize } from "../parse/size.ts";
import type { ContainerFlags } from "./container-flags.ts";
import type { AttachFlags } from "./program-flags.ts";

type Flags = Omit<ContainerFlags, keyof RtCommand> & AttachFlags;

/**
 * The flags of `rt run`, checked and in the engine's units.
 *
 * @param listener told of a pull that turns out to be needed
 * @throws RtError invalid-argument | unsupported | not-found
 */
export function runOptions(
  flags: Flags,
  caller: CallerEnvironment,
  listener: PullListener | undefined,
): RunOptions {
  return {
    image: flags.image,
    pull: { policy: parsePull(flags.pull), platform: flags.platform, listener },
    settings: settingsOf(flags, caller),
    name: flags.name ? parseContainerName(flags.name, "--name") : undefined,
    sigProxy: flags.sigProxy,
  };
}

function settingsOf(flags: Flags, caller: CallerEnvironment): AskedSettings {
  const networkMode = parseNetwork(flags.network);
  const entrypoint = parseEntrypoint(flags.entrypoint);
  const shmSize = parseShmSize(flags.shmSize);
  const fileLabels = flags.labelFiles.flatMap((file) => readKeyValueFile(file, "--label-file", undefined));
  return {
    ...defaultSettings(),
    command: flags.command.map((word) => rejectNul("argument", word)),
    ...(entrypoint && { entrypoint }),
    hostname: parseHostname(flags.hostname ?? "", "--hostname"),
    labels: parseLabels([...fileLabels, ...flags.labels], "label"),
    annotations: parseLabels(flags.annotations, "annotation"),
    autoRemove: flags.rm,
    openStdin: flags.interactive,
    tty: flags.tty,
    env: requestedEnvironment(flags.envFiles, flags.env, caller),
    workingDirectory: parseWorkingDirectory(flags.workdir ?? "", "--workdir"),
    user: parseUser(flags.user ?? "", "--user"),
    groupAdd: flags.groupAdd.map((group) => rejectControl("--group-add", group)),
    ...(flags.stopSignal !== undefined && { stopSignal: parseSignal(flags.stopSignal).name }),
    mounts: parseMounts(flags.volumes, flags.mounts, flags.tmpfs),
    readonlyRootfs: flags.readOnly,
    ...(shmSize !== undefined && { shmSize }),
    privileged: flags.privileged,
    capAdd: unique(flags.capAdd.map((text) => parseCapability(text, "--cap-add"))),
    capDrop: unique(flags.capDrop.map((text) => parseCapability(text, "--cap-drop"))),
    ...parseSecurityOptions(flags.securityOptions),
    devices: flags.devices.map((text) => parseDevice(text)),
    init: flags.init,
    networkMode,
    extraHosts: flags.addHosts.map((text) => parseAddHost(text)),
    dns: flags.dns.map((text) => parseDns(text)),
    ulimits: lastOfEachName(flags.ulimits.map((text) => parseUlimit(text))),
    sysctls: parseSysctls(flags.sysctls, networkMode),
  };
}

function parseNetwork(text: string): "none" | "host" {
  if (text === "none" || text === "host") return text;
  throw new RtError(
    "unsupported",
    `network ${quote(text)} is not there yet: bridge networks come in a later version; now there are none and host`,
  );
}

function parseEntrypoint(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  return text === "" ? [] : [rejectNul("--entrypoint", text)];
}

function parsePull(text: string): PullPolicy {
  if (text === "always" || text === "missing" || text === "never") return text;
  throw invalid(`invalid --pull ${quote(text)}: want always, missing or never`);
}

function parseShmSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text, "--shm-size");
  if (bytes === 0) throw invalid(`invalid --shm-size ${quote(text)}: must be more than 0`);
  return bytes;
}

function unique(list: string[]): string[] {
  return [...new Set(list)];
}

function lastOfEachName<T extends { name: string }>(list: T[]): T[] {
  return [...new Map(list.map((item) => [item.name, item])).values()];
}
