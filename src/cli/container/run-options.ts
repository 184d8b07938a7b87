import type { CallerEnvironment } from "../../base/environment.ts";
import { invalid, quote, rejectNul } from "../../base/invalid.ts";
import { parseSignal } from "../../base/signals.ts";
import type {
  CreateOptions,
  PullListener,
  PullPolicy,
  RunOptions,
} from "../../engine/container/run-options.ts";
import { type AskedSettings, defaultSettings } from "../../settings/container-settings.ts";
import { parseGroups } from "../../settings/group.ts";
import {
  parseContainerName,
  parseHostname,
  parseUser,
  parseWorkingDirectory,
} from "../../settings/identity.ts";
import { isOneMode, parseNetworkMode } from "../../settings/namespace-mode.ts";
import type { RtCommand } from "../command.ts";
import { requestedEnvironment } from "../parse/env.ts";
import { parseSize } from "../parse/size.ts";
import type { ContainerFlags } from "./container-flags.ts";
import type { AttachFlags } from "./program-flags.ts";

type MakingFlags = Omit<ContainerFlags, keyof RtCommand>;
type Flags = MakingFlags & AttachFlags;

/** The flags of `rt run`. @throws RtError as createOptions */
export function runOptions(
  flags: Flags,
  caller: CallerEnvironment,
  listener: PullListener | undefined,
): RunOptions {
  return { ...createOptions(flags, caller, listener), sigProxy: flags.sigProxy };
}

/**
 * The flags that say what a container is to be, checked and in the engine's units.
 *
 * @param listener told of a pull that turns out to be needed
 * @throws RtError invalid-argument | unsupported | not-found
 */
export function createOptions(
  flags: MakingFlags,
  caller: CallerEnvironment,
  listener: PullListener | undefined,
): CreateOptions {
  return {
    image: flags.image,
    pull: { policy: parsePull(flags.pull), platform: flags.platform, listener },
    settings: settingsOf(flags, caller),
    name: flags.name ? parseContainerName(flags.name, "--name") : undefined,
  };
}

function settingsOf(flags: MakingFlags, caller: CallerEnvironment): AskedSettings {
  const asked = { ...flags, networks: networksOf(flags, caller) };
  const [network = "default"] = asked.networks;
  const entrypoint = parseEntrypoint(flags.entrypoint);
  const shmSize = parseShmSize(flags.shmSize);
  return {
    ...defaultSettings(),
    ...(isOneNetwork(asked) && { networkMode: parseNetworkMode(network, "--network") }),
    ...seldomOptionsOf(asked),
    command: flags.command.map((word) => rejectNul("argument", word)),
    ...(entrypoint && { entrypoint }),
    hostname: parseHostname(flags.hostname ?? "", "--hostname"),
    autoRemove: flags.rm,
    openStdin: flags.interactive,
    attached: attachedOf(flags),
    tty: flags.tty,
    env: requestedEnvironment(flags.envFiles, flags.env, caller),
    workingDirectory: parseWorkingDirectory(flags.workdir ?? "", "--workdir"),
    user: parseUser(flags.user ?? "", "--user"),
    groupAdd: parseGroups(flags.groupAdd),
    ...(flags.stopSignal !== undefined && { stopSignal: parseSignal(flags.stopSignal).name }),
    readonlyRootfs: flags.readOnly,
    ...(shmSize !== undefined && { shmSize }),
    privileged: flags.privileged,
    init: flags.init,
  };
}

/** On a host whose kernel has no bridges RT_NETWORK says what those have that name no network. */
function networksOf({ networks }: MakingFlags, caller: CallerEnvironment): string[] {
  const usual = networks.length === 0 ? caller.get("RT_NETWORK") : undefined;
  return usual ? [usual] : networks;
}

/** Loaded where one of them is given. */
function seldomOptionsOf(flags: MakingFlags): Partial<AskedSettings> {
  if (isOneNetwork(flags) && !seldomNames.some((name) => isGiven(flags[name]))) return {};
  const { seldomOptions } = require("./seldom-options.ts") as typeof import("./seldom-options.ts");
  return seldomOptions(flags);
}

/** Nothing but its name. */
function isOneNetwork({ networks: [first = "", ...others] }: MakingFlags): boolean {
  return others.length === 0 && isOneMode(first);
}

function isGiven(value: string | readonly string[] | boolean | undefined): boolean {
  return typeof value === "boolean" ? value : (value ?? "").length > 0;
}

const seldomNames = [
  ...(["labels", "labelFiles", "annotations", "volumes", "mounts", "tmpfs", "capAdd", "capDrop"] as const),
  ...([
    "securityOptions",
    "readOnlyTmpfs",
    "devices",
    "addHosts",
    "dns",
    "egressAllow",
    "ulimits",
    "sysctls",
  ] as const),
  ...(["logDriver", "logOptions", "restart", "stopTimeout", "storageOptions", "volumesFrom"] as const),
  ...(["domainname", "pid", "ipc", "uts", "cgroupns", "oomScoreAdj"] as const),
  ...(["healthCmd", "healthInterval", "healthOnFailure", "healthRetries", "healthStartInterval"] as const),
  ...(["healthStartPeriod", "healthTimeout", "noHealthcheck"] as const),
  ...(["bandwidthUp", "bandwidthDown"] as const),
  ...(["publish", "publishAll", "expose"] as const),
  ...(["memory", "memoryReservation", "memorySwap", "memorySwappiness", "kernelMemory"] as const),
  ...(["oomKillDisable", "pidsLimit", "hugetlbLimits", "cgroupConf", "cpusetCpus", "cpusetMems"] as const),
  ...(["cgroupParent", "timeOffsets"] as const),
  ...(["userns", "uidMap", "gidMap", "subuidName", "subgidName"] as const),
  ...(["cpus", "cpuShares", "cpuPeriod", "cpuQuota", "cpuRtPeriod", "cpuRtRuntime"] as const),
  ...(["blkioWeight", "blkioWeightDevices", "deviceReadBps", "deviceWriteBps"] as const),
  ...(["deviceReadIops", "deviceWriteIops", "deviceCgroupRules", "gpus"] as const),
  ...(["ip", "ip6", "macAddress", "networkAliases", "links", "dnsSearch", "dnsOptions"] as const),
] as const;

/** Docker's rules: -i has stdin with it, and without -a the program's output comes too. */
function attachedOf({ attach, interactive }: MakingFlags): AskedSettings["attached"] {
  const asked = attach.map(parseStream);
  const wanted = new Set(asked.length > 0 ? asked : defaultSettings().attached);
  if (interactive) wanted.add("stdin");
  return streams.filter((stream) => wanted.has(stream));
}

const streams = ["stdin", "stdout", "stderr"] as const;

function parseStream(text: string): (typeof streams)[number] {
  const known = streams.find((stream) => stream === text.toLowerCase());
  if (known === undefined) throw invalid(`invalid --attach ${quote(text)}: want stdin, stdout or stderr`);
  return known;
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
