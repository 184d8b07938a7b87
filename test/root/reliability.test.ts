/** Many runs, many at once, and clients and monitors killed at any moment: nothing is lost, and nothing is left. */
import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { containerId, containerTests, nothingLeft, remains } from "../cli/world.ts";
import {
  cgroupDirectories,
  isOfNetwork,
  leaksSince,
  openDescriptors,
  readOrEmpty,
  snapshotHost,
  whereThere,
} from "../support/leaks.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests([], { keeps: true });
const strace = needs({ root: true, tools: ["busybox", "strace"] });
const image = "embed:hello";
const longMs = 60_000;

const times = <T>(count: number, each: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => each(index));

/** `each` for 0..count-1, `width` of them at a time. */
async function inParallel(count: number, width: number, each: (index: number) => Promise<void>) {
  let next = 0;
  await Promise.all(
    times(width, async () => {
      while (next < count) await each(next++);
    }),
  );
}

test(
  "300 runs, one after another in four rows, leave no mount, namespace, cgroup, process or file",
  async () => {
    const places = [host().state, join(host().root, "snapshots"), host().env.TMPDIR!, "/run"];
    // What the first container makes stays: the network's bridge, and its tables.
    await host().ok(["run", "--rm", image, "hostname"]);
    await host().ok(["ps"]);
    const before = snapshotHost(places);
    const ids = new Set<string>();
    await inParallel(300, 4, async () => {
      const { stdout, stderr, code } = await host().rt(["run", "--rm", image, "hostname"], {
        timeoutMs: longMs,
      });
      expect([stderr, code]).toEqual(["", 0]);
      ids.add(/^hostname (\w{12})$/m.exec(stdout)![1]!);
    });
    expect(ids.size).toBe(300);
    await nothingLeft(host());
    const short = [...ids];
    const ours = (what: string) =>
      isOfNetwork(what) || what.includes(host().dir) || short.some((id) => what.includes(id));
    await until("nothing of them is left", () => leaksSince(before, ours).length === 0).catch(() => {
      expect(leaksSince(before, ours)).toEqual([]);
    });
  },
  longMs,
);

test(
  "200 runs at once all end with 0",
  async () => {
    const results = await Promise.all(
      times(200, () => host().rt(["run", "--rm", image, "exit", "0"], { timeoutMs: longMs })),
    );
    const failed = results.filter(({ code, stdout, stderr }) => code !== 0 || stdout + stderr !== "");
    expect(failed).toEqual([]);
    await nothingLeft(host());
  },
  longMs,
);

test("twenty different commands at once each give their own output and status", async () => {
  const results = await Promise.all(
    times(20, (index) =>
      index % 2 === 0
        ? host().rt(["run", "--rm", "-e", `WHO=${index}`, image, "env"], { timeoutMs: longMs })
        : host().rt(["run", "--rm", image, "exit", `${index}`], { timeoutMs: longMs }),
    ),
  );
  for (const [index, { stdout, stderr, code }] of results.entries()) {
    const who = /^env WHO=(.*)$/m.exec(stdout)?.[1];
    expect([who, stderr, code]).toEqual(index % 2 === 0 ? [`${index}`, "", 0] : [undefined, "", index]);
  }
});

