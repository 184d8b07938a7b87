/** What is said of a container's end, from what is known of it. */
import { expect, test } from "bun:test";
import type { Circumstances } from "../../../../src/container/circumstances.ts";
import type { ContainerState } from "../../../../src/container/record.ts";
import { type EndFacts, errnoText, findings, headline } from "../../../../src/engine/container/explain.ts";

const ended: ContainerState = {
  status: "exited",
  pid: 0,
  startTime: "",
  exitCode: 0,
  startedAt: "2026-01-01T00:00:00Z",
  finishedAt: "2026-01-01T00:10:00Z",
  error: "",
};

function facts(state: Partial<ContainerState>, more: Partial<EndFacts> = {}): EndFacts {
  return {
    name: "web",
    state: { ...ended, ...state },
    circumstances: {},
    policy: { name: "no", retries: 0 },
    sent: { signals: [], stopped: false, isEnd: false },
    isStopped: false,
    onUnhealthy: "none",
    refused: [],
    changes: [],
    now: Date.parse("2026-01-01T00:12:00Z"),
    ...more,
  };
}

test("the headline: what it does, or how it ended and what that means", () => {
  const cases: [Partial<ContainerState>, Circumstances, string][] = [
    [{ status: "running" }, {}, "web runs, for 12 minutes"],
    [{ status: "paused" }, {}, "web is paused: rt unpause web lets it go on"],
    [{ status: "created" }, {}, "web has never been started: rt start web"],
    [{ status: "created", error: "cannot start" }, {}, "web could not be started"],
    [{ error: "cannot start container web: x" }, {}, "web could not be started again"],
    [{}, {}, "web ended 2 minutes ago with status 0: all went well, says the program"],
    [{ exitCode: 3 }, {}, "web ended 2 minutes ago with status 3: the program's own failure"],
    [
      { exitCode: 127 },
      {},
      "web ended 2 minutes ago with status 127: by convention, a command was not found",
    ],
    [{ exitCode: 137 }, { signal: 9 }, "web ended 2 minutes ago with status 137: ended by SIGKILL"],
    [
      { exitCode: 139 },
      { signal: 11 },
      "web ended 2 minutes ago with status 139: ended by SIGSEGV (a segmentation fault)",
    ],
    [
      { exitCode: 143 },
      {},
      "web ended 2 minutes ago with status 143: the program says so itself; by convention, something in it was ended by SIGTERM",
    ],
    [{ exitCode: 255 }, {}, "web ended 2 minutes ago with status 255: the program's own failure"],
    [
      { finishedAt: "0001-01-01T00:00:00Z", exitCode: 1 },
      {},
      "web ended with status 1: the program's own failure",
    ],
  ];
  for (const [state, circumstances, line] of cases)
    expect(headline(facts(state, { circumstances }))).toBe(line);
  const waits = facts({ status: "restarting", exitCode: 1 }, { delay_ms: 150_000 });
  expect(headline(waits)).toBe(
    "web ended 2 minutes ago with status 1: the program's own failure, and is about to be started again in 30 seconds",
  );
});

test("who sent the signal", () => {
  const killed = { exitCode: 137 };
  const by = (signals: number[], stopped: boolean, circumstances: Circumstances = { signal: 9 }) =>
    findings(
      facts(killed, {
        circumstances,
        sent: {
          signals: signals.map((number, index) => ({ number, at_ms: index * 3000 })),
          stopped,
          isEnd: signals.length > 0,
        },
      }),
    );
  expect(by([9], false)).toEqual(["rt kill sent it SIGKILL"]);
  expect(by([1, 9], false)).toEqual(["rt kill sent it SIGHUP, then SIGKILL"]);
  expect(by([15], true)).toEqual(["rt stop sent it SIGTERM"]);
  expect(by([15, 9], true)).toEqual([
    "rt stop sent it SIGTERM, which did not end it within 3 s, and then SIGKILL",
  ]);
  expect(by([], false)).toEqual(["rt did not send it: another process did, of the host or of the container"]);
  expect(by([], false, { signal: 11 })).toEqual([]);
  expect(findings(facts(killed, { circumstances: { signal: 9 }, sent: undefined }))).toEqual([
    "who sent it is not known any more: rt's events do not go back so far",
  ]);
  expect(by([9], false, { signal: 9, oom: { kills: 1, limit: 64 << 20, peak: 64 << 20 } })).toEqual([
    "out of memory: the kernel killed one of its processes; its limit is 64 MiB, the most in use was 64 MiB",
  ]);
  expect(by([], false, { oom: { kills: 2, limit: 0, peak: 0 } })).toEqual([
    "out of memory: the kernel killed 2 of its processes; the host's was short, it has no limit",
  ]);
});

test("its restart policy", () => {
  const policy = { name: "on-failure", retries: 3 } as const;
  const said = (state: Partial<ContainerState>, more: Partial<EndFacts>) => findings(facts(state, more));
  expect(said({ exitCode: 1 }, { policy, circumstances: { restarts: 3 } })).toEqual([
    "its restart policy is on-failure:3: it was started again 3 times, and that was the last",
  ]);
  expect(said({}, { policy })).toEqual(["its restart policy is on-failure:3, and this was no failure"]);
  const always = { name: "always", retries: 0 } as const;
  const sent = { signals: [], stopped: true, isEnd: true };
  for (const told of [{ sent }, { isStopped: true, circumstances: { restarts: 1 } }])
    expect(said({ exitCode: 1 }, { policy: always, ...told })).toEqual([
      "its restart policy is always, and it stays down because it was told to end: rt start begins anew",
    ]);
  expect(said({ status: "running" }, { policy: always, circumstances: { restarts: 1 } })).toEqual([
    "its restart policy is always: it was started again once",
  ]);
  expect(said({ status: "running" }, { policy: always })).toEqual([]);
});

test("health, lost lines, what has changed", () => {
  const Log = [{ Start: "", End: "", ExitCode: 7, Output: "no answer\n" }];
  expect(
    findings(facts({ status: "running" }, { health: { Status: "unhealthy", FailingStreak: 3, Log } })),
  ).toEqual(["its health check says unhealthy: 3 failed in a row, the last with status 7: no answer"]);
  expect(
    findings(facts({ status: "running" }, { health: { Status: "healthy", FailingStreak: 0, Log } })),
  ).toEqual([]);
  expect(findings(facts({}, { circumstances: { logErrno: 28 }, changes: ["x is gone"] }))).toEqual([
    "lines of its log were lost: no space left on device",
    "x is gone",
  ]);
  expect(findings(facts({ status: "running" }, { changes: ["x is gone"] }))).toEqual([]);
  const check = { Start: "", End: "", ExitCode: 1, Output: "" };
  const health = { Status: "unhealthy" as const, FailingStreak: 2, Log: [check] };
  const sent = { signals: [{ number: 9, at_ms: 0 }], stopped: false, isEnd: true };
  expect(findings(facts({ exitCode: 137 }, { health, onUnhealthy: "kill", sent }))).toEqual([
    "it was ended because it was unhealthy: --health-on-failure kill",
    "its health check says unhealthy: 2 failed in a row, the last with status 1",
  ]);
  expect(errnoText(9999)).toBe("errno 9999");
});
