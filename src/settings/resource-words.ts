import { invalid, quote } from "../base/invalid.ts";
import { lastOfEachDevice } from "./resource-checks.ts";
import {
  type DeviceRate,
  type DeviceWeight,
  flagOf,
  type HugetlbLimit,
  type ResourceName,
  type Resources,
} from "./resources.ts";

/** The flags as they were given: what is absent or "" asks for nothing, and so does Docker's 0. */
export interface ResourceWords {
  memory?: string | undefined;
  memoryReservation?: string | undefined;
  memorySwap?: string | undefined;
  memorySwappiness?: string | undefined;
  oomKillDisable?: boolean | undefined;
  cpus?: string | undefined;
  cpuShares?: string | undefined;
  cpuPeriod?: string | undefined;
  cpuQuota?: string | undefined;
  cpuRtPeriod?: string | undefined;
  cpuRtRuntime?: string | undefined;
  cpusetCpus?: string | undefined;
  cpusetMems?: string | undefined;
  pidsLimit?: string | undefined;
  blkioWeight?: string | undefined;
  blkioWeightDevices?: readonly string[];
  deviceReadBps?: readonly string[];
  deviceWriteBps?: readonly string[];
  deviceReadIops?: readonly string[];
  deviceWriteIops?: readonly string[];
  hugetlbLimits?: readonly string[];
  cgroupConf?: readonly string[];
}

/** Bytes of "64m"; it throws, with the flag's name, where the text says no size. */
type SizeParser = (text: string, what: string) => number;

/** Each by itself: what they say together is resource-checks.ts's. @throws RtError invalid-argument, in a line that names the flag */
export function parseResources(words: ResourceWords, parseSize: SizeParser): Resources {
  const asked: Resources = {};
  const set = <K extends ResourceName>(name: K, value: Resources[K] | undefined) => {
    const isNothing = value === undefined || value === 0 || value === "" || value === false;
    if (!isNothing && !(Array.isArray(value) && value.length === 0)) asked[name] = value;
  };
  const size = (name: ResourceName, text: string | undefined) =>
    text ? parseSize(text, flagOf(name)) : undefined;
  set("memory", size("memory", words.memory));
  set("memoryReservation", size("memoryReservation", words.memoryReservation));
  set("memorySwap", words.memorySwap === "-1" ? -1 : size("memorySwap", words.memorySwap));
  // 0 is one of its values; -1 is Docker's for none.
  const swappiness = whole("memorySwappiness", words.memorySwappiness);
  if (swappiness !== undefined && swappiness !== -1) asked.memorySwappiness = swappiness;
  set("oomKillDisable", words.oomKillDisable);
  set("nanoCpus", words.cpus ? parseCpus(words.cpus) : undefined);
  set("cpuShares", positive("cpuShares", words.cpuShares));
  set("cpuPeriod", positive("cpuPeriod", words.cpuPeriod));
  set("cpuQuota", whole("cpuQuota", words.cpuQuota));
  set("cpuRealtimePeriod", positive("cpuRealtimePeriod", words.cpuRtPeriod));
  set("cpuRealtimeRuntime", positive("cpuRealtimeRuntime", words.cpuRtRuntime));
  set("cpusetCpus", words.cpusetCpus);
  set("cpusetMems", words.cpusetMems);
  const pids = whole("pidsLimit", words.pidsLimit);
  set("pidsLimit", pids === 0 ? -1 : pids);
  set("blkioWeight", positive("blkioWeight", words.blkioWeight));
  set("blkioWeightDevice", lastOfEachDevice((words.blkioWeightDevices ?? []).map(parseDeviceWeight)));
  for (const name of ["deviceReadBps", "deviceWriteBps", "deviceReadIops", "deviceWriteIops"] as const) {
    const rate = name.endsWith("Bps") ? parseSize : operations;
    set(name, lastOfEachDevice((words[name] ?? []).map((text) => parseDeviceRate(text, flagOf(name), rate))));
  }
  set(
    "hugetlb",
    (words.hugetlbLimits ?? []).map((text) => parseHugetlb(text, parseSize)),
  );
  const conf = (words.cgroupConf ?? []).map(parseConf);
  if (conf.length > 0) asked.cgroupConf = Object.fromEntries(conf);
  return asked;
}

function whole(name: ResourceName, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = /^[-+]?\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (number === undefined) throw invalid(`invalid ${flagOf(name)} ${quote(text)}: want a number`);
  return number;
}

function positive(name: ResourceName, text: string | undefined): number | undefined {
  const number = whole(name, text);
  if (number === undefined || number >= 0) return number;
  throw invalid(`invalid ${flagOf(name)} ${quote(text!)}: value must be a positive integer`);
}

/** "1.5" as billionths. As Docker's: nine digits behind the point, no more. */
function parseCpus(text: string): number {
  const fail = (why: string) => invalid(`invalid --cpus ${quote(text)}: ${why}`);
  const match = /^([-+]?)(\d{0,6})(?:\.(\d*))?$/.exec(text);
  const [, sign, before = "", behind = ""] = match ?? [];
  if (!match || before + behind === "") throw fail("failed to parse it as a rational number");
  const digits = behind.replace(/0+$/, "");
  if (digits.length > 9) throw fail("value is too precise");
  const billionths = Number(before) * 1e9 + Number(digits.padEnd(9, "0"));
  return sign === "-" ? -billionths : billionths;
}

const format = "want /dev/x:NUMBER";

function parseDeviceWeight(text: string): DeviceWeight {
  const [path, weight] = split(text, flagOf("blkioWeightDevice"));
  if (!/^\d{1,4}$/.test(weight))
    throw invalid(`invalid ${flagOf("blkioWeightDevice")} ${quote(text)}: ${format}`);
  return { path, weight: Number(weight) };
}

function parseDeviceRate(text: string, flag: string, parse: SizeParser): DeviceRate {
  const [path, rate] = split(text, flag);
  const value = parse(rate, flag);
  if (value === 0) throw invalid(`invalid ${flag} ${quote(text)}: the rate must be a positive integer`);
  return { path, rate: value };
}

function operations(text: string, flag: string): number {
  if (!/^\d{1,15}$/.test(text)) throw invalid(`invalid ${flag} ${quote(text)}: ${format}`);
  return Number(text);
}

/** At the last colon. */
function split(text: string, flag: string): [path: string, value: string] {
  const colon = text.lastIndexOf(":");
  if (colon < 1) throw invalid(`invalid ${flag} ${quote(text)}: ${format}`);
  return [text.slice(0, colon), text.slice(colon + 1)];
}

/** "2MB:64m"; the size of the pages is written as the kernel's file names have it. */
function parseHugetlb(text: string, parseSize: SizeParser): HugetlbLimit {
  const flag = flagOf("hugetlb");
  const [pages, limit] = text.split(/[:=]/);
  if (!pages || limit === undefined) throw invalid(`invalid ${flag} ${quote(text)}: want 2MB:SIZE`);
  const bytes = parseSize(pages, flag);
  const unit = (["GB", "MB", "KB"] as const).find((_, at) => bytes >= 1024 ** (3 - at)) ?? "KB";
  const size = bytes / 1024 ** ["", "KB", "MB", "GB"].indexOf(unit);
  return { size: `${size}${unit}`, limit: parseSize(limit, flag) };
}

function parseConf(text: string): [key: string, value: string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw invalid(`invalid ${flagOf("cgroupConf")} ${quote(text)}: want KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
