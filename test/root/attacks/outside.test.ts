/**
 * A container with a user namespace is made by a process that has our rights, and then by one that has only the namespace's. At each
 * of their calls somebody who has all rights over that namespace, and sees every process of the host, finds neither open.
 */
import { expect } from "bun:test";
import { readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, pidOf, running } from "../../cli/world.ts";
import { everyCall, heldAt } from "../../support/held.ts";
import { cannotTrace, needs } from "../../support/root.ts";

const { host } = containerTests();
const { test } = needs({ root: true, tools: ["busybox", "tar", "nsenter"], also: cannotTrace });

/** Whose memory, files and places are to be had: a line for each. */
const look = `cd /proc/$1 2>/dev/null && {
  stat -L -c %n exe cwd root ns/mnt ns/user fd/0 fd/3; grep -l . environ maps auxv
  dd if=mem of=/dev/null count=0 && echo mem; ls -d cwd/. root/.; : > oom_score_adj && echo oom_score_adj; } 2>/dev/null`;

const own = readlinkSync("/proc/self/ns/user");

for (const [what, args] of [
  ["run in its user namespace", "run --rm --network none --userns container:NAME IMAGE true"],
  [
    "run in its pid namespace too, with a volume and a terminal",
    "run --rm -t --network none --userns container:NAME --pid container:NAME -v DIR:/v --tmpfs /t IMAGE true",
  ],
  ["exec", "exec NAME true"],
  ["exec --privileged -t", "exec --privileged -t NAME true"],
] as const) {
  test(`out of reach of a namespace's root at each call: ${what}`, async () => {
    const flags = ["--userns", "auto", "--privileged", "--pid", "host", "--network", "none"];
    await using holder = await running(host(), ["sleep", "1000"], flags);
    const pid = await pidOf(host(), holder.name);
    const log = join(host().dir, "reached");
    rmSync(log, { force: true });
    const inside = `nsenter -t ${pid} -U -m sh -c '${look}' sh`;
    const script = `{ echo "at $(readlink /proc/$RT_TEST_HELD/ns/user)"; ${inside} $RT_TEST_HELD; } >> ${log}`;
    const words = args.replaceAll("NAME", holder.name).replace("IMAGE", image).replace("DIR", host().dir);
    const { code, stderr } = await heldAt(
      host(),
      { role: "stage", index: everyCall },
      script,
      words.split(" "),
    );
    expect([code, stderr]).toEqual([0, ""]);
    const lines = readFileSync(log, "utf8").trim().split("\n");
    const places = lines.filter((line) => line.startsWith("at "));
    expect(places.length).toBeGreaterThan(10);
    expect(new Set(places)).toEqual(new Set([`at ${own}`, `at ${readlinkSync(`/proc/${pid}/ns/user`)}`]));
    expect(lines.filter((line) => !line.startsWith("at "))).toEqual([]);
    // What is looked for is found in the container's own.
    const found = Bun.spawnSync(["sh", "-c", `${inside} ${pid}`]).stdout.toString();
    for (const name of ["exe", "root", "environ", "maps", "mem", "cwd/."])
      expect(found.split("\n")).toContain(name);
  }, 240_000);
}
