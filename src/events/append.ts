import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { asSystemError, isErrno } from "../base/errors.ts";
import { directoryOf, fileOf, numbersIn } from "./files.ts";

/** What has happened to what, just now. */
export interface NewEvent {
  type: "container" | "image" | "volume" | "network";
  /** Docker's word: "create", "exec_start: ls -l". */
  action: string;
  id: string;
  attributes: Readonly<Record<string, string>>;
}

const fileBytesMax = 1 << 20;
const filesMax = 4;
/** A line is written at once, and read whole. */
const lineBytesMax = 64 << 10;

/**
 * Write an event down, in Docker's shape. Whoever acts does it, so it costs one write; nothing fails because of it, and on a
 * full disk it is lost.
 */
export function appendEvent(state: string, event: NewEvent): void {
  const line = Buffer.from(lineOf(event));
  try {
    append(state, line.length > lineBytesMax ? Buffer.from(lineOf(short(event))) : line);
  } catch (error) {
    if (!asSystemError(error)) throw error;
  }
}

function lineOf({ type, action, id, attributes }: NewEvent): string {
  const time = now();
  const from = attributes.image === undefined ? {} : { from: attributes.image };
  const status = type === "volume" || type === "network" ? {} : { status: action, id, ...from };
  const actor = { Type: type, Action: action, Actor: { ID: id, Attributes: attributes } };
  const head = { ...status, ...actor, scope: "local", time: Number(time / 1_000_000_000n) };
  // More digits than a number of JavaScript has.
  return `${JSON.stringify(head).slice(0, -1)},"timeNano":${time}}\n`;
}

/** What a template is filled in for: the action, further attributes (`,"key":"value"`), seconds, nanoseconds. */
const gaps = { action: "\x01", attributes: "\x02", seconds: "\x03", nanoseconds: "\x04" };
/** With room for what is filled in. */
const templateBytesMax = lineBytesMax / 2;

/** The line of an event with gaps, for who has no JSON at hand (zig-native/monitor/events.zig). In JSON no control character stands. */
export function eventTemplate(event: NewEvent): string {
  const template = templateOf(event);
  return Buffer.byteLength(template) > templateBytesMax ? templateOf(short(event)) : template;
}

function templateOf(event: NewEvent): string {
  // Nobody's label is that.
  const mark = crypto.randomUUID();
  const line = lineOf({ ...event, action: mark, attributes: { ...event.attributes, [mark]: "" } });
  const time = `,"time":${gaps.seconds},"timeNano":${gaps.nanoseconds}}`;
  return line
    .replace(`,"${mark}":""`, gaps.attributes)
    .replaceAll(mark, gaps.action)
    .replace(/,"time":\d+,"timeNano":\d+\}\n$/, time);
}

/** Without the labels, which may be of any length. */
function short({ attributes, action, ...event }: NewEvent): NewEvent {
  const ours = ["image", "name", "exitCode", "signal", "execID", "driver", "oldName"];
  const kept = Object.entries(attributes).filter(([key, value]) => ours.includes(key) && value.length < 4096);
  return { ...event, action: action.slice(0, 4096), attributes: Object.fromEntries(kept) };
}

let last = 0n;

/** Nanoseconds since the epoch; of one process no two events have the same. */
function now(): bigint {
  const time = BigInt(Date.now()) * 1_000_000n;
  last = time > last ? time : last + 1n;
  return last;
}

/** The file that this process wrote to last. */
let known: { state: string; path: string } | undefined;

function append(state: string, line: Uint8Array): void {
  if (known?.state === state && appendTo(known.path, constants.O_APPEND | constants.O_WRONLY, line)) return;
  // Others may fill the newest one just before us; then there is a newer.
  for (let attempt = 0; attempt < 3; attempt++) {
    const path = newestPath(state);
    known = { state, path };
    if (appendTo(path, constants.O_APPEND | constants.O_WRONLY | constants.O_CREAT, line)) return;
  }
}

/** @returns false where it was full, or is no more: then somebody may have begun another */
function appendTo(path: string, flags: number, line: Uint8Array): boolean {
  let file: number;
  try {
    file = openSync(path, flags, 0o600);
  } catch (error) {
    if (isErrno(error, "ENOENT") && (flags & constants.O_CREAT) === 0) return false;
    throw error;
  }
  try {
    if (fstatSync(file).size >= fileBytesMax) return false;
    writeSync(file, line);
    return true;
  } finally {
    closeSync(file);
  }
}

/**
 * The file of the highest number; one that is full is followed by the next number, which all who write at the same moment
 * agree upon without a lock.
 */
function newestPath(state: string): string {
  const numbers = numbersIn(state);
  const newest = numbers.at(-1);
  if (newest === undefined) {
    mkdirSync(directoryOf(state), { recursive: true, mode: 0o700 });
    return fileOf(state, 1);
  }
  const size = statSync(fileOf(state, newest), { throwIfNoEntry: false })?.size ?? 0;
  if (size < fileBytesMax) return fileOf(state, newest);
  dropOld(state, numbers);
  return fileOf(state, newest + 1);
}

function dropOld(state: string, numbers: readonly number[]): void {
  for (const number of numbers.slice(0, Math.max(0, numbers.length - filesMax + 1))) {
    try {
      unlinkSync(fileOf(state, number));
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
}
