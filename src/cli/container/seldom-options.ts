import { invalid, quote } from "../../base/invalid.ts";
import { parseAddHost, parseDns } from "../../settings/address.ts";
import { parseCapability } from "../../settings/capability.ts";
import { type AskedSettings, defaultSettings } from "../../settings/container-settings.ts";
import { parseDevice } from "../../settings/device.ts";
import { parseHostname } from "../../settings/identity.ts";
import { parseLabels } from "../../settings/labels.ts";
import { parseLogDriver, parseLogOptions } from "../../settings/log.ts";
import { parseNamespaceMode, parseNetworkMode } from "../../settings/namespace-mode.ts";
import { checkNetworkSettings, parseAlias, parseMac, parseNetworkAddress } from "../../settings/network.ts";
import { checkOomScore } from "../../settings/oom-score.ts";
import { parseRestart, type RestartPolicy } from "../../settings/restart.ts";
import { parseSecurityOptions } from "../../settings/security-opt.ts";
import { refuseStorageOptions } from "../../settings/storage-opt.ts";
import { parseSysctls } from "../../settings/sysctl.ts";
import { parseUlimit } from "../../settings/ulimit.ts";
import { parseVolumesFrom } from "../../settings/volume.ts";
import type { RtCommand } from "../command.ts";
import { readKeyValueFile } from "../parse/env.ts";
import { parseMounts } from "../parse/mounts.ts";
import type { ContainerFlags } from "./container-flags.ts";
import { healthOptions } from "./health-options.ts";

/**
 * The flags that may come several times, and few others. Most command lines have none of them, so this is loaded where one is; without any
 * the defaults say the same.
 * @throws RtError invalid-argument | unsupported | not-found
 */
export function seldomOptions(flags: Omit<ContainerFlags, keyof RtCommand>): Partial<AskedSettings> {
  const fileLabels = flags.labelFiles.flatMap((file) => readKeyValueFile(file, "--label-file", undefined));
  refuseStorageOptions(flags.storageOptions, "--storage-opt");
  const logDriver = flags.logDriver ? parseLogDriver(flags.logDriver) : defaultSettings().logDriver;
  return {
    labels: parseLabels([...fileLabels, ...flags.labels], "label"),
    annotations: parseLabels(flags.annotations, "annotation"),
    mounts: parseMounts(flags.volumes, flags.mounts, flags.tmpfs),
    volumesFrom: flags.volumesFrom.map((text) => parseVolumesFrom(text, "--volumes-from")),
    capAdd: unique(flags.capAdd.map((text) => parseCapability(text, "--cap-add"))),
    capDrop: unique(flags.capDrop.map((text) => parseCapability(text, "--cap-drop"))),
    ...parseSecurityOptions(flags.securityOptions),
    devices: flags.devices.map((text) => parseDevice(text)),
    extraHosts: flags.addHosts.map((text) => parseAddHost(text)),
    dns: flags.dns.map((text) => parseDns(text)),
    ulimits: lastOfEachName(flags.ulimits.map((text) => parseUlimit(text))),
    sysctls: parseSysctls(flags.sysctls),
    domainname: parseHostname(flags.domainname ?? "", "--domainname"),
    pidMode: parseNamespaceMode("pid", flags.pid ?? "", "--pid"),
    ipcMode: parseNamespaceMode("ipc", flags.ipc ?? "", "--ipc"),
    utsMode: parseNamespaceMode("uts", flags.uts ?? "", "--uts"),
    cgroupnsMode: parseNamespaceMode("cgroup", flags.cgroupns ?? "", "--cgroupns"),
    oomScoreAdj: parseOomScore(flags.oomScoreAdj ?? "0"),
    ...networkSettings(flags, parseNetworkMode(flags.network, "--network")),
    ...(flags.stopTimeout !== undefined && { stopTimeout: parseStopTimeout(flags.stopTimeout) }),
    ...(flags.restart && { restart: parsePolicy(flags.restart, flags.rm) }),
    ...healthOptions(flags),
    logDriver,
    logOptions: parseLogOptions(logDriver, flags.logOptions),
  };
}

function networkSettings(
  { ip = "", macAddress = "", networkAliases }: Omit<ContainerFlags, keyof RtCommand>,
  networkMode: string,
): Pick<AskedSettings, "networkAddress" | "networkMac" | "networkAliases"> {
  const settings = {
    networkAddress: parseNetworkAddress(ip, "--ip"),
    networkMac: parseMac(macAddress, "--mac-address"),
    networkAliases: networkAliases.map((text) => parseAlias(text, "--network-alias")),
  };
  checkNetworkSettings({ ...settings, networkMode });
  return settings;
}

/** Docker's words. */
function parsePolicy(text: string, rm: boolean): RestartPolicy {
  const policy = parseRestart(text);
  if (rm && policy.name !== "no")
    throw invalid("conflicting options: cannot specify both --restart and --rm");
  return policy;
}

function parseStopTimeout(text: string): number {
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw invalid(`invalid --stop-timeout ${quote(text)}: want a number of seconds`);
}

function parseOomScore(text: string): number {
  if (!/^[-+]?\d{1,9}$/.test(text)) throw invalid(`invalid --oom-score-adj ${quote(text)}: want a number`);
  return checkOomScore(Number(text), "--oom-score-adj");
}

function unique(list: string[]): string[] {
  return [...new Set(list)];
}

function lastOfEachName<T extends { name: string }>(list: T[]): T[] {
  return [...new Map(list.map((item) => [item.name, item])).values()];
}
