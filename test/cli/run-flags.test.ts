/** The flags of `rt run` that are not mounts: each with what the container sees of it. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { facts, factsNamed } from "../support/probe.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

/** Standard output of `rt run --rm FLAGS busybox COMMAND`. */
function out(flags: string[], ...command: string[]): Promise<string> {
  return host().ok(["run", "--rm", ...flags, image, ...command]);
}

/** A run that fails: its one line and exit status. */
async function fails(flags: string[], ...command: string[]): Promise<[string, number]> {
  const { stdout, stderr, code } = await host().rt(["run", "--rm", ...flags, image, ...command]);
  expect(stdout).toBe("");
  return [oneLine(stderr), code];
}

interface Row {
  name: string;
  flags: string[];
  command: string[];
  stdout: string | RegExp;
}

const rows: Row[] = [
  { name: "--hostname", flags: ["-h", "box.example"], command: ["hostname"], stdout: "box.example\n" },
  {
    name: "--hostname in /etc/hosts, /etc/hostname and the environment",
    flags: ["--hostname=box"],
    command: ["sh", "-c", "grep -cw box /etc/hosts; cat /etc/hostname; echo $HOSTNAME"],
    stdout: "1\nbox\nbox\n",
  },
  { name: "-w", flags: ["-w", "/usr/bin"], command: ["pwd"], stdout: "/usr/bin\n" },
  {
    name: "-w makes what is not there",
    flags: ["-w", "/new/deep/"],
    command: ["pwd"],
    stdout: "/new/deep\n",
  },
  { name: "--entrypoint", flags: ["--entrypoint", "echo"], command: ["a", "b"], stdout: "a b\n" },
  {
    name: "--add-host",
    flags: ["--add-host", "db:10.1.2.3"],
    command: ["tail", "-1", "/etc/hosts"],
    stdout: "10.1.2.3\tdb\n",
  },
  {
    name: "--dns",
    flags: ["--network", "none", "--dns", "10.9.8.7", "--dns=fd00::1"],
    command: ["grep", "nameserver", "/etc/resolv.conf"],
    stdout: "nameserver 10.9.8.7\nnameserver fd00::1\n",
  },
  {
    name: "--ulimit",
    flags: ["--ulimit", "nofile=100:200", "--ulimit", "core=0"],
    command: ["sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -Hc"],
    stdout: "100\n200\n0\n",
  },
  {
    name: "--sysctl",
    flags: ["--sysctl", "kernel.msgmax=4096"],
    command: ["cat", "/proc/sys/kernel/msgmax"],
    stdout: "4096\n",
  },
  {
    name: "--sysctl of the network, over the default",
    flags: ["--sysctl", "net.ipv4.ip_unprivileged_port_start=1000"],
    command: ["cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"],
    stdout: "1000\n",
  },
  {
    name: "--shm-size",
    flags: ["--shm-size", "1m"],
    command: ["sh", "-c", "df -k /dev/shm | awk 'NR==2{print $2}'"],
    stdout: "1024\n",
  },
  {
    name: "--read-only",
    flags: ["--read-only"],
    command: ["sh", "-c", "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo shm"],
    stdout: "refused\nshm\n",
  },
  {
    name: "-t alone is a terminal without input",
    flags: ["-t"],
    command: ["sh", "-c", "test -t 0 && test -t 1 && echo $TERM"],
    stdout: "xterm\r\n",
  },
  {
    name: "--init is pid 1",
    flags: ["--init"],
    command: ["sh", "-c", "[ $$ != 1 ] && cat /proc/1/comm"],
    stdout: "rt-reaper\n",
  },
  {
    name: "--init reaps orphans",
    flags: ["--init"],
    command: ["probe", "fork-orphan"],
    stdout: "zombies 0\n",
  },
  {
    name: "--platform of this machine",
    flags: ["--platform", process.arch === "arm64" ? "linux/arm64" : "linux/amd64"],
    command: ["echo", "yes"],
    stdout: "yes\n",
  },
  {
    name: "--pull never of what is here",
    flags: ["--pull", "never"],
    command: ["echo", "yes"],
    stdout: "yes\n",
  },
  {
    name: "no-new-privileges",
    flags: ["--security-opt", "no-new-privileges"],
    command: ["grep", "NoNewPrivs", "/proc/self/status"],
    stdout: "NoNewPrivs:\t1\n",
  },
  {
    name: "no-new-privileges:false",
    flags: ["--security-opt", "no-new-privileges:false"],
    command: ["grep", "NoNewPrivs", "/proc/self/status"],
    stdout: "NoNewPrivs:\t0\n",
  },
  {
    name: "paths that are hidden besides the usual ones: a file is empty, and so is a directory",
    flags: ["--security-opt", "mask=/proc/uptime:/usr/bin:/nowhere"],
    command: [
      "/bin/busybox",
      "sh",
      "-c",
      "wc -c </proc/uptime; busybox ls -A /usr/bin | wc -l; busybox ls -A /proc/irq | wc -l | grep -v '^0'",
    ],
    stdout: /^0\n0\n[1-9]\d*\n$/,
  },
  {
    name: "paths that are to be seen, by a pattern",
    flags: ["--security-opt", "unmask=/proc/[it]*:/proc/sys"],
    command: [
      "sh",
      "-c",
      "wc -l </proc/interrupts | grep -v '^0'; grep -c ' /proc/\\(irq\\|sys\\|keys\\) ' /proc/mounts",
    ],
    stdout: /^[1-9]\d*\n1\n$/,
  },
  {
    name: "systempaths=unconfined",
    flags: ["--security-opt", "systempaths=unconfined"],
    command: ["sh", "-c", "grep -c -e ' /proc/.' -e ' /sys/firmware' /proc/mounts || true"],
    stdout: "0\n",
  },
  {
    name: "--read-only-tmpfs, but for where something else is mounted",
    flags: ["--read-only", "--read-only-tmpfs", "--tmpfs", "/run:ro"],
    command: ["sh", "-c", "for d in / /run /tmp /var/tmp; do touch $d/x 2>/dev/null && echo $d; done"],
    stdout: "/tmp\n/var/tmp\n",
  },
  { name: "--network none", flags: ["--network", "none"], command: ["ls", "/sys/class/net"], stdout: "lo\n" },
  {
    name: "flags with =, and a bundle",
    flags: ["-it=false", "--read-only=false", "--workdir=/tmp"],
    command: ["pwd"],
    stdout: "/tmp\n",
  },
];

