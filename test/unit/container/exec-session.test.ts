import { afterAll, expect, test } from "bun:test";
import { closeSync, existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  openSessions,
  readSession,
  readSessionExit,
  sessionIds,
  trimSessions,
  writeSession,
} from "../../../src/container/exec-session.ts";
import { scratchDirectory } from "../../support/scratch.ts";

const places: string[] = [];
afterAll(() => {
  for (const place of places) rmSync(place, { recursive: true });
});

function place(): string {
  const path = mkdtempSync(join(scratchDirectory(), "rt-sessions-"));
  places.push(path);
  return path;
}

const facts = {
  pid: 7,
  startTime: "123",
  words: ["sh"],
  user: "",
  tty: false,
  openStdin: true,
  privileged: false,
  openStdout: true,
  openStderr: true,
  detachKeys: "",
};
const idOf = (number: number) => number.toString(16).padStart(64, "0");

test("what was written is read; what is no session is none", () => {
  const dir = place();
  expect(sessionIds(dir)).toEqual([]);
  for (const _ of ["made", "there"]) closeSync(openSessions(dir)!);
  writeSession(dir, idOf(1), facts, ["/run/rt/events", "sh", "{}"]);
  expect(readSession(dir, idOf(1))).toEqual(facts);
  expect(readSession(dir, idOf(2))).toBeUndefined();
  expect(readSessionExit(dir, idOf(1))).toBeUndefined();
  const file = (name: string, text: string) => writeFileSync(join(dir, "exec", name), text);
  file(`${idOf(1)}.exit`, "code 3\nfinished 1\n");
  expect(readSessionExit(dir, idOf(1))).toBe(3);
  for (const text of ["", "{}\n", "x", '{"pid":"7"}\n', "[".repeat(10_000)]) {
    file(idOf(3), text);
    expect(readSession(dir, idOf(3))).toBeUndefined();
  }
  file(`${idOf(3)}.exit`, "code 9999\n");
  expect(readSessionExit(dir, idOf(3))).toBeUndefined();
  expect(sessionIds(dir).sort()).toEqual([idOf(1), idOf(3)]);
});

test("words are kept as far as there is room", () => {
  const dir = place();
  closeSync(openSessions(dir)!);
  writeSession(dir, idOf(1), { ...facts, words: ["sh", "x".repeat(40_000), "y"] }, []);
  expect(readSession(dir, idOf(1))?.words).toEqual(["sh"]);
});

test("of those that are over the last hundred stay, and each that runs", () => {
  const dir = place();
  closeSync(openSessions(dir)!);
  const write = (number: number) => {
    writeSession(dir, idOf(number), facts, []);
    const exit = join(dir, "exec", `${idOf(number)}.exit`);
    writeFileSync(exit, "code 0\n");
    utimesSync(exit, number, number);
  };
  writeSession(dir, idOf(0), facts, []);
  for (let number = 1; number <= 120; number++) write(number);
  trimSessions(dir);
  expect(sessionIds(dir)).toHaveLength(121);
  write(121);
  trimSessions(dir);
  const kept = new Set(sessionIds(dir));
  expect(kept.size).toBe(101);
  for (const number of [0, 22, 121]) expect([number, kept.has(idOf(number))]).toEqual([number, true]);
  expect(kept.has(idOf(21))).toBe(false);
  expect(readdirSync(join(dir, "exec"))).toHaveLength(201);
});

test("of a container that is over nothing is made", () => {
  const gone = join(place(), "gone");
  expect(openSessions(gone)).toBeUndefined();
  writeSession(gone, idOf(1), facts, []);
  trimSessions(gone);
  expect(existsSync(gone)).toBe(false);
});
