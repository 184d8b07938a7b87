/** The way down always ends, whatever does not: what cannot be killed, a clock that is set, a console that nobody reads. */
import { expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { needs } from "../support/root.ts";
import { beside, configured, container, directory, isClean, said, web } from "./boot.ts";
import { qemuNeeds, startQemu } from "./qemu.ts";
import { bootUml, umlNeeds } from "./uml.ts";

const uml = needs(umlNeeds);
const qemu = needs(qemuNeeds);
const withDisk = needs({ ...umlNeeds, tools: [...umlNeeds.tools, "mkfs.ext4", "fsfreeze"] });
/** Much more than any of these ends needs, much less than for ever. */
const timeoutMs = 45_000;

const killed = (seconds: number) =>
  `rt: container web did not end within its stop-timeout of ${seconds} s: killed`;

uml.test("a monitor that is stopped", async () => {
  const stopped = `for each in $(busybox pidof rt-monitor); do busybox kill -STOP $each; done; busybox kill -TERM 1`;
  const initramfs = await configured(web("exit 0", "stop-timeout = 1"), beside(stopped));
  const ended = await bootUml({ initramfs, init: "/begin", timeoutMs });
  expect(said(ended)).toEqual(["web | up", killed(1), expect.stringMatching(/^rt: status \d+: power off$/)]);
  isClean(ended);
});

uml.test("a session that is stopped is not waited for longer than it said", async () => {
  const stopped = `busybox kill -STOP $(busybox awk '$4 == 1 && $2 == "(init)" { print $1 }' /proc/[0-9]*/stat); busybox kill -TERM 1`;
  const initramfs = await configured(web("exit 0", "stop-timeout = 1"), beside(stopped));
  const ended = await bootUml({ initramfs, init: "/begin", timeoutMs });
  expect(said(ended)).toEqual([
    "web | up",
    "rt: the session takes longer than it said: killed",
    "rt: status 137: power off",
  ]);
  isClean(ended);
});

uml.test("a clock that is set back an hour while a container takes its time", async () => {
  const deaf = container(
    "web",
    "trap 'echo deaf' TERM; echo up; touch /data/up; while :; do sleep 0.05; done",
    'args = ["-v", "/data:/data"]\nstop-timeout = 2',
  );
  const back = `busybox kill -TERM 1; busybox sleep 0.5; busybox date -s @$(($(busybox date +%s) - 3600)) >/data/set`;
  const ended = await bootUml({
    initramfs: await configured(deaf, beside(back)),
    init: "/begin",
    timeoutMs,
  });
  expect(said(ended)).toEqual(["web | up", "web | deaf", killed(2), "rt: status 137: power off"]);
  isClean(ended);
});

// A terminal of User-Mode Linux does not know ctrl-s.
qemu.test("a console that ctrl-s has stopped, and that is written to", async () => {
  const flood = container(
    "flood",
    "touch /data/flood; exec yes flooded",
    'args = ["-v", "/data:/data"]\nstop-timeout = 1',
  );
  const script =
    "until test -e /data/flood; do busybox sleep 0.1; done; busybox sleep 5; busybox kill -TERM 1";
  const initramfs = await configured(flood + web("exit 0", "stop-timeout = 1"), beside(script));
  await using machine = await startQemu({ initramfs, append: ["rdinit=/begin"], timeoutMs: 200_000 });
  await machine.console.waitFor("flood | flooded", 150_000);
  machine.write("\x13");
  const ended = await machine.end();
  expect(said(ended).at(-1)).toMatch(/^rt: status \d+: power off$/);
  isClean(ended);
});

withDisk.test(
  "a process in a system call that does not come back, on a disk that takes nothing",
  async () => {
    const disk = join(await directory(), "frozen");
    await writeFile(disk, "");
    await run(["truncate", "-s", "64M", disk]);
    await run(["mkfs.ext4", "-q", disk]);
    const mount = `[[mount]]\nsource = "/dev/ubda"\ntarget = "/disk"\ntype = "ext4"\n`;
    const writer = container(
      "web",
      "touch /data/up; until test -e /data/frozen; do sleep 0.1; done; echo writes; echo x >/disk/x; echo written",
      'args = ["-v", "/data:/data", "-v", "/disk:/disk"]\nstop-timeout = 1',
    );
    const script = `busybox chroot /proc/1/root /bin/busybox fsfreeze --freeze /disk && busybox touch /data/frozen; busybox sleep 2; busybox kill -TERM 1`;
    const ended = await bootUml({
      initramfs: await configured(mount + writer, beside(script)),
      init: "/begin",
      append: [`ubd0=${disk}`],
      timeoutMs,
    });
    expect(said(ended)[0]).toBe("web | writes");
    expect(ended.console).not.toContain("written");
    expect(said(ended).at(-1)).toMatch(/^rt: status \d+: power off$/);
    isClean(ended);
  },
);

uml.test("a second signal does not wait for the disks either", async () => {
  const slow = container(
    "web",
    "trap '' TERM; echo up; touch /data/up; while :; do sleep 0.05; done",
    'args = ["-v", "/data:/data"]\nstop-timeout = 600',
  );
  const twice = "busybox kill -TERM 1; busybox sleep 1; busybox kill -TERM 1";
  const ended = await bootUml({
    initramfs: await configured(slow, beside(twice)),
    init: "/begin",
    timeoutMs,
  });
  expect(said(ended)).toEqual(["web | up", "rt: status 137: power off"]);
  isClean(ended);
});

uml.test("a signal while a container is being built", async () => {
  const again = container("again", "exit 1", 'restart = "always"\nstop-timeout = 1');
  // Its pauses grow: in one of them nothing new can be built any more, in the next start the signal comes.
  const frozen = `groups() { busybox ls -d /proc/1/root/sys/fs/cgroup/rt/*/ | busybox wc -l; }
  until test $(groups) = 1; do busybox sleep 0.01; done
  echo 1 >/proc/1/root/sys/fs/cgroup/rt/cgroup.freeze
  until test $(groups) = 2; do busybox sleep 0.01; done
  busybox sleep 0.5; busybox kill -TERM 1; busybox sleep 0.5
  echo 0 >/proc/1/root/sys/fs/cgroup/rt/cgroup.freeze`;
  const ended = await bootUml({
    initramfs: await configured(again + web("echo bye; exit 0", "stop-timeout = 1"), beside(frozen)),
    init: "/begin",
    timeoutMs,
  });
  // The second waits for the image that the first unpacks, and says so where that takes its time.
  const lines = said(ended).filter((line) => !/starts again|at work on layer/.test(line));
  expect(lines).toEqual(["web | up", "web | bye", expect.stringMatching(/^rt: status \d+: power off$/)]);
  isClean(ended);
});

uml.test("a signal before there is a session", async () => {
  // Again and again from the first moment on: while process 1 is still a shell, it is nothing to it.
  const early = "(while :; do busybox kill -TERM 1; busybox sleep 0.01; done) &";
  const ended = await bootUml({
    initramfs: await configured(web("exit 0"), beside("", early)),
    init: "/begin",
    timeoutMs,
  });
  expect(said(ended)).toEqual([expect.stringMatching(/^rt: status \d+: power off$/)]);
  isClean(ended);
});