for (const { name, flags, command, stdout } of rows) {
  test(name, async () => {
    const result = await host().rt(["run", "--rm", ...flags, image, ...command]);
    expect(result.stderr).toBe("");
    if (typeof stdout === "string") expect(result.stdout).toBe(stdout);
    else expect(result.stdout).toMatch(stdout);
    expect(result.code).toBe(0);
  });
}

test("without --init orphans stay zombies, which shows that the probe can tell", async () => {
  expect(await out([], "probe", "fork-orphan")).toBe("zombies 1\n");
});

const users: [string, string][] = [
  ["app", "uid=1000(app) gid=1000(app) groups=29(audio),50(staff),1000(app)"],
  ["1000", "uid=1000(app) gid=1000(app) groups=29(audio),50(staff),1000(app)"],
  ["app:audio", "uid=1000(app) gid=29(audio) groups=29(audio)"],
  ["1000:50", "uid=1000(app) gid=50(staff) groups=50(staff)"],
  ["4242", "uid=4242 gid=0(root) groups=0(root)"],
  ["4242:4343", "uid=4242 gid=4343 groups=4343"],
  ["0", "uid=0(root) gid=0(root) groups=0(root),50(staff)"],
  ["4294967294", "uid=4294967294 gid=0(root) groups=0(root)"],
];

