/**
 * A container that may write its own cgroups and turns them against whoever looks after it: it leaves no room for another
 * process, no memory, no processor, or hides in groups below. (One that freezes itself: ../frozen.test.ts.)
 */
import { expect } from "bun:test";
import { containerTests, oneLine, running } from "../../cli/world.ts";
import { patience } from "../../support/wait.ts";

const { test, host } = containerTests();

/** `into CONTROLLER FILE` goes to the directory of the container's own group that has such a file, on v1 and v2. */
const into =
  "into() { for d in /sys/fs/cgroup/$1 /sys/fs/cgroup; do [ -e $d/$2 ] && cd $d && return; done; exit 9; }";

const tricks: Record<string, string> = {
  "leaves no room for a process": "into pids pids.max; echo 1 > pids.max",
  "leaves itself no memory":
    "into memory cgroup.procs; for f in memory.limit_in_bytes memory.max; do [ -e $f ] && echo 2M > $f; done",
  "hides in groups below": `for c in $(ls /sys/fs/cgroup) .; do
      [ -e /sys/fs/cgroup/$c/cgroup.procs ] || continue
      mkdir -p /sys/fs/cgroup/$c/a/b && echo 1 > /sys/fs/cgroup/$c/a/b/cgroup.procs; done 2>/dev/null; true`,
  "hides there and shares its controllers out, as systemd does": `cd /sys/fs/cgroup; mkdir -p a/b
      [ ! -e cgroup.subtree_control ] || { echo 1 > a/b/cgroup.procs; echo +pids +memory > cgroup.subtree_control; }`,
  "leaves no room below for a group": `for c in $(ls /sys/fs/cgroup) .; do
      [ -e /sys/fs/cgroup/$c/cgroup.max.descendants ] && echo 0 > /sys/fs/cgroup/$c/cgroup.max.descendants; done; true`,
};

const endings = [["kill"], ["rm", "-f"], ["stop", "-t", "0"]];

for (const [what, trick] of Object.entries(tricks)) {
  for (const ending of endings) {
    test(`one that ${what} is looked at, entered or not, and ended by ${ending.join(" ")} in a moment`, async () => {
      const script = `${into}; ${trick}; echo done; exec sleep 1000`;
      await using container = await running(host(), ["sh", "-c", script], ["--privileged"]);
      await container.client.stdout.waitFor("done");
      const failures: string[] = [];
      const looks = [
        ["exec", container.name, "true"],
        ["exec", "-t", container.name, "true"],
        ["stats", "--no-stream", container.name],
        ["top", container.name],
        ["pause", container.name],
        ["unpause", container.name],
        ["logs", container.name],
      ];
      for (const args of ending[0] === "kill" ? looks : looks.slice(0, 1)) {
        const { stderr, code } = await host().rt(args, { timeoutMs: 5000 * patience });
        if (code !== 0) failures.push(`${args[0]} ${code}: ${oneLine(stderr)}`);
      }
      // An exec may find no room where there is none, and nothing else fails.
      const isNarrow = /no (room for a process|memory)$/.test(what);
      expect(failures.filter((line) => !isNarrow || !line.startsWith("exec "))).toEqual([]);
      const ended = await host().ok([...ending, container.name], { timeoutMs: 5000 * patience });
      expect(ended).toBe(`${container.name}\n`);
      expect(await container.client.exited).toBe(137);
    });
  }
}

test("one that leaves itself no processor is looked at, and ended in a moment", async () => {
  const script = `${into}; into cpu cgroup.procs
    if [ -e cpu.max ]; then echo 1000 1000000 > cpu.max
    else echo 1000000 > cpu.cfs_period_us; echo 1000 > cpu.cfs_quota_us; fi; echo done; while :; do :; done`;
  for (const ending of endings) {
    await using container = await running(host(), ["sh", "-c", script], ["--privileged"]);
    await container.client.stdout.waitFor("done");
    for (const args of [
      ["stats", "--no-stream", container.name],
      ["top", container.name],
    ])
      await host().ok(args, { timeoutMs: 5000 * patience });
    expect(await host().ok([...ending, container.name], { timeoutMs: 5000 * patience })).toBe(
      `${container.name}\n`,
    );
    expect(await container.client.exited).toBe(137);
  }
});
