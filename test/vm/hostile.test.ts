/** A machine under containers that take whatever they can get: it goes on, and ends when it is told to. */
import { expect } from "bun:test";
import { needs } from "../support/root.ts";
import { beside, configured, container, isClean, said, web } from "./boot.ts";
import type { Machine } from "./machine.ts";
import { qemuNeeds, startQemu } from "./qemu.ts";
import { bootUml, startUml, umlNeeds } from "./uml.ts";

const uml = needs(umlNeeds);
const qemu = needs(qemuNeeds);
const memory = "512M";

/** The whole disk, as an ordinary user. */
const fill = container("fill", "dd if=/dev/zero of=/tmp/x bs=1M; echo status $?", 'args = ["-u", "1000"]');

/** More memory than there is; the second time it has had enough. */
const hog = container(
  "hog",
  "test -e /data/hog && echo enough && touch /data/enough && exit 0; touch /data/hog; exec dd if=/dev/zero of=/dev/null bs=400M",
  'restart = "on-failure"\nargs = ["-v", "/data:/data"]',
);

/** As many processes as it is let. */
const bomb = container(
  "bomb",
  "touch /data/bomb; exec probe bomb",
  'args = ["-v", "/data:/data"]\nstop-timeout = 1',
);

/** So that the bomb goes off before the test's patience ends: User-Mode Linux makes a hundred processes a second. */
const fewProcesses =
  "busybox mkdir /proc; busybox mount -t proc proc /proc; echo 600 >/proc/sys/kernel/pid_max";
const untilBombed =
  "until busybox grep -q '^max [1-9]' /proc/1/root/sys/fs/cgroup/rt/*/pids.events; do busybox sleep 0.1; done";

uml.test("a container that fills its disk is told that it is full, and nothing else happens", async () => {
  const ended = await bootUml({ initramfs: await configured(fill), memory });
  // Two streams: which is first is not said.
  const lines = said(ended).filter((line) => !/records (in|out)$/.test(line));
  expect(lines.toSorted()).toEqual([
    "fill | dd: error writing '/tmp/x': No space left on device",
    "fill | status 1",
    "rt: status 0: power off",
  ]);
  isClean(ended);
});

uml.test(
  "one that takes all memory is killed, it and nobody else, and its restart policy sees that",
  async () => {
    const look = `until test -e /data/enough; do busybox sleep 0.1; done; busybox sleep 0.5
    for each in /proc/[0-9]*; do read name <$each/comm; read score <$each/oom_score_adj; echo "score $name $score"; done
    busybox kill -TERM 1`;
    const ended = await bootUml({
      initramfs: await configured(hog + web("exit 0"), beside(look)),
      memory,
      init: "/begin",
    });
    expect(said(ended).toSorted()).toEqual([
      "hog | enough",
      "rt: container hog ended with status 137, and starts again in 100 ms",
      "rt: status 0: power off",
      "web | up",
    ]);
    for (const name of ["init", "rt-monitor"]) expect(ended.console).toContain(`score ${name} -999\n`);
    expect(ended.console).toContain("score sh 0\n");
    isClean(ended);
  },
);

uml.test("a fork bomb has a limit, and rt removes it while it goes off", async () => {
  const end = `${untilBombed}; rt ps --format '{{.Names}} {{.State}}' | busybox sort; echo removed $(rt rm -f bomb); busybox kill -TERM 1`;
  const ended = await bootUml({
    initramfs: await configured(bomb + web("exit 0"), beside(end, fewProcesses)),
    memory,
    init: "/begin",
  });
  expect(ended.console).toContain("bomb running\nweb running\nremoved bomb\n");
  expect(said(ended).at(-1)).toMatch(/^rt: status (0|137): power off$/);
  isClean(ended);
});

/** A start of either kernel, with "/begin" as the first program. */
type Start = (initramfs: string) => Promise<Machine>;

/** All of them, each with a second to stop. The longest stop-timeout and five seconds more are what the way down may take. */
async function allAtOnce(start: Start): Promise<void> {
  const shell = `[[container]]\nname = "shell"\nimage = "oci-archive:/images/box.tar"\ncommand = ["sh"]\nconsole = true\nrestart = "always"\nstop-timeout = 1\nargs = ["-v", "/data:/data"]\n`;
  const flood = container("flood", "exec yes flooded", "stop-timeout = 1");
  const filling = `${fill.replace("echo status", "exec sleep 1000; echo status")}stop-timeout = 1\n`;
  const end = `${untilBombed}; until test -e /data/end; do busybox sleep 0.1; done; busybox kill -TERM 1`;
  const toml = [
    filling,
    `${hog}stop-timeout = 1\n`,
    bomb,
    flood,
    shell,
    web("exit 0", "stop-timeout = 1"),
  ].join("");
  await using machine = await start(await configured(toml, beside(end, fewProcesses)));
  await machine.console.waitFor("hog | enough", 190_000);
  await machine.console.waitFor("fill | dd: error", 60_000);
  machine.write("echo $((6 * 7)) is answered; exit 3\n");
  await machine.console.waitFor("42 is answered", 60_000);
  await machine.console.waitFor("container shell ended with status 3, and starts again", 60_000);
  machine.write("touch /data/end; echo $((7 * 7)) again\n");
  await machine.console.waitFor("49 again", 60_000);
  const began = performance.now();
  const ended = await machine.end();
  // Twice that, where the host has no time for the machine.
  expect(performance.now() - began).toBeLessThan(2 * 6000);
  expect(said(ended).at(-1)).toMatch(/^rt: status \d+: power off$/);
  isClean(ended);
}

uml.test(
  "all at once, and one that floods the console: it answers, starts again what it should, and ends in time",
  () => allAtOnce((initramfs) => startUml({ initramfs, memory, init: "/begin", timeoutMs: 230_000 })),
);

qemu.test("the same on a real kernel of a PC", () =>
  allAtOnce((initramfs) => startQemu({ initramfs, memory, append: ["rdinit=/begin"], timeoutMs: 230_000 })),
);