/** busybox lists groups in the kernel's order; the primary one counts among them. */
function sorted(id: string): string {
  return id.trim().replace(/groups=(.*)/, (_, list: string) => {
    const groups = list.split(",").sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    return `groups=${groups.join(",")}`;
  });
}

for (const [user, id] of users) {
  test(`-u ${user}`, async () => {
    expect(sorted(await out(["-u", user], "id"))).toBe(id);
  });
}

test("-u: HOME of the passwd, no capabilities in effect, none inheritable", async () => {
  const output = await out(["-u", "app"], "sh", "-c", "echo $HOME; probe caps");
  expect(output.split("\n")[0]).toBe("/home/app");
  const caps = facts(output);
  for (const set of ["CapPrm", "CapEff", "CapInh", "CapAmb"])
    expect(caps.get(set)).toBe("0000000000000000 none");
  expect(caps.get("CapBnd")).toStartWith("00000000800405fb ");
});

const badUsers: [string, RegExp][] = [
  ["nosuch", /nosuch/],
  ["app:nosuch", /nosuch/],
  ["4294967295", /4294967295/],
  ["4294967296", /4294967296/],
  ["-1", /-1/],
  ["1:4294967296", /4294967296/],
  ["99999999999999999999", /99999999999999999999/],
];

for (const [user, words] of badUsers) {
  test(`-u ${user} is refused`, async () => {
    const [line, code] = await fails([`--user=${user}`], "id");
    expect(line).toMatch(words);
    expect([125, 126]).toContain(code);
  });
}

test("--group-add by name and number", async () => {
  expect(sorted(await out(["-u", "4242", "--group-add", "audio", "--group-add", "777"], "id"))).toBe(
    "uid=4242 gid=0(root) groups=0(root),29(audio),777",
  );
  const [line] = await fails(["--group-add", "nosuch"], "id");
  expect(line).toContain("nosuch");
});

test("--group-add keep-groups: those of the caller, by their numbers, in run and in exec", async () => {
  const asCaller = async (...args: string[]) => {
    const child = Bun.spawn(["setpriv", "--groups", "4242,7", rtBinary, ...args], {
      env: { ...process.env, ...host().env },
      stdout: "pipe",
    });
    return child.stdout.text();
  };
  const keep = ["--group-add", "keep-groups"];
  const ids = await asCaller("run", "--rm", ...keep, "-u", "4711:5", image, "id", "-G");
  expect(ids.trim().split(" ").sort()).toEqual(["4242", "5", "7"]);
  await using container = await running(host(), ["sleep", "1000"], keep);
  const inExec = await asCaller("exec", "-u", "4711:5", container.name, "id", "-G");
  expect(inExec.trim().split(" ").sort()).toEqual(["4242", "5", "7"]);
  expect(await fails([...keep, "--group-add", "audio"], "true")).toEqual([
    expect.stringContaining("--group-add keep-groups: it cannot be there together with other groups"),
    125,
  ]);
});

test("-e and --env-file: order, bare names, what the image has", async () => {
  const file = join(host().dir, "env");
  writeFileSync(file, '# a comment\nA=file\nB=file two\nINHERITED\nABSENT\nQ="kept"\n');
  const flags = [
    "--env-file",
    file,
    "-e",
    "A=flag",
    "--env",
    "PASSED",
    "-e",
    "EMPTY=",
    "-e",
    "N=a\nb",
    "-e",
    "PATH=/bin",
  ];
  const output = await host().ok(["run", "--rm", ...flags, image, "probe", "env"], {
    env: { INHERITED: "from the caller", PASSED: "too" },
  });
  expect(factsNamed(output, "env").filter((line) => !/^(HOSTNAME|HOME)=/.test(line))).toEqual([
    "PATH=/bin",
    "A=flag",
    "B=file two",
    "INHERITED=from the caller",
    'Q="kept"',
    "PASSED=too",
    "EMPTY=",
    "N=a\\x0ab",
  ]);
});

