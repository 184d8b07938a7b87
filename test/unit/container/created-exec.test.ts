import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import {
  dropCreatedExec,
  readCreatedExec,
  takeCreatedExec,
  trimCreatedExecs,
  writeCreatedExec,
} from "../../../src/container/created-exec.ts";
import { openSessions, sessionIds } from "../../../src/container/exec-session.ts";
import { scratchDirectory } from "../../support/scratch.ts";

const idOf = (number: number) => number.toString(16).padStart(64, "0");
const created = {
  ...{ command: ["sh"], openStdin: true, openStdout: true, openStderr: false, tty: true, env: ["A=b"] },
  ...{ workingDirectory: "/", user: "", privileged: false, consoleSize: { rows: 1, columns: 2 } },
};

function withPlace(body: (state: string) => void): void {
  const state = mkdtempSync(join(scratchDirectory(), "rt-created-"));
  try {
    closeSync(openSessions(state)!);
    body(state);
  } finally {
    rmSync(state, { recursive: true });
  }
}

test("what was created is read until somebody has started it, and only one starts it", () =>
  withPlace((state) => {
    expect(readCreatedExec(state, idOf(1))).toBeUndefined();
    writeCreatedExec(state, idOf(1), created);
    expect(readCreatedExec(state, idOf(1))).toEqual({ created, isStarting: false });
    expect(sessionIds(state)).toEqual([]);
    expect(takeCreatedExec(state, idOf(1))).toBe(true);
    expect(takeCreatedExec(state, idOf(1))).toBe(false);
    expect(readCreatedExec(state, idOf(1))).toEqual({ created, isStarting: true });
    dropCreatedExec(state, idOf(1));
    expect(readCreatedExec(state, idOf(1))).toBeUndefined();
  }));

test("what is damaged is none, and hides no other", () =>
  withPlace((state) => {
    for (const text of ["", "{", "[]", '{"command":"sh"}', "[".repeat(100_000)]) {
      writeFileSync(join(state, "exec", `${idOf(2)}.created`), text);
      expect(readCreatedExec(state, idOf(2))).toBeUndefined();
    }
    writeCreatedExec(state, idOf(1), created);
    expect(readCreatedExec(state, idOf(1))?.created).toEqual(created);
    expect(() => writeCreatedExec(join(state, "none"), idOf(1), created)).toThrow(RtError);
  }));

test("of too many the oldest goes", () =>
  withPlace((state) => {
    for (let number = 0; number < 500; number++) {
      const file = join(state, "exec", `${idOf(number)}.created`);
      writeFileSync(file, "{}");
      utimesSync(file, number === 7 ? 1 : 1000, number === 7 ? 1 : 1000);
    }
    trimCreatedExecs(state);
    const left = readdirSync(join(state, "exec"));
    expect(left).toHaveLength(499);
    expect(left).not.toContain(`${idOf(7)}.created`);
  }));
