import { invalid, quote, rejectControl } from "../../base/invalid.ts";
import { parseAddHost, parseDns, parseDnsOption, parseDnsSearch } from "../../settings/address.ts";
import { checkBandwidthMode, parseBandwidth } from "../../settings/bandwidth.ts";
import { checkCapabilities, parseCapability } from "../../settings/capability.ts";
import { checkCdiName, isCdiName } from "../../settings/cdi-name.ts";
import { parseCgroupParent } from "../../settings/cgroup-parent.ts";
import { type AskedSettings, defaultSettings, type MountRequest } from "../../settings/container-settings.ts";
import { parseDevice } from "../../settings/device.ts";
import { checkDeviceRule } from "../../settings/device-rule.ts";
import { parseEgressList } from "../../settings/egress.ts";
import { parseGpus } from "../../settings/gpus.ts";
import { parseIdMapping } from "../../settings/id-mapping.ts";
import { parseHostname } from "../../settings/identity.ts";
import { parseLabels } from "../../settings/labels.ts";
import { parseLogDriver, parseLogOptions } from "../../settings/log.ts";
import { parseNamespaceMode } from "../../settings/namespace-mode.ts";
import { checkOomScore } from "../../settings/oom-score.ts";
import { parseExpose, parsePublish } from "../../settings/port.ts";
import { checkResources } from "../../settings/resource-checks.ts";
import { parseResources } from "../../settings/resource-words.ts";
import { parseRestart, type RestartPolicy } from "../../settings/restart.ts";
import { isSeccompWord, parseSecurityOptions } from "../../settings/security-opt.ts";
import { refuseStorageOptions } from "../../settings/storage-opt.ts";
import { parseSysctls } from "../../settings/sysctl.ts";
import { parseTimeOffsets } from "../../settings/time-offset.ts";
import { tmpfsMount } from "../../settings/tmpfs.ts";
import { parseUlimit } from "../../settings/ulimit.ts";
import { parseUsernsMode } from "../../settings/user-namespace.ts";
import { parseVolumesFrom } from "../../settings/volume.ts";
import type { RtCommand } from "../command.ts";
import { readKeyValueFile } from "../parse/env.ts";
import { parseMounts } from "../parse/mounts.ts";
import { parseNetworks } from "../parse/networks.ts";
import { parseSize } from "../parse/size.ts";
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
  // Docker takes it and forgets it; what it says must be a size all the same.
  if (flags.kernelMemory) parseSize(flags.kernelMemory, "--kernel-memory");
  const logDriver = flags.logDriver ? parseLogDriver(flags.logDriver) : defaultSettings().logDriver;
  const networks = parseNetworks(flags);
  // podman's are lists; no name has a comma in it.
  const capabilities = (texts: readonly string[], flag: string) =>
    unique(texts.flatMap((text) => text.split(",")).map((name) => parseCapability(name, flag)));
  const capAdd = capabilities(flags.capAdd, "--cap-add");
  const capDrop = capabilities(flags.capDrop, "--cap-drop");
  checkCapabilities(capAdd, capDrop, "--cap-add and --cap-drop");
  return {
    labels: parseLabels([...fileLabels, ...flags.labels], "label"),
    annotations: parseLabels(flags.annotations, "annotation"),
    mounts: withScratch(parseMounts(flags.volumes, flags.mounts, flags.tmpfs), flags),
    volumesFrom: flags.volumesFrom.map((text) => parseVolumesFrom(text, "--volumes-from")),
    capAdd,
    capDrop,
    ...parseSecurityOptions(flags.securityOptions.map(withProfile)),
    devices: flags.devices.filter((text) => !isCdiName(text)).map((text) => parseDevice(text)),
    cdiDevices: [
      ...flags.devices.filter(isCdiName).map((text) => checkCdiName(text)),
      ...flags.gpus.flatMap((text) => parseGpus(text)),
    ],
    deviceCgroupRules: flags.deviceCgroupRules.map((text) => checkDeviceRule(text)),
    extraHosts: flags.addHosts.map((text) => parseAddHost(text)),
    dns: flags.dns.map((text) => parseDns(text)),
    egressAllow: parseEgressList(flags.egressAllow, networks.networkMode, "--egress-allow"),
    ulimits: lastOfEachName(flags.ulimits.map((text) => parseUlimit(text))),
    sysctls: parseSysctls(flags.sysctls),
    timeOffsets: parseTimeOffsets(flags.timeOffsets),
    domainname: parseHostname(flags.domainname ?? "", "--domainname"),
    pidMode: parseNamespaceMode("pid", flags.pid ?? "", "--pid"),
    ipcMode: parseNamespaceMode("ipc", flags.ipc ?? "", "--ipc"),
    utsMode: parseNamespaceMode("uts", flags.uts ?? "", "--uts"),
    cgroupnsMode: parseNamespaceMode("cgroup", flags.cgroupns ?? "", "--cgroupns"),
    usernsMode: parseUsernsMode(flags.userns ?? "", "--userns"),
    uidMap: mappings(flags.uidMap, "--uidmap"),
    gidMap: mappings(flags.gidMap, "--gidmap"),
    subuidName: rejectControl("--subuidname", flags.subuidName ?? ""),
    subgidName: rejectControl("--subgidname", flags.subgidName ?? ""),
    resources: checkResources(parseResources(flags, parseSize)),
    cgroupParent: parseCgroupParent(flags.cgroupParent ?? "", "--cgroup-parent"),
    oomScoreAdj: parseOomScore(flags.oomScoreAdj ?? "0"),
    ...networks,
    ...bandwidthSettings(flags, networks.networkMode),
    dnsSearch: flags.dnsSearch.map((text) => parseDnsSearch(text)),
    dnsOptions: flags.dnsOptions.map((text) => parseDnsOption(text)),
    publish: flags.publish.flatMap((text) => parsePublish(text)),
    expose: flags.expose.flatMap((text) => parseExpose(text)),
    publishAll: flags.publishAll,
    ...(flags.stopTimeout !== undefined && { stopTimeout: parseStopTimeout(flags.stopTimeout) }),
    ...(flags.restart && { restart: parsePolicy(flags.restart, flags.rm) }),
    ...healthOptions(flags),
    logDriver,
    logOptions: parseLogOptions(logDriver, flags.logOptions),
  };
}