const capabilities: [string[], string][] = [
  [["--cap-add", "NET_ADMIN"], "00000000800415fb"],
  [["--cap-add=cap_net_raw,sys_time"], "00000000820425fb"],
  [["--cap-drop=KILL,Cap_Chown"], "00000000800405da"],
  [["--cap-drop", "CHOWN"], "00000000800405fa"],
  [["--cap-drop", "ALL"], "0000000000000000"],
  [["--cap-drop", "all", "--cap-add", "CHOWN"], "0000000000000001"],
];

for (const [flags, mask] of capabilities) {
  test(flags.join(" "), async () => {
    const caps = facts(await out(flags, "probe", "caps"));
    for (const set of ["CapPrm", "CapEff", "CapBnd"]) expect(caps.get(set)).toStartWith(`${mask} `);
    for (const set of ["CapInh", "CapAmb"]) expect(caps.get(set)).toBe("0000000000000000 none");
  });
}

test("--cap-add ALL is what the host gives, at most", async () => {
  const bounding = /CapBnd:\t(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]!;
  expect(facts(await out(["--cap-add", "ALL"], "probe", "caps")).get("CapBnd")).toStartWith(bounding);
});

test("--privileged: all capabilities, host devices, nothing masked or read-only", async () => {
  const script = "probe caps; probe devices; probe mounts";
  const output = await out(["--privileged"], "sh", "-c", script);
  const bounding = /CapBnd:\t(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]!;
  expect(facts(output).get("CapEff")).toStartWith(bounding);
  expect(facts(output).get("CapInh")).toBe("0000000000000000 none");
  const mounts = factsNamed(output, "mount").map((line) => line.split(" "));
  expect(mounts.filter(([target]) => target!.startsWith("/proc/"))).toEqual([]);
  expect(mounts.find(([target]) => target === "/sys")![2]).toStartWith("rw");
  const devices = factsNamed(output, "device").map((line) => line.split(" ")[0]);
  for (const name of ["null", "kmsg"]) if (existsSync(`/dev/${name}`)) expect(devices).toContain(name);
});

test("--device with a new name and rights; a directory; what is no device", async () => {
  const output = await out(
    ["--device", "/dev/zero:/dev/myzero:r", "--device", "/dev/full"],
    "probe",
    "devices",
  );
  expect(factsNamed(output, "device")).toContain("myzero c 1:5 0666 0:0");
  expect((await fails(["--device", "/dev/nosuch"], "true"))[0]).toContain("/dev/nosuch");
  expect((await fails(["--device", "/etc/passwd"], "true"))[0]).toContain("/etc/passwd");
});

test("--device with a directory: what is below it, but what leads nowhere", async () => {
  const dir = join(host().dir, "nodes");
  mkdirSync(join(dir, "bus/001"), { recursive: true });
  mkdirSync(join(dir, "none"));
  symlinkSync("/dev/zero", join(dir, "bus/001/a"));
  symlinkSync("/dev/full", join(dir, "b"));
  symlinkSync("nowhere", join(dir, "broken"));
  symlinkSync("loop", join(dir, "loop"));
  writeFileSync(join(dir, "file"), "");
  const output = await out(["--device", `${dir}/:/dev/nodes:r`], "find", "/dev/nodes", "-type", "c");
  expect(output.trim().split("\n").sort()).toEqual(["/dev/nodes/b", "/dev/nodes/bus/001/a"]);
  expect(await fails(["--device", join(dir, "none")], "true")).toEqual([
    `no device node is in ${join(dir, "none")} on the host`,
    125,
  ]);
});

