/**
 * rt as the first program of a machine: /init of an initramfs that holds nothing else, or named by init= on a read-only
 * root. What needs no machine is in test/cli/init.test.ts.
 */
import { expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { busyboxLayout } from "../support/images.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import {
  beside,
  configured,
  container,
  directory,
  initramfs,
  isClean,
  said,
  web,
  withoutNetwork,
} from "./boot.ts";
import { bootQemu, qemuNeeds } from "./qemu.ts";
import { bootUml, startUml, umlNeeds } from "./uml.ts";

const uml = needs(umlNeeds);
const withDisk = needs({ ...umlNeeds, tools: [...umlNeeds.tools, "mkfs.ext4", "dumpe2fs"] });
const qemu = needs(qemuNeeds);

let onlyRt: Promise<string> | undefined;
function rtAlone(): Promise<string> {
  onlyRt ??= initramfs();
  return onlyRt;
}

uml.test("an initramfs of rt alone: the embedded image greets, and the power goes off", async () => {
  const append = ["splash", "x=y", "--no-such-flag"];
  const ended = await bootUml({ initramfs: await rtAlone(), append, memory: "448M" });
  expect(ended.console).toContain("Hello from a container made by rt.");
  expect(ended.console).toContain("pid 1, uid 0 and the hostname rt,");
  expect(said(ended)).toEqual(["rt: status 0: power off"]);
  isClean(ended);
});

qemu.test("the same on a real kernel of a PC", async () => {
  const ended = await bootQemu({ initramfs: await rtAlone(), timeoutMs: 110_000 });
  expect(ended.console).toContain("Hello from a container made by rt.");
  expect(said(ended)).toEqual(["rt: status 0: power off"]);
  isClean(ended);
});

uml.test("the host's tree, read-only, with init=", async () => {
  const ended = await bootUml({ init: rtBinary });
  expect(ended.console).toContain("Hello from a container made by rt.");
  expect(said(ended)).toEqual(["rt: status 0: power off"]);
  isClean(ended);
});

const look = `
for each in /proc /sys /dev /dev/pts /dev/shm /dev/mqueue /sys/fs/cgroup /run /tmp /var/lib/rt; do
  while read -r source point kind rest; do [ $point = $each ] && echo mount $kind $point; done </host/proc/1/mounts
done
echo process $(cat /host/proc/1/comm)
echo controllers $(cat /host/sys/fs/cgroup/cgroup.subtree_control)
echo hostname $(hostname)
echo loopback $(ip -o addr show lo | grep -o 'inet 127.0.0.1/8')
echo ctrl-alt-del $(cat /host/proc/sys/kernel/ctrl-alt-del)
for table in /host/proc/1/mountinfo /proc/self/mountinfo; do
  while read -r id parent device root point rest; do
    [ $point = / ] && [ $id != $parent ] && echo a root with a parent
  done <$table
done
echo console $(test -c /host/dev/console && test -c /host/dev/null && test -L /host/dev/fd && echo yes)
for stat in /host/proc/[0-9]*/stat; do grep -q ') Z ' $stat && cat $stat; done
echo looked`;

uml.test(
  "what is missing is mounted, the loopback interface is up, containers have a root of their own",
  async () => {
    const toml = `hostname = "box"\n${container("look", look, 'args = ["--network=host", "-v", "/:/host:ro"]')}`;
    const ended = await bootUml({ initramfs: await configured(toml) });
    expect(said(ended)).toEqual([
      "look | mount proc /proc",
      "look | mount sysfs /sys",
      "look | mount devtmpfs /dev",
      "look | mount devpts /dev/pts",
      "look | mount tmpfs /dev/shm",
      "look | mount mqueue /dev/mqueue",
      "look | mount cgroup2 /sys/fs/cgroup",
      "look | mount tmpfs /run",
      "look | mount tmpfs /tmp",
      "look | mount tmpfs /var/lib/rt",
      "look | process rt-init",
      "look | controllers cpu io memory pids",
      "look | hostname box",
      "look | loopback inet 127.0.0.1/8",
      "look | ctrl-alt-del 0",
      "look | a root with a parent",
      "look | a root with a parent",
      "look | console yes",
      "look | looked",
      "rt: status 0: power off",
    ]);
    isClean(ended);
  },
);

