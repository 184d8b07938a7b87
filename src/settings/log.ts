import { RtError } from "../base/errors.ts";
import { invalid, quote } from "../base/invalid.ts";

/** Where the output of a container's program is kept, and how much of it. */
export const logDrivers = ["json-file", "none"] as const;
export type LogDriver = (typeof logDrivers)[number];

/** In numbers: at most `files` files of at most `bytes`, 0 for no limit. */
export interface LogLimits {
  bytes: number;
  files: number;
}

/** Docker's default is no limit; a log that is not looked after cannot fill the disk here. */
const defaults: LogLimits = { bytes: 10 << 20, files: 3 };
const filesMax = 1000;

/** Docker's drivers that rt does not have yet. */
const later = new Set(
  "local journald syslog passthrough gelf fluentd awslogs splunk etwlogs gcplogs".split(" "),
);

/** @throws RtError invalid-argument | unsupported */
export function parseLogDriver(text: string, what = "--log-driver"): LogDriver {
  const known = logDrivers.find((name) => name === text);
  if (known !== undefined) return known;
  if (later.has(text))
    throw new RtError("unsupported", `${what} ${text} is not there yet: now there are json-file and none`);
  throw invalid(`invalid ${what} ${quote(text)}: want json-file or none`);
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

/** @returns `options` @throws RtError invalid-argument | unsupported */
export function checkLogOptions(
  driver: LogDriver,
  options: Record<string, string>,
  what = "--log-opt",
): Record<string, string> {
  const [first] = Object.keys(options);
  if (driver === "none" && first !== undefined)
    throw invalid(`invalid ${what} ${quote(first)}: log driver none has no options`);
  for (const [key, value] of Object.entries(options)) {
    if (key === "max-size") parseMaxSize(value, what);
    else if (key === "max-file") parseMaxFile(value, what);
    else if (laterOptions.has(key)) throw new RtError("unsupported", `${what} ${key} is not there yet`);
    else if (key !== "compress") throw invalid(`unknown ${what} ${quote(key)} for log driver ${driver}`);
    else if (value !== "false")
      throw new RtError(
        "unsupported",
        `${what} compress is not there yet: rotated files are kept as they are`,
      );
  }
  return options;
}

const laterOptions = new Set("labels labels-regex env env-regex tag mode max-buffer-size".split(" "));

/** What checked options mean. Undefined: nothing is kept. */
export function logLimits(
  driver: LogDriver,
  options: Readonly<Record<string, string>>,
): LogLimits | undefined {
  const { "max-size": size, "max-file": files } = options;
  if (driver === "none") return undefined;
  return {
    bytes: size === undefined ? defaults.bytes : parseMaxSize(size),
    files: files === undefined ? defaults.files : parseMaxFile(files),
  };
}

function parseMaxSize(text: string, what = "--log-opt"): number {
  if (text === "-1") return 0;
  const match = /^(\d+(?:\.\d+)?) ?([kmgt])?(?:i?b)?$/i.exec(text);
  const bytes = match
    ? Math.floor(Number(match[1]) * 1024 ** " kmgt".indexOf((match[2] ?? " ").toLowerCase()))
    : 0;
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw invalid(`invalid ${what} max-size ${quote(text)}: want a size as 10m, or -1 for no limit`);
}

function parseMaxFile(text: string, what = "--log-opt"): number {
  const files = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (files >= 1 && files <= filesMax) return files;
  throw invalid(`invalid ${what} max-file ${quote(text)}: want a number from 1 to ${filesMax}`);
}