/** Where programs expect to be able to write, in a container whose root they cannot write to. Where something else is mounted it stays. */
function withScratch(
  mounts: MountRequest[],
  { readOnly, readOnlyTmpfs }: Omit<ContainerFlags, keyof RtCommand>,
): MountRequest[] {
  if (!readOnly || !readOnlyTmpfs) return mounts;
  const free = Object.entries({
    "/run": "exec,mode=755",
    "/tmp": "exec,mode=1777",
    "/var/tmp": "exec,mode=1777",
  })
    .filter(([path]) => !mounts.some(({ destination }) => destination === path))
    .map(([path, options]) => tmpfsMount(path, options, "--read-only-tmpfs"));
  return [...mounts, ...free];
}

function bandwidthSettings(
  { bandwidthUp = "", bandwidthDown = "" }: Omit<ContainerFlags, keyof RtCommand>,
  networkMode: string,
): Pick<AskedSettings, "bandwidthUp" | "bandwidthDown"> {
  const settings = {
    bandwidthUp: parseBandwidth(bandwidthUp, "--bandwidth-up"),
    bandwidthDown: parseBandwidth(bandwidthDown, "--bandwidth-down"),
  };
  checkBandwidthMode(networkMode, settings);
  return settings;
}

/** The file of `seccomp=FILE` is the caller's: what is in it goes on. A packed app has that in its place already, which is an object. */
export function withProfile(option: string): string {
  const [, file = ""] = /^seccomp[=:](.*)$/s.exec(option) ?? [];
  if (file === "" || file.startsWith("{") || isSeccompWord(file)) return option;
  const { readSeccompProfile } = require("../parse/seccomp.ts") as typeof import("../parse/seccomp.ts");
  return `seccomp=${readSeccompProfile(file)}`;
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

/** podman lets one flag have several. */
function mappings(flags: readonly string[], what: string): string[] {
  return flags.flatMap((flag) => flag.split(",")).map((text) => parseIdMapping(text, what));
}
