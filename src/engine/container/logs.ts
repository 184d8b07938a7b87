import { watch } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import { type Container, recordOf } from "../../container/stored-container.ts";
import { parseTimestamp } from "../../docker/timestamp.ts";
import { logPath } from "../../log/files.ts";
import type { LogEntry } from "../../log/line.ts";
import { LogReader, type LogSink } from "../../log/reader.ts";
import { isLocked } from "../../runtime/lock.ts";
import { type LogDriver, logFilesPlan } from "../../settings/log.ts";
import type { Host } from "../host.ts";
import { outputOf, type StreamOutput } from "../output.ts";
import { errnoText } from "./explain.ts";
import { find } from "./find.ts";
import { look } from "./look.ts";

export interface LogsOptions {
  /** What comes, too, until the container has ended. */
  follow: boolean;
  /** Only so many of the last lines, before times are looked at; all unless given. */
  tail?: number | undefined;
  /** Nanoseconds since 1970. */
  since?: bigint | undefined;
  until?: bigint | undefined;
  /** Each line with its time. */
  timestamps: boolean;
  /** Each line with the attributes that --log-opt labels, env and tag gave it. */
  details: boolean;
  /** There is a log, and it is about to be read. */
  onReading?: () => void;
}

/** A monitor that was killed writes nothing of it, and no file changes. */
const lostAfter_ms = 1000;
/** From the word of a program's end to the last line of it. */
const lastLinesWithin_ms = 2000;

/** The log of a container, its two streams to the caller's two. @throws not-found */
export async function logs(host: Host, name: string, options: LogsOptions): Promise<void> {
  const { container, state } = await find(host, name);
  const record = recordOf(container);
  const { logDriver, logOptions } = record ?? { logDriver: "json-file", logOptions: {} };
  const form = logFilesPlan(logDriver, logOptions)?.form;
  if (form === undefined) throw unreadable(container, logDriver);
  const { logErrno } = state.circumstances ?? {};
  if (logErrno !== undefined)
    host.warn(`lines of container ${container.name} could not be kept or sent on: ${errnoText(logErrno)}`);
  options.onReading?.();
  const onDamage = () =>
    host.warn(`the log of container ${container.name} is damaged: what cannot be read is left out`);
  const sink = new LogOutput(outputOf(host.session), options);
  const { tail } = options;
  const path = logPath(host.filesOf(container.id), container.id, form);
  using reader = new LogReader(path, { form, tail, onDamage });
  if (!(await reader.read(sink))) return;
  if (options.follow && !(await followToEnd(host, container, reader, sink, options.until))) return;
  if (!isAlive(host, container)) await reader.finish(sink);
}

/** Docker's words, and where to look. */
function unreadable({ id }: Container, driver: LogDriver): RtError {
  const where = driver === "journald" ? `: journalctl CONTAINER_ID_FULL=${id} shows it` : "";
  const why = `configured logging driver does not support reading${where}`;
  return new RtError("unsupported", why, { exitCode: 1 });
}

function isAlive(host: Host, { id }: Container): boolean {
  // Read anew: another command may have written the exit down meanwhile.
  const exit = host.containers.find(id)?.exit;
  return look(host, { id, exit }).state.status !== "exited" && isLocked(join(host.stateOf(id), "lock"));
}

async function followToEnd(
  host: Host,
  container: Container,
  reader: LogReader,
  sink: LogSink,
  until: bigint | undefined,
): Promise<boolean> {
  const directory = host.stateOf(container.id);
  const abort = host.session.stdio.kind === "streams" ? host.session.abort : undefined;
  const isLate = () => until !== undefined && BigInt(Date.now()) * 1_000_000n > until;
  const hasEnded = async () => {
    abort?.throwIfAborted();
    if (isLate()) return true;
    if (isAlive(host, container)) return false;
    await holdsWithin(lastLinesWithin_ms, () => !isLocked(join(directory, "lock")));
    return true;
  };
  return reader.follow(sink, hasEnded, (call) => {
    const timer = setInterval(call, lostAfter_ms);
    const watcher = watchExit(directory, call);
    abort?.addEventListener("abort", call);
    return () => {
      clearInterval(timer);
      watcher?.close();
      abort?.removeEventListener("abort", call);
    };
  });
}

/** The exit's file comes into this directory, and then the directory goes. */
function watchExit(directory: string, call: () => void) {
  try {
    return watch(directory, call).on("error", call);
  } catch {
    return undefined; // it has gone already
  }
}

const outputBytes = 64 << 10;

/** Lines as docker prints them, gathered into large writes. */
class LogOutput implements LogSink {
  readonly #write: StreamOutput;
  readonly #options: LogsOptions;
  readonly #gathered = Buffer.allocUnsafe(outputBytes);
  #length = 0;
  #stream: "stdout" | "stderr" = "stdout";

  constructor(write: StreamOutput, options: LogsOptions) {
    this.#write = write;
    this.#options = options;
  }

  take(entry: LogEntry): boolean | Promise<boolean> {
    const { since, until, timestamps, details } = this.#options;
    if (since !== undefined || until !== undefined) {
      const time = parseTimestamp(entry.time) ?? 0n;
      if (since !== undefined && time < since) return true;
      if (until !== undefined && time > until) return this.flush().then(() => false);
    }
    const bytes = timestamps || details ? this.#withHead(entry) : entry.bytes;
    if (entry.stream === this.#stream && this.#length + bytes.length <= outputBytes) {
      this.#gathered.set(bytes, this.#length);
      this.#length += bytes.length;
      return true;
    }
    return this.#flushAndTake(entry.stream, bytes);
  }

  async #flushAndTake(stream: "stdout" | "stderr", bytes: Uint8Array): Promise<boolean> {
    if (!(await this.flush())) return false;
    this.#stream = stream;
    if (bytes.length > outputBytes) return this.#write(stream, bytes);
    this.#gathered.set(bytes);
    this.#length = bytes.length;
    return true;
  }

  async flush(): Promise<boolean> {
    const length = this.#length;
    this.#length = 0;
    return length === 0 || this.#write(this.#stream, this.#gathered.subarray(0, length));
  }

  #withHead({ time, attributes, bytes }: LogEntry): Uint8Array {
    const { timestamps, details } = this.#options;
    const head = `${timestamps ? `${wholeTime(time)} ` : ""}${details ? `${attributeText(attributes)} ` : ""}`;
    return Buffer.concat([Buffer.from(head), bytes]);
  }
}

/** With all nine digits of the nanoseconds, so that columns stand below each other. */
function wholeTime(time: string): string {
  const match = /^(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(time);
  return match ? `${match[1]}.${(match[2] ?? "").padEnd(9, "0")}${match[3]}` : time;
}

function attributeText(attributes: Readonly<Record<string, string>>): string {
  const escaped = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);
  return Object.keys(attributes)
    .sort()
    .map((key) => `${escaped(key)}=${escaped(attributes[key]!)}`)
    .join(",");
}