uml.test(
  "two containers: one is started again until it works, one is stopped; the status is on the console",
  async () => {
    const again = "echo try; echo x >>/data/tries; test $(wc -l </data/tries) = 2 || exit 4";
    const toml =
      container("web", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done") +
      container("shell", again, 'console = true\nrestart = "on-failure"\nargs = ["-v", "/data:/data"]');
    const ended = await bootUml({ initramfs: await configured(toml) });
    const lines = said(ended);
    expect(ended.console.match(/try$/gm)).toHaveLength(2);
    expect(lines).toContain("web | up");
    expect(lines).toContain("rt: container shell ended with status 4, and starts again in 100 ms");
    expect(lines.slice(-2)).toEqual(["web | bye", "rt: status 0: power off"]);
    isClean(ended);
  },
);

uml.test("a shell on the console is interactive, and its exit is the machine's", async () => {
  const toml = `on-exit = "halt"\n[[container]]\nname = "shell"\nimage = "oci-archive:/images/box.tar"\ncommand = ["sh"]\nconsole = true\n`;
  await using machine = await startUml({ initramfs: await configured(toml) });
  await machine.console.waitFor("# ", 30_000);
  machine.write("tty; echo $((6 * 7)); stty -a | grep -o 'speed [0-9]*'\n");
  await machine.console.waitFor(/\/dev\/pts\/0\s+42\s/);
  machine.write("exit 3\n");
  const ended = await machine.end();
  expect(said(ended)).toEqual(["rt: status 3: halt"]);
  isClean(ended);
});

const bad: [string, string[], string][] = [
  ["no such file", ["rt.config=/no/such.toml"], "rt: config file /no/such.toml does not exist"],
  ["no TOML", ["--", "--config", "/init"], "rt: cannot read config file /init: "],
];
for (const [name, append, message] of bad) {
  uml.test(`a bad configuration is one line, and the power goes off: ${name}`, async () => {
    const ended = await bootUml({ initramfs: await rtAlone(), append });
    expect(said(ended)).toHaveLength(2);
    expect(said(ended)[0]).toStartWith(message);
    expect(said(ended)[1]).toBe("rt: status 125: power off");
    isClean(ended);
  });
}

/** Of process 1's children the one that is neither a monitor nor the shell that looks for it. */
const killSession =
  "busybox kill -KILL $(busybox awk '$4 == 1 && $2 !~ /sh|busybox|begin|rt-monitor/ { print $1 }' /proc/[0-9]*/stat)";

uml.test("a file whose name has a space, named by the kernel's command line", async () => {
  const toml = container("web", "echo found");
  const more = [{ path: "etc/my box.toml", text: toml }];
  const archive = await configured("hostname = [", more);
  const ended = await bootUml({ initramfs: archive, append: ['rt.config="/etc/my box.toml"'] });
  expect(said(ended)).toEqual(["web | found", "rt: status 0: power off"]);
  expect(ended.console).toContain(`${withoutNetwork}web: cannot set the firewall's table rt-networks: `);
  isClean(ended);
});

uml.test("set-user-ID programs work there, in a container's root and on a volume", async () => {
  const script = `for each in /tmp /volume; do cp $(command -v probe) $each/x; chmod 4755 $each/x; su app -s /bin/sh -c "$each/x ids" | grep euid; done`;
  const archive = await configured(container("web", script, 'args = ["-v", "named:/volume"]'));
  const ended = await bootUml({ initramfs: archive });
  expect(said(ended)).toEqual(["web | euid 0", "web | euid 0", "rt: status 0: power off"]);
  isClean(ended);
});

uml.test("a packed app with a name of its own, one that was to stay, is /init", async () => {
  const place = await directory();
  const app = join(place, "app");
  const ours = ["--root", join(place, "root"), "--state", join(place, "state")];
  const flags = ["--name", "mine", "--rm=false", "--cidfile=/x", "--entrypoint", "sh"];
  await run([
    rtBinary,
    ...ours,
    "pack",
    "-q",
    ...flags,
    "-o",
    app,
    `oci:${await busyboxLayout()}`,
    "-c",
    "echo packed",
  ]);
  const ended = await bootUml({ initramfs: await initramfs([], app) });
  expect(ended.console).toContain("packed\n");
  expect(said(ended)).toEqual(["rt: status 0: power off"]);
  isClean(ended);
});

const short = /^rt: memory is short: \d+ MB are left for images and containers, and 128 MB should be$/;

uml.test("too little memory for more than the engine is said", async () => {
  const ended = await bootUml({ initramfs: await rtAlone(), memory: "320M" });
  expect(said(ended)).toEqual([expect.stringMatching(short), "rt: status 0: power off"]);
  isClean(ended);
});

// What the README says is enough. Of a tmpfs the kernel takes half of the memory for the initramfs, of a ramfs what it needs.
for (const [memory, append] of [
  ["430M", []],
  ["320M", ["rootfstype=ramfs"]],
] as const) {
  qemu.test(`${memory} are enough for a PC: ${append.join() || "as it is"}`, async () => {
    const ended = await bootQemu({ initramfs: await rtAlone(), memory, append, timeoutMs: 110_000 });
    expect(ended.console).toContain("Hello from a container made by rt.");
    expect(said(ended).filter((line) => !short.test(line))).toEqual(["rt: status 0: power off"]);
    isClean(ended);
  });
}

const signals: [string, string][] = [
  ["TERM", "power off"],
  ["USR2", "power off"],
  ["USR1", "halt"],
];
for (const [signal, end] of signals) {
  uml.test(`SIG${signal}: containers are stopped, then ${end}`, async () => {
    const more = beside(`busybox kill -${signal} 1`);
    const ended = await bootUml({
      initramfs: await configured(web("echo bye; exit 5"), more),
      init: "/begin",
    });
    expect(said(ended)).toEqual(["web | up", "web | bye", `rt: status 5: ${end}`]);
    isClean(ended);
  });
}

uml.test("SIGINT, which ctrl-alt-del is: reboot, and everything begins again", async () => {
  const more = beside("busybox kill -INT 1");
  await using machine = await startUml({ initramfs: await configured(web("exit 0"), more), init: "/begin" });
  await machine.console.waitFor("rt: status 0: reboot", 30_000);
  await machine.console.waitFor(/rt: status 0: reboot[\s\S]*web \| up/, 30_000);
});

uml.test("a session that is killed: one line, everything ends, the power goes off, no panic", async () => {
  const more = beside(killSession);
  const ended = await bootUml({ initramfs: await configured(web("exit 0"), more), init: "/begin" });
  expect(said(ended)).toEqual([
    "web | up",
    "rt: the session was killed by signal 9",
    "rt: status 137: power off",
  ]);
  isClean(ended);
});

withDisk.test("a disk is unmounted cleanly, and images on it are there at the next boot", async () => {
  const disk = join(await directory(), "disk");
  await writeFile(disk, "");
  await run(["truncate", "-s", "256M", disk]);
  await run(["mkfs.ext4", "-q", disk]);
  const mount = `[[mount]]\nsource = "/dev/ubda"\ntarget = "/var/lib/rt"\ntype = "ext4"\noptions = "noatime"\n`;
  const boot = async (image: string, flags: string) => {
    const toml = `${mount}[[container]]\nname = "web"\nimage = "${image}"\ncommand = ["probe", "cat", "/data/mark"]\nargs = ["-v", "data:/data"${flags}]\n`;
    const ended = await bootUml({ initramfs: await configured(toml), append: [`ubd0=${disk}`] });
    isClean(ended);
    expect(await run(["dumpe2fs", "-h", disk])).toMatch(
      /Filesystem features:(?!.*needs_recovery).*\n[\s\S]*Filesystem state: +clean\n/,
    );
    return said(ended);
  };
  expect(await boot("oci-archive:/images/box.tar", "")).toEqual([
    expect.stringMatching(/^web \| error ENOENT/),
    "rt: status 1: power off",
  ]);
  expect(await boot("localhost/box", ', "--pull=never"')).toHaveLength(2);
});

withDisk.test(
  "what a restart policy keeps is started at the next boot, and stopped before the end",
  async () => {
    const disk = join(await directory(), "kept");
    await writeFile(disk, "");
    await run(["truncate", "-s", "256M", disk]);
    await run(["mkfs.ext4", "-q", disk]);
    const mount = `[[mount]]\nsource = "/dev/ubda"\ntarget = "/var/lib/rt"\ntype = "ext4"\noptions = "noatime"\n`;
    const log = "/k/log";
    const script = `trap "echo stopped >> ${log}; exit 0" TERM; echo run >> ${log}; while :; do sleep 0.05; done`;
    const make = `rt run -d --network none --name kept --restart always -v kept:/k localhost/box sh -c '${script}'`;
    const boot = async (runs: number, more: string) => {
      const wait = `touch /data/up; until [ "$(grep -sc run ${log})" = ${runs} ]; do sleep 0.05; done; echo $(cat ${log})`;
      const toml = mount + container("web", wait, 'args = ["-v", "/data:/data", "-v", "kept:/k"]');
      const initramfs = await configured(toml, beside(more));
      const ended = await bootUml({ initramfs, init: "/begin", append: [`ubd0=${disk}`] });
      isClean(ended);
      return said(ended);
    };
    expect(await boot(1, make)).toEqual(["web | run", "rt: status 0: power off"]);
    const second = await boot(2, "true");
    expect(second).toContain("rt: container kept: started by its restart policy");
    expect(second).toContain("web | run stopped run");
  },
);