test("--device is looked for at each start", async () => {
  const path = join(host().dir, "device");
  const leads = (to: string) => {
    rmSync(path, { force: true });
    symlinkSync(to, path);
  };
  leads("/dev/zero");
  const create = ["create", "--name", "moved", "--device", `${path}:/dev/it`, image];
  await host().ok([...create, "sh", "-c", "stat -c %t:%T /dev/it; head -c1 /dev/it | wc -c"]);
  expect(await host().ok(["start", "-a", "moved"])).toBe("1:5\n1\n");
  leads("/dev/null");
  expect(await host().ok(["start", "-a", "moved"])).toBe("1:3\n0\n");
  rmSync(path);
  const { stderr, code } = await host().rt(["start", "moved"]);
  expect(oneLine(stderr)).toContain(`no such device ${path} on the host`);
  expect(code).not.toBe(0);
  await host().ok(["rm", "moved"]);
});

test('--entrypoint "" clears the image\'s; without a command there is nothing to run', async () => {
  const { stdout } = await host().rt(["run", "--rm", "--entrypoint", "", "embed:hello", "/probe", "args"]);
  expect(factsNamed(stdout, "arg")).toEqual(["0 /probe", "1 args"]);
  const [line, code] = await fails(["--entrypoint", ""]);
  expect(line).toContain("no command specified");
  expect(code).toBe(125);
});

test("--network host: the host's interfaces and name, and its namespace", async () => {
  const lines = await out(["--network", "host"], "sh", "-c", "readlink /proc/self/ns/net; hostname");
  const own = (await Bun.$`readlink /proc/self/ns/net; hostname`.text()).trim();
  expect(lines.trim()).toBe(own);
  const [line] = await fails(["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"], "true");
  expect(line).toContain("net.ipv4.ip_forward");
});

test("--cidfile has the id; an existing one is a conflict; a failed run leaves none", async () => {
  const file = join(host().dir, "cid");
  const id = await out(["--cidfile", file], "hostname");
  expect(readFileSync(file, "utf8")).toMatch(/^[0-9a-f]{64}$/);
  expect(readFileSync(file, "utf8")).toStartWith(id.trim());
  const [line, code] = await fails(["--cidfile", file], "true");
  expect(line).toContain("container ID file found");
  expect(code).toBe(125);
  const other = join(host().dir, "cid-of-none");
  await fails(["--cidfile", other], "/no/such");
  expect(existsSync(other)).toBe(false);
});

test("--label, --label-file, --annotation, --stop-signal are kept", async () => {
  const file = join(host().dir, "labels");
  writeFileSync(file, "from=file\nbare\n");
  const flags = [
    "-l",
    "a=b=c",
    "--label",
    "empty",
    "--label-file",
    file,
    "--annotation",
    "x.y=z",
    "--stop-signal",
    "usr1",
  ];
  await using container = await running(host(), ["sleep", "1000"], flags);
  const [seen] = JSON.parse(await host().ok(["inspect", container.name]));
  expect(seen.Config.Labels).toEqual({ from: "file", bare: "", a: "b=c", empty: "" });
  expect(seen.HostConfig.Annotations).toEqual({ "x.y": "z" });
  expect(seen.Config.StopSignal).toBe("SIGUSR1");
});

test("without --rm the container stays; its name is taken, in Docker's words", async () => {
  expect(await host().ok(["run", "--name", "stays", image, "echo", "once"])).toBe("once\n");
  expect(await statusOf(host(), "stays")).toBe("exited");
  const id = (await host().ok(["ps", "-aq", "--no-trunc"])).trim();
  const { stderr, code } = await host().rt(["run", "--name", "stays", image, "true"]);
  expect(oneLine(stderr)).toBe(
    `Conflict. The container name "/stays" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
  );
  expect(code).toBe(125);
  expect(await host().ok(["rm", "stays"])).toBe("stays\n");
});

test("--rm removes it before the client ends", async () => {
  await using container = await running(host(), ["sh", "-c", "read x"], ["--rm", "-i"]);
  container.client.closeStdin();
  expect(await container.client.exited).toBe(1);
  await until("it is gone", async () => (await statusOf(host(), container.name)) === "");
});

test("--platform that the image does not have", async () => {
  const [line, code] = await fails(["--pull", "never", "--platform", "linux/s390x"], "true");
  expect(line).toContain("linux/s390x");
  expect(code).toBe(125);
});
