/** What a process has from whoever started it is not the container's: it starts as if from a daemon, as docker's do. */
import { expect } from "bun:test";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { run } from "../support/command.ts";
import { shareOf } from "../support/idle.ts";
import { facts } from "../support/probe.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, running } from "./world.ts";

const { test, host } = containerTests(["python3", "prlimit"]);

/** A caller with every such thing set: score, niceness, SCHED_BATCH, idle I/O, no ASLR, slow timers, umask, signals. */
const caller = `
import ctypes, os, signal, sys
call = ctypes.CDLL(None, use_errno=True).syscall
prctl, ioprio_set, personality = (157, 251, 135) if os.uname().machine == "x86_64" else (167, 30, 92)
open("/proc/self/oom_score_adj", "w").write("500")
os.nice(10)
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
assert call(ioprio_set, 1, 0, 3 << 13) == 0
assert call(prctl, 29, 1000000, 0, 0, 0) == 0
assert call(personality, 0x40000) >= 0
os.umask(0o077)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.execv(sys.argv[1], sys.argv[1:])
`;

const clean = {
  oom_score_adj: "0",
  priority: "20",
  policy: "0",
  ioprio: "0",
  timer_slack_ns: "50000",
  personality: "0",
  umask: "0022",
  SigBlk: "0000000000000000",
  SigIgn: "0000000000000000",
};

async function called(...args: string[]): Promise<Record<string, string | undefined>> {
  const output = await run(["python3", "-c", caller, rtBinary, ...args], { env: host().env });
  const found = facts(output);
  return Object.fromEntries(Object.keys(clean).map((key) => [key, found.get(key)]));
}

test("run: nothing of the caller's", async () => {
  expect(await called("run", "--rm", image, "probe", "process")).toEqual(clean);
  expect(await called("run", "--rm", "-u", "app", "--init", image, "probe", "process")).toEqual(clean);
});

test("exec: nothing of the caller's", async () => {
  await using container = await running(host());
  expect(await called("exec", container.name, "probe", "process")).toEqual(clean);
  expect(await called("exec", "-u", "app", container.name, "probe", "process")).toEqual(clean);
});

test("few descriptors are enough for a container that many may attach to", async () => {
  await run(["prlimit", "--nofile=40", rtBinary, "run", "-d", "--name", "few", image, "sleep", "1000"], {
    env: host().env,
  });
  expect(await host().ok(["exec", "few", "echo", "there"])).toBe("there\n");
  // When all are in use whoever comes waits, and the monitor does not look for him all the time.
  const id = (await host().ok(["ps", "-q", "--no-trunc"])).trim();
  const socket = join(host().state, "containers", id, "attach.sock");
  const pid = Number(/^monitor (\d+)/m.exec(readFileSync(join(dirname(socket), "pid"), "latin1"))![1]);
  const clients = await Promise.all(Array.from({ length: 60 }, () => connected(socket)));
  await until("no more of them is let in", () => readdirSync(`/proc/${pid}/fd`).length === 40);
  expect(await shareOf(pid)).toBeLessThan(0.1);
  for (const client of clients) client.destroy();
  await until("they are gone", () => readdirSync(`/proc/${pid}/fd`).length < 30);
  expect(await host().ok(["exec", "few", "echo", "there"])).toBe("there\n");
  await host().ok(["rm", "-f", "few"]);
});

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, "connect");
  return socket;
}