/** What killed clients left running is ended by its name, and then there is neither row nor directory. */
async function settles(): Promise<void> {
  await until("no container is between beginnings", async () => {
    const states = (await host().ok(["ps", "-a", "--format", "{{.State}}"])).trim();
    return states.split("\n").every((state) => ["running", "exited", ""].includes(state));
  });
  const rows = (await host().ok(["ps", "-aq"])).trim();
  if (rows !== "") await host().ok(["rm", "-f", ...rows.split("\n")]);
  // A directory without a row is removed only after ten seconds: it may be of a run that is just beginning.
  await until(
    "no row and nothing of any container is left",
    async () => (await host().ok(["ps", "-aq"])).trim() === "" && remains(host()).length === 0,
    15_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${remains(host()).join(", ")}`);
  });
}

test(
  "kill -9 of the client or its monitor at any moment of a run: the next commands clean up",
  async () => {
    const before = new Set(emptyGroups());
    await inParallel(25, 2, async (round) => {
      const client = host().spawn(["run", "--rm", image, "sleep", round % 2 === 0 ? "0" : "1000"]);
      await Bun.sleep(Math.random() * 40);
      client.kill("SIGKILL");
      expect([0, 137]).toContain(await client.exited);
    });
    await inParallel(25, 2, async (round) => {
      const client = host().spawn(["run", "--rm", "--name", `orphan-${round}`, image, "sleep", "1000"]);
      await killMonitorOf(client.pid, Math.random() * 20);
      expect(await client.exited).not.toBe(0);
      expect(client.stderr.text).toMatch(/^rt: [^\n]*\n$/);
    });
    await settles();
    // Other tests run beside this one: what they have goes away by itself.
    const left = emptyGroups().filter((path) => !before.has(path));
    await until("no cgroup of a container is left", () => left.every((path) => !existsSync(path)));
  },
  longMs,
);

/** Cgroups of containers that nobody is in. */
function emptyGroups(): string[] {
  return cgroupDirectories().filter(
    (path) => /\/rt\/[0-9a-f]{64}$/.test(path) && readOrEmpty(`${path}/cgroup.procs`) === "",
  );
}

/** Kills the monitor that the client has begun, `afterMs` after it is there. */
async function killMonitorOf(client: number, afterMs: number): Promise<void> {
  const monitor = await until("the client has a monitor", () => childOf(client));
  await Bun.sleep(afterMs);
  process.kill(monitor, "SIGKILL");
}

/** The first of a process's children; one that has just ended has none. */
function childOf(parent: number): number | undefined {
  for (const thread of whereThere(() => readdirSync(`/proc/${parent}/task`), [])) {
    const children = readOrEmpty(`/proc/${parent}/task/${thread}/children`).trim();
    if (children !== "") return Number(children.split(" ")[0]);
  }
  return undefined;
}

/** The number of the system call that a process is in. */
function systemCall(pid: number): number {
  return Number(readOrEmpty(`/proc/${pid}/syscall`).split(" ")[0]);
}

const setsid = process.arch === "x64" ? 112 : 157;
const recvfrom = process.arch === "x64" ? 45 : 207;

strace.test(
  "a monitor that is killed while its container is being built takes that along, and the cgroup",
  async () => {
    const before = new Set(emptyGroups());
    // The stage has been told to go, is not yet one that dies with its monitor, and has a long way before it.
    const slow = "-e inject=setsid:delay_enter=200ms -e inject=keyctl:delay_enter=3s -e trace=setsid,keyctl";
    const trace = ["strace", "-f", "-qq", ...slow.split(" "), "-o", join(host().dir, "trace")];
    const traced = Bun.spawn([...trace, rtBinary, "run", "--rm", image, "sleep", "1000"], {
      env: host().env,
      stderr: "pipe",
    });
    const monitor = await until("the stage leaves our session", () => {
      const client = childOf(traced.pid);
      const begun = client && childOf(client);
      const stage = begun && childOf(begun);
      return stage && systemCall(stage) === setsid && begun;
    });
    process.kill(monitor, "SIGKILL");
    expect(await traced.stderr.text()).toMatch(/^rt: [^\n]*\n$/);
    expect(await traced.exited).toBe(125);
    const left = emptyGroups().filter((path) => !before.has(path));
    await until("no cgroup of it is left", () => left.every((path) => !existsSync(path)), 1000);
    await nothingLeft(host());
  },
  longMs,
);

strace.test(
  "an interrupt while the container is being built, after its image was pulled by the same command",
  async () => {
    const slow = "-e inject=setsid:delay_enter=3s -e trace=setsid";
    const trace = ["strace", "-f", "-qq", ...slow.split(" "), "-o", join(host().dir, "trace")];
    await host().rt(["rmi", "-f", "embed:hello"]);
    const traced = Bun.spawn([...trace, rtBinary, "run", "-q", "--rm", "embed:hello", "exit", "3"], {
      env: host().env,
      stderr: "pipe",
    });
    const client = await until("the stage leaves our session", () => {
      const run = childOf(traced.pid);
      const monitor = run && childOf(run);
      const stage = monitor && childOf(monitor);
      return stage && systemCall(stage) === setsid && run;
    });
    process.kill(client, "SIGINT");
    expect(await traced.stderr.text()).toMatch(/^rt: cannot start container [^\n]*: interrupted\n$/m);
    expect(await traced.exited).toBe(130);
    await nothingLeft(host());
  },
  longMs,
);

/** What the client asks its own program to do; the interrupt comes when it has heard that everything is built. */
const interrupted: Record<string, (name: string) => string[]> = {
  run: () => ["run", "--rm", "--init", image, "sleep", "3"],
  exec: (name) => ["exec", name, "/probe", "sleep", "3"],
};

for (const [verb, words] of Object.entries(interrupted)) {
  strace.test(
    `an interrupt of ${verb} in the moment before its client waits for the program is not lost`,
    async () => {
      const name = `before-${verb}`;
      const client = host().spawn(["run", "--name", name, image, "sleep", "1000"]);
      const id = await containerId(host(), name, client);
      const slow = "-e inject=recvfrom:delay_exit=500ms:when=1 -e trace=recvfrom";
      const trace = ["strace", "-qq", ...slow.split(" "), "-o", join(host().dir, "trace")];
      const traced = Bun.spawn([...trace, rtBinary, ...words(name)], { env: host().env, stderr: "pipe" });
      const tracee = await until("it hears from its monitor", () => {
        const pid = childOf(traced.pid);
        return pid && systemCall(pid) === recvfrom && pid;
      });
      process.kill(tracee, "SIGINT");
      expect(await traced.stderr.text()).toMatch(/^rt: [^\n]*interrupted\n$/);
      expect(await traced.exited).toBe(130);
      await host().ok(["rm", "-f", name]);
      expect(await client.exited).toBe(137);
      await nothingLeft(host(), [id]);
    },
    longMs,
  );
}

test(
  "twenty rm -f of running containers at once",
  async () => {
    const names = times(20, (index) => `condemned-${index}`);
    const clients = names.map((name) => host().spawn(["run", "--name", name, image, "sleep", "1000"]));
    await Promise.all(names.map((name, index) => containerId(host(), name, clients[index])));
    const removed = await Promise.all(
      names.map((name) => host().rt(["rm", "-f", name], { timeoutMs: longMs })),
    );
    expect(removed.map(({ stdout, stderr, code }) => [stdout, stderr, code])).toEqual(
      names.map((name) => [`${name}\n`, "", 0]),
    );
    expect(await Promise.all(clients.map((client) => client.exited))).toEqual(names.map(() => 137));
    await nothingLeft(host());
  },
  longMs,
);

test(
  "fifty execs at once in one container each have their own output, and its monitor keeps no descriptor of them",
  async () => {
    const client = host().spawn(["run", "--name", "busy", image, "sleep", "1000"]);
    const id = await containerId(host(), "busy", client);
    const pids = readFileSync(join(host().state, "containers", id, "pid"), "utf8");
    const monitor = Number(/^monitor (\d+)/m.exec(pids)![1]);
    const before = openDescriptors(monitor).length;
    const results = await Promise.all(
      times(50, (index) =>
        host().rt(["exec", "-e", `WHO=${index}`, "busy", "/probe", "env"], { timeoutMs: longMs }),
      ),
    );
    const told = results.map(({ stdout, stderr, code }) => [
      /^env WHO=(.*)$/m.exec(stdout)?.[1],
      stderr,
      code,
    ]);
    expect(told).toEqual(times(50, (index) => [`${index}`, "", 0]));
    await until("the monitor has closed what was theirs", () => openDescriptors(monitor).length <= before);
    await host().ok(["rm", "-f", "busy"]);
    expect(await client.exited).toBe(137);
    await nothingLeft(host(), [id]);
  },
  longMs,
);
