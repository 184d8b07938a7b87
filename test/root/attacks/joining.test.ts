/**
 * What joins a container can be taken over by a container that may trace anything (CVE-2016-9962): it must have nothing
 * that the container does not have, and the monitor must believe nothing that it says.
 */
import { expect } from "bun:test";
import { readlinkSync } from "node:fs";
import { catches, containerTests, image, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { run } from "../../support/command.ts";
import { allProcesses, readOrEmpty, whereThere } from "../../support/leaks.ts";
import { facts, factsNamed } from "../../support/probe.ts";
import { rtBinary } from "../../support/rt.ts";
import { rounds, soakTimeoutMs } from "../../support/soak.ts";
import { patience, until } from "../../support/wait.ts";

const { test, host } = containerTests();
const tracing = ["--cap-add", "SYS_PTRACE"];

/** Pseudo file systems by their magic numbers. */
const [pipes, sockets] = ["50495045", "534f434b"];

const joins: [string, string[], string[]][] = [
  ["plain", [], ["0 character own", `1 pipe ${pipes}`, `2 pipe ${pipes}`]],
  ["with stdin", ["-i"], [`0 pipe ${pipes}`, `1 pipe ${pipes}`, `2 pipe ${pipes}`]],
  ["with a terminal", ["-t"], [0, 1, 2].map((fd) => `${fd} character own`)],
  ["as a user", ["-u", "app"], ["0 character own", `1 pipe ${pipes}`, `2 pipe ${pipes}`]],
];

for (const [name, flags, wanted] of joins) {
  test(`${name}: at no stop has it anything of the host's, nor any right but the container's`, async () => {
    // Words that stand in the host's /proc/self/mountinfo, and in the monitor's own paths.
    const needles = [host().dir, "/sys/fs/cgroup/"];
    await using container = await running(host(), ["probe", "watch-joins", "1", ...needles], tracing);
    await container.client.stdout.waitFor("ready");
    const stdout = container.client.stdout;
    // One may go by while the watcher does not run.
    await until("one is watched from its birth to its program", async () => {
      await host().rt(["exec", ...flags, container.name, "probe", "exit", "0"]);
      return stdout.text.includes("done");
    });
    const seen = stdout.text;
    // Besides, files of the container's own while it looks for its program.
    const descriptors = factsNamed(seen, "fd").filter((each) => !/^\d+ (file|directory) own$/.test(each));
    const [channel, ...more] = descriptors.filter((each) => !wanted.includes(each));
    expect([descriptors.length, more]).toEqual([4, []]);
    expect(channel).toMatch(new RegExp(`^\\d+ socket ${sockets}$`));
    expect(factsNamed(seen, "own")).toEqual(["root", "cwd"]);
    expect(factsNamed(seen, "needle")).toEqual([]);
    expect(factsNamed(seen, "environment")).toEqual(["0"]);
    const user = flags.includes("-u") ? flags : [];
    const own = facts(await host().ok(["run", "--rm", ...tracing, ...user, image, "probe", "caps"]));
    const status = facts(factsNamed(seen, "status").join("\n").replaceAll(":\t", " "));
    for (const set of ["CapPrm", "CapEff", "CapBnd"]) {
      expect([set, own.get(set)?.split(" ")[0]]).toEqual([set, status.get(set)]);
    }
    expect(status.get("Seccomp")).toBe("2");
    expect(seen).toContain("executed ");
  });
}

test(
  "three hundred execs whose socket says anything: the monitors signal nobody but their own, and go",
  async () => {
    await using victim = Bun.spawn(["sleep", "1000"]);
    const canary = await plantCanary(host().dir, "canary-joining");
    await using container = await running(host(), ["probe", "usurp-joins", `${victim.pid}`], tracing);
    await container.client.stdout.waitFor("ready");
    const before = (await monitors()).length;
    expect(before).toBeGreaterThan(0);
    // Some of these execs fail, and one whose process was killed or stopped may wait: nothing else may happen.
    const script = `seq 300 | xargs -P 4 -n 1 sh -c 'timeout -s KILL 20 "$RT" exec "$NAME" probe exit 0 || true'`;
    for (const _ of rounds(1)) {
      const child = Bun.spawn(["sh", "-c", script], {
        env: { ...host().env, RT: rtBinary, NAME: container.name },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      expect(stdout).toBe("");
      expect(stderr).toContain("init said what it should not");
      expect(stderr).not.toMatch(/(?!\n)\p{Cc}|\u202e|internal fault|Killed/u);
      expect(victim.exitCode).toBeNull();
      expect(container.client.stdout.text).toContain("usurped 100\n");
      await until("the monitors of the execs are gone", async () => (await monitors()).length <= before);
      expect(await host().ok(["ps", "-q", "-f", `name=^${container.name}$`])).not.toBe("");
    }
    await canary.check();
    victim.kill();
  },
  soakTimeoutMs(300_000),
);

/** The monitors of this test process, whose network is its own. Of those that ended and wait for process 1 nothing is left. */
async function monitors(): Promise<string[]> {
  const names = (await run(["sh", "-c", "grep -lx rt-monitor /proc/[0-9]*/comm || true"])).trim().split("\n");
  return names.filter((name) => {
    try {
      const [executable, network] = ["exe", "ns/net"].map((link) => readlinkSync(name.replace("comm", link)));
      return executable!.includes("rt-monitor") && network === readlinkSync("/proc/self/ns/net");
    } catch {
      return false;
    }
  });
}

/** Of the processes of a container those that are stopped, by what they execute. */
function stoppedIn(id: string): string[] {
  return [...allProcesses().keys()].flatMap((pid) => {
    const isStopped = /^State:\s+T/m.test(readOrEmpty(`/proc/${pid}/status`));
    if (!isStopped || !readOrEmpty(`/proc/${pid}/cgroup`).includes(id)) return [];
    return whereThere(() => [readlinkSync(`/proc/${pid}/exe`)], []);
  });
}

test("what joins is stopped by the container at any moment: whoever asks twice for an end gets it", async () => {
  let kept = 0;
  for (const turns of [0, 20_000, 50_000, 100_000, 200_000, 400_000, 800_000]) {
    await using container = await running(host(), ["probe", "stop-next", `${turns}`]);
    await using joining = host().spawn(["exec", container.name, "sleep", "1000"]);
    await container.client.stdout.waitFor("stopped");
    const [exe = ""] = await until("it is stopped", () => {
      const found = stoppedIn(container.id);
      return found.length > 0 ? found : undefined;
    });
    // The user's own program already: what that does with signals, stopped as it is, is between the two.
    if (!exe.includes("rt-monitor")) continue;
    kept++;
    // On a busy machine two that come at once are one.
    const status = await until("it has ended", async () => {
      joining.kill("SIGTERM");
      return await Promise.race([joining.exited, Bun.sleep(200).then(() => undefined)]);
    });
    expect([128 + 15, 128 + 9, 125]).toContain(status);
  }
  expect(kept).toBeGreaterThan(0);
}, 120_000);

test("what joins to be left to itself is stopped by the container: one interrupt is enough", async () => {
  let kept = 0;
  for (const turns of [2000, 50_000, 100_000, 200_000, 400_000, 800_000, 1_600_000]) {
    await using container = await running(host(), ["probe", "stop-next", `${turns}`]);
    await using joining = host().spawn(["exec", "-d", container.name, "sleep", "1000"]);
    await container.client.stdout.waitFor("stopped");
    const [exe = ""] = await until("it is stopped", () => {
      const found = stoppedIn(container.id);
      return found.length > 0 ? found : undefined;
    });
    // The user's own program already: the client has done its work.
    if (!exe.includes("rt-monitor")) continue;
    kept++;
    // Before that the interrupt is its end, and it says nothing.
    await catches(joining.pid, 2);
    joining.kill("SIGINT");
    const status = await Promise.race([joining.exited, Bun.sleep(5000 * patience).then(() => "none")]);
    expect([status, joining.stderr.text]).toEqual([130, "rt: interrupted\n"]);
    await until("nothing is left of what joined", () => stoppedIn(container.id).length === 0);
  }
  expect(kept).toBeGreaterThan(0);
}, 120_000);
