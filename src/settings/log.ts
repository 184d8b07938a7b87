import { RtError } from "../base/errors.ts";
import { invalid, quote } from "../base/invalid.ts";

/** What becomes of the output of a container's program. */
export const logDrivers = ["json-file", "local", "journald", "syslog", "none"] as const;
export type LogDriver = (typeof logDrivers)[number];

/** In which files it is kept: at most `files` of at most `bytes`, 0 for no limit. */
export interface LogFilesPlan {
  form: "json" | "local";
  bytes: number;
  files: number;
  /** Those that have been rotated. */
  compress: boolean;
}

/** Docker's default for json-file is no limit; a log that is not looked after cannot fill the disk here. */
const defaults = {
  json: { bytes: 10 << 20, files: 3, compress: false },
  local: { bytes: 20 << 20, files: 5, compress: true },
};
const filesMax = 1000;

/** Drivers that send it away keep it in files of their own too, so that it can be read: Docker's dual logging. */
const cached = new Set<LogDriver>(["journald", "syslog"]);

/** Docker's drivers that rt does not have. */
const others = new Set("passthrough gelf fluentd awslogs splunk etwlogs gcplogs".split(" "));

const attributeOptions = ["labels", "labels-regex", "env", "env-regex", "tag"];
const fileOptions = ["max-size", "max-file", "compress"];
const cacheOptions = ["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"];
const optionsOf: Readonly<Record<LogDriver, readonly string[]>> = {
  "json-file": [...fileOptions, ...attributeOptions],
  local: [...fileOptions, ...attributeOptions],
  journald: [...cacheOptions, ...attributeOptions],
  syslog: [...cacheOptions, ...attributeOptions, "syslog-address", "syslog-facility", "syslog-format"],
  none: [],
};

/** @throws RtError invalid-argument | unsupported */
export function parseLogDriver(text: string, what = "--log-driver"): LogDriver {
  const known = logDrivers.find((name) => name === text);
  if (known !== undefined) return known;
  const all = `${logDrivers.slice(0, -1).join(", ")} or ${logDrivers.at(-1)}`;
  if (others.has(text)) throw new RtError("unsupported", `${what} ${text} is not there: there are ${all}`);
  throw invalid(`invalid ${what} ${quote(text)}: want ${all}`);
}

/** "KEY=VALUE", the last of each key. @throws RtError invalid-argument | unsupported */
export function parseLogOptions(driver: LogDriver, texts: readonly string[]): Record<string, string> {
  const entries = texts.map((text) => {
    const equals = text.indexOf("=");
    if (equals < 1) throw invalid(`invalid --log-opt ${quote(text)}: want KEY=VALUE`);
    return [text.slice(0, equals), text.slice(equals + 1)];
  });
  return checkLogOptions(driver, Object.fromEntries(entries));
}

/** Docker's words where a script could care. @returns `options` @throws RtError invalid-argument | unsupported */
export function checkLogOptions(
  driver: LogDriver,
  options: Record<string, string>,
  what = "--log-opt",
): Record<string, string> {
  const [first] = Object.keys(options);
  if (driver === "none" && first !== undefined)
    throw invalid(`invalid ${what} ${quote(first)}: log driver none has no options`);
  const { mode = "", "max-buffer-size": buffer, ...own } = options;
  if (mode !== "" && mode !== "blocking" && mode !== "non-blocking")
    throw invalid(`logger: logging mode not supported: ${mode}`);
  if (buffer !== undefined && mode !== "non-blocking")
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  if (buffer !== undefined) parseSize(buffer, what, "max-buffer-size");
  for (const [key, value] of Object.entries(own)) {
    if (!optionsOf[driver].includes(key)) throw unknownOption(driver, key);
    checkOption(key, value, what);
  }
  logFilesPlan(driver, options);
  return options;
}

function unknownOption(driver: LogDriver, key: string): RtError {
  const whose = driver === "local" ? "log driver local" : `${driver} log driver`;
  return invalid(`unknown log opt '${key.slice(0, 200)}' for ${whose}`);
}

function checkOption(key: string, value: string, what: string): void {
  const name = key.replace(/^cache-/, "");
  if (name === "max-size") parseMaxSize(value, what, key);
  else if (name === "max-file") parseMaxFile(value, what, key);
  else if (name === "compress" || name === "disabled") parseFlag(value, what, key);
  else if (key === "tag") attributes().checkTag(value);
  else if (key.endsWith("-regex")) parsePattern(value, what, key);
  else if (key === "syslog-address") syslog().parseSyslogAddress(value);
  else if (key === "syslog-facility") syslog().parseFacility(value);
  else if (key === "syslog-format") syslog().parseSyslogFormat(value);
}

/** Few containers have such options: loaded for those. */
const attributes = () => require("./log-attributes.ts") as typeof import("./log-attributes.ts");
const syslog = () => require("./syslog.ts") as typeof import("./syslog.ts");

/** Of checked options. Undefined: it is kept in no file. @throws RtError invalid-argument: they contradict each other */
export function logFilesPlan(
  driver: LogDriver,
  options: Readonly<Record<string, string>>,
): LogFilesPlan | undefined {
  if (driver === "none") return undefined;
  const isCache = cached.has(driver);
  if (isCache && parseFlag(options["cache-disabled"] ?? "false")) return undefined;
  const form = driver === "json-file" ? "json" : "local";
  const option = (name: string) => options[isCache ? `cache-${name}` : name];
  const [size, count, compress] = ["max-size", "max-file", "compress"].map(option);
  const bytes = size === undefined ? defaults[form].bytes : parseMaxSize(size);
  const files = count === undefined ? defaults[form].files : parseMaxFile(count);
  const isPossible = files > 1 && bytes > 0;
  if (compress !== undefined && parseFlag(compress) && !isPossible)
    throw invalid("compress cannot be true when max-file is less than 2 or max-size is not set");
  const isWanted = compress === undefined ? defaults[form].compress : parseFlag(compress);
  return { form, bytes, files, compress: isWanted && isPossible };
}

/** As strconv.ParseBool. */
function parseFlag(text: string, what = "--log-opt", key = "compress"): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw invalid(`invalid ${what} ${key} ${quote(text)}: want true or false`);
}

function parsePattern(text: string, what: string, key: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw invalid(`invalid ${what} ${key} ${quote(text)}: want a regular expression`);
  }
}

function parseMaxSize(text: string, what = "--log-opt", key = "max-size"): number {
  return text === "-1" ? 0 : parseSize(text, what, key, ", or -1 for no limit");
}

function parseSize(text: string, what: string, key: string, or = ""): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt])?(?:i?b)?$/i.exec(text);
  const bytes = match
    ? Math.floor(Number(match[1]) * 1024 ** " kmgt".indexOf((match[2] ?? " ").toLowerCase()))
    : 0;
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw invalid(`invalid ${what} ${key} ${quote(text)}: want a size as 10m${or}`);
}

function parseMaxFile(text: string, what = "--log-opt", key = "max-file"): number {
  const files = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (files >= 1 && files <= filesMax) return files;
  throw invalid(`invalid ${what} ${key} ${quote(text)}: want a number from 1 to ${filesMax}`);
}
