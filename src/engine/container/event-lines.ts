import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { eventTemplate } from "../../events/append.ts";
import { directoryOf } from "../../events/files.ts";
import type { Host } from "../host.ts";
import { containerEventOf } from "../record-event.ts";

/** Of a line that is read. */
const wordsBytesMax = 8 << 10;

/**
 * What a monitor needs to tell of an exec in the event log by itself (zig-native/monitor/events.zig): the log's directory, the
 * program's words as they stand in JSON, and the line with gaps.
 */
export function eventLines(host: Host, record: ContainerRecord, command: string): string[] {
  let text = command.slice(0, wordsBytesMax);
  // A long one is cut, as in other events that are too long.
  while (Buffer.byteLength(inJson(text)) > wordsBytesMax) text = text.slice(0, text.length / 2);
  return [directoryOf(host.paths.state), inJson(text), templateOf(record)];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** For the health checks of a container: the file `events` of its state directory. */
export function writeEventLines(
  host: Host,
  record: ContainerRecord,
  directory: string,
  command: string,
): void {
  write(directory, eventLines(host, record, command));
}

/** It has another name now. Where nothing is checked there is nothing to do. */
export function renameEventLines(record: ContainerRecord, directory: string): void {
  try {
    const [, events = "", command = ""] = readFileSync(join(directory, "events"), "utf8").split("\n");
    write(directory, [events, command, templateOf(record)]);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/** The first line is the one that a session of exec has there. */
function write(directory: string, lines: readonly string[]): void {
  const draft = join(directory, "events.new");
  writeFileSync(draft, ["", ...lines, ""].join("\n"), { mode: 0o600 });
  renameSync(draft, join(directory, "events"));
}

function templateOf(record: ContainerRecord): string {
  return eventTemplate(containerEventOf(record, "", {}));
}
