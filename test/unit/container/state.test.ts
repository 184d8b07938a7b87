import { expect, test } from "bun:test";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { observe, zeroTime } from "../../../src/container/state.ts";
import { scratch } from "../store/samples.ts";

const pidFile = "init 4242 987654\nmonitor 4241 987650\nstarted 1735689600123456789\n";
const exitFile = "code 3\nfinished 1735689601000000001\nerror \n";
const started = "2025-01-01T00:00:00.123456789Z";
const recorded = { exitCode: 7, startedAt: started, finishedAt: "2025-01-01T00:00:02Z", error: "" };

function directory(files: Record<string, string>) {
  const dir = scratch();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir.path, name), text);
  return dir;
}

const held = (path: string) => path.endsWith("/lock");
const free = () => false;

test("running: the lock is held and there is a pid", () => {
  using dir = directory({ lock: "", pid: pidFile });
  expect(observe(dir.path, undefined, held)).toEqual({
    state: {
      status: "running",
      pid: 4242,
      startTime: "987654",
      exitCode: 0,
      startedAt: started,
      finishedAt: zeroTime,
      error: "",
    },
    monitor: { pid: 4241, startTime: "987650" },
    init: { pid: 4242, startTime: "987654" },
    needsCleanup: false,
  });
});

test("created: the monitor is there and the program is not yet, or there is no monitor yet", () => {
  using early = directory({ lock: "" });
  expect(observe(early.path, undefined, held).state.status).toBe("created");
  expect(observe(early.path, undefined, free)).toMatchObject({
    state: { status: "created" },
    needsCleanup: false,
  });
  const nowhere = join(early.path, "nowhere");
  expect(observe(nowhere, undefined, free)).toMatchObject({ state: { status: "created", pid: 0 } });
});

test("exited: the exit file counts, whoever holds the lock", () => {
  using dir = directory({ lock: "", pid: pidFile, exit: exitFile });
  for (const isLocked of [held, free]) {
    expect(observe(dir.path, undefined, isLocked)).toMatchObject({
      state: {
        status: "exited",
        pid: 0,
        exitCode: 3,
        startedAt: started,
        finishedAt: "2025-01-01T00:00:01.000000001Z",
        error: "",
      },
      needsCleanup: false,
    });
  }
});

test("exited before it ran: the error is told", () => {
  using dir = directory({
    lock: "",
    exit: "code 127\nfinished 1735689601000000000\nerror exec sh: not found (ENOENT)\n",
  });
  const { state } = observe(dir.path, undefined, free);
  expect(state).toMatchObject({ status: "exited", exitCode: 127, startedAt: zeroTime });
  expect(state.error).toBe("exec sh: not found (ENOENT)");
});

test("lost: a pid, no lock, no exit", () => {
  using dir = directory({ lock: "", pid: pidFile });
  utimesSync(join(dir.path, "pid"), 1735689605, 1735689605);
  expect(observe(dir.path, undefined, free)).toMatchObject({
    state: {
      status: "exited",
      exitCode: 137,
      startedAt: started,
      finishedAt: "2025-01-01T00:00:05.000Z",
      error: "the monitor was killed",
    },
    needsCleanup: true,
  });
});

test("not lost: the exit was written while we looked", () => {
  using dir = directory({ lock: "", pid: pidFile });
  const ending = () => {
    writeFileSync(join(dir.path, "exit"), exitFile);
    return false;
  };
  expect(observe(dir.path, undefined, ending)).toMatchObject({ state: { exitCode: 3 }, needsCleanup: false });
});

test("after a reboot the store knows", () => {
  using dir = scratch();
  const gone = join(dir.path, "gone");
  expect(observe(gone, recorded, free)).toMatchObject({
    state: { status: "exited", ...recorded },
    needsCleanup: false,
  });
  mkdirSync(gone);
  expect(observe(gone, recorded, free).state.exitCode).toBe(7);
});

test("damaged files are no crash", () => {
  using dir = directory({ lock: "", pid: "init x y\nstarted 99999999999999999999999\n\0\n", exit: "code x" });
  expect(observe(dir.path, undefined, free).state).toMatchObject({
    status: "exited",
    exitCode: 137,
    startedAt: zeroTime,
  });
});

test("a damaged exit file says nothing while somebody looks after the container", () => {
  using dir = directory({ lock: "", pid: pidFile, exit: "code x\n" });
  expect(observe(dir.path, undefined, held).state).toMatchObject({ status: "running", pid: 4242 });
  expect(observe(dir.path, undefined, free)).toMatchObject({
    state: { status: "exited", exitCode: 137, error: "its exit status cannot be read" },
    needsCleanup: true,
  });
});

test("a damaged pid file says that it runs, and not as what", () => {
  for (const text of ["", "\0\0", "init -1 5\n", "init 99999999999 5\n", "init 0 0\n"]) {
    using dir = directory({ lock: "", pid: text });
    expect(observe(dir.path, undefined, held).state).toMatchObject({
      status: "running",
      pid: 0,
      startTime: "",
    });
  }
});

test("what there is to say besides: the signal, want of memory, restarts, lines of the log that were lost", () => {
  const pid = `${pidFile}restarts 2\n`;
  const exit = `${exitFile}signal 9\noom 3 67108864 67100000\n`;
  using dir = directory({ lock: "", pid, exit, "log-error": "errno 28\nsince 1\n" });
  const circumstances = {
    ...{ signal: 9, oom: { kills: 3, limit: 67108864, peak: 67100000 } },
    ...{ restarts: 2, logErrno: 28 },
  };
  expect(observe(dir.path, undefined, free).state.circumstances).toEqual(circumstances);
  using up = directory({ lock: "", pid, "log-error": "errno 28\n" });
  expect(observe(up.path, undefined, held)).toMatchObject({
    state: { status: "running", circumstances: { restarts: 2, logErrno: 28 } },
    restarts: 2,
  });
  // On record, and without files.
  const told = observe(join(up.path, "nowhere"), { ...recorded, circumstances }, free);
  expect(told).toMatchObject({ state: { circumstances }, restarts: 2 });
});

test("circumstances that are damaged say nothing, and those that are too large not their size", () => {
  for (const odd of ["signal 0", "signal x", "signal 999", "oom 0 1 1", "oom -1 1 1", "oom 1 2", "oom"]) {
    using dir = directory({ exit: `${exitFile}${odd}\n`, "log-error": "errno -1\n" });
    expect(observe(dir.path, undefined, free).state).not.toHaveProperty("circumstances");
  }
  using dir = directory({ exit: `${exitFile}oom 1 9223372036854771712 0\n` });
  expect(observe(dir.path, undefined, free).state.circumstances).toEqual({
    oom: { kills: 1, limit: 0, peak: 0 },
  });
});
