/** `rt run` without flags: what a container gets by default (Docker's conventions), as the prober sees it. */
import { expect } from "bun:test";
import { existsSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { facts, factsNamed } from "../support/probe.ts";
import { containerTests, image, running } from "./world.ts";

const { test, host } = containerTests();

async function probe(args: string[], flags: string[] = []): Promise<string> {
  return host().ok(["run", "--rm", ...flags, image, "probe", ...args]);
}

const namespaces = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
const eleven =
  "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,sys_chroot,setfcap";

test("the embedded image greets, on stdout alone", async () => {
  const { stdout, stderr, code } = await host().rt(["run", "--rm", "embed:hello"]);
  expect(stdout).toStartWith("Hello from a container made by rt.\n");
  expect(stdout).toContain("Here it has pid 1, uid 0");
  expect(stderr).toBe("");
  expect(code).toBe(0);
});

test("the image's own command, and one in its place", async () => {
  expect(await host().ok(["run", "--rm", "-i", image], { stdin: "echo from $0\n" })).toBe("from sh\n");
  expect(await host().ok(["run", "--rm", image, "echo", "a b", "", "--rm", "-x"])).toBe("a b  --rm -x\n");
});

test("identity: pid 1, root with its groups, session leader", async () => {
  const ids = facts(await probe(["ids"]));
  for (const [key, value] of Object.entries({ pid: "1", ppid: "0", pgid: "1", sid: "1", uid: "0", gid: "0" }))
    expect([key, ids.get(key)]).toEqual([key, value]);
  expect(ids.get("groups")).toBe("0 50"); // root's own, and staff of the image's /etc/group
});

test("namespaces of its own, but for user and time", async () => {
  const own = new Map(
    factsNamed(await probe(["namespaces"]), "ns").map((line) => line.split(" ") as [string, string]),
  );
  for (const name of namespaces) expect(own.get(name)).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
  const shared = ["user", "time"].filter((name) => existsSync(`/proc/self/ns/${name}`));
  for (const name of shared) expect(own.get(name)).toBe(readlinkSync(`/proc/self/ns/${name}`));
});

test("exactly eleven capabilities, none inheritable or ambient, system calls filtered", async () => {
  const caps = facts(await probe(["caps"]));
  for (const set of ["CapPrm", "CapEff", "CapBnd"]) expect(caps.get(set)).toBe(`00000000800405fb ${eleven}`);
  for (const set of ["CapInh", "CapAmb"]) expect(caps.get(set)).toBe("0000000000000000 none");
  expect(caps.get("NoNewPrivs")).toBe("0");
});

test("environment: PATH, HOSTNAME, HOME and nothing of the caller's", async () => {
  const environment = { SECRET: "of the host", TERM: "foreign" };
  const output = await host().ok(["run", "--rm", image, "probe", "env"], { env: environment });
  expect(factsNamed(output, "env")).toEqual([
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    expect.stringMatching(/^HOSTNAME=[0-9a-f]{12}$/),
    "HOME=/root",
  ]);
});

test("only descriptors 0-2 are open, stdin is the null device", async () => {
  const open = factsNamed(await probe(["fds"]), "fd");
  expect(open.map((line) => line.replace(/\d{2,}/, "N"))).toEqual([
    "0 /dev/null",
    "1 pipe:[N]",
    "2 pipe:[N]",
  ]);
});

test("a clean process: umask, signals, dumpable, keyring", async () => {
  const process_ = facts(await probe(["process"]));
  const wanted = {
    umask: "0022",
    dumpable: "1",
    subreaper: "0",
    securebits: "0",
    personality: "0",
    SigBlk: "0000000000000000",
    SigIgn: "0000000000000000",
    SigCgt: "0000000000000000",
  };
  for (const [key, value] of Object.entries(wanted)) expect([key, process_.get(key)]).toEqual([key, value]);
  expect(process_.get("keyring")).toBe("EPERM");
});

test("mounts of the conventions, with their options", async () => {
  const mounts = new Map(
    factsNamed(await probe(["mounts"]), "mount").map((line) => {
      const [target, type, options, , superOptions] = line.split(" ");
      return [target!, `${type} ${options} ${superOptions}`];
    }),
  );
  const inert = "nosuid,nodev,noexec,relatime";
  expect(mounts.get("/proc")).toStartWith(`proc rw,${inert}`);
  expect(mounts.get("/dev")).toBe("tmpfs rw,nosuid rw,size=65536k,mode=755");
  expect(mounts.get("/dev/pts")).toBe("devpts rw,nosuid,noexec,relatime rw,gid=5,mode=620,ptmxmode=666");
  expect(mounts.get("/dev/shm")).toBe(`tmpfs rw,${inert} rw,size=65536k`);
  expect(mounts.get("/dev/mqueue")).toStartWith(`mqueue rw,${inert}`);
  expect(mounts.get("/sys")).toStartWith(`sysfs ro,${inert}`);
  for (const path of ["bus", "fs", "irq", "sys"])
    expect([path, mounts.get(`/proc/${path}`)]).toEqual([path, `proc ro,${inert} rw`]);
  for (const [path, options] of mounts)
    if (path.startsWith("/sys/fs/cgroup"))
      expect([path, options]).toEqual([path, expect.stringMatching(/ ro,/)]);
  expect([...mounts.keys()].filter((path) => path.startsWith("/sys/fs/cgroup")).length).toBeGreaterThan(0);
  for (const path of ["hosts", "hostname", "resolv.conf"]) expect(mounts.has(`/etc/${path}`)).toBe(true);
});

test("every mount is private", async () => {
  const lines = factsNamed(await probe(["mounts"]), "mount");
  expect(lines.filter((line) => !line.endsWith(" private"))).toEqual([]);
});

test("devices and links of /dev, and no more", async () => {
  const output = await probe(["devices"]);
  expect(factsNamed(output, "device").sort()).toEqual([
    "full c 1:7 0666 0:0",
    "null c 1:3 0666 0:0",
    "random c 1:8 0666 0:0",
    "tty c 5:0 0666 0:0",
    "urandom c 1:9 0666 0:0",
    "zero c 1:5 0666 0:0",
  ]);
  expect(factsNamed(output, "link").sort()).toEqual([
    "core /proc/kcore",
    "fd /proc/self/fd",
    "ptmx pts/ptmx",
    "stderr /proc/self/fd/2",
    "stdin /proc/self/fd/0",
    "stdout /proc/self/fd/1",
  ]);
  expect(
    factsNamed(output, "other")
      .map((line) => line.split(" ")[0])
      .sort(),
  ).toEqual(["mqueue", "pts", "shm"]);
});

test("masked files are the null device or empty, masked directories empty and read-only", async () => {
  const hidden = "acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats"
    .split(" ")
    .map((name) => `/proc/${name}`)
    .concat("/sys/firmware", "/sys/devices/virtual/powercap")
    .filter((path) => existsSync(path));
  expect(hidden.length).toBeGreaterThan(0);
  const script = `for f in ${hidden.join(" ")}; do
    if [ -d $f ]; then ls -A $f; touch $f/x 2>/dev/null && echo wrote $f; else cat $f; fi; done; echo end`;
  expect(await host().ok(["run", "--rm", image, "sh", "-c", script])).toBe("end\n");
});

for (const path of [
  "/proc/sys/kernel/hostname",
  "/proc/sysrq-trigger",
  "/sys/kernel/profiling",
  "/proc/irq/default_smp_affinity",
]) {
  test(`${path} cannot be written`, async () => {
    if (!existsSync(path)) return;
    const { stderr, code } = await host().rt(["run", "--rm", image, "sh", "-c", `echo 0 > ${path}`]);
    expect(stderr).toMatch(/Read-only file system|Permission denied/);
    expect(code).toBe(1);
  });
}

for (const [network, interfaces, address] of [
  ["default", ["lo up loopback", "eth0 up -"], /^eth0 (172\.\d+\.0\.2)\/16$/m],
  ["none", ["lo up loopback"], /^lo (127\.0\.0\.1)\/8$/m],
] as const)
  test(`the network ${network} is ${interfaces.join(" and ")}, and anyone binds port 80 there`, async () => {
    const flags = network === "none" ? ["--network", "none"] : [];
    const net = await probe(["net"], flags);
    const found = factsNamed(net, "interface").map((line) => line.split(" ").slice(0, 3).join(" "));
    expect(found).toEqual([...interfaces]);
    const found4 = address.exec(factsNamed(net, "address").join("\n"));
    expect(found4).not.toBeNull();
    const names = ["net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"];
    const sysctls = factsNamed(await probe(["sysctl", ...names], flags), "sysctl");
    expect(sysctls.map((line) => line.replace(/\s+/g, " "))).toEqual([
      "net.ipv4.ping_group_range 0 2147483647",
      "net.ipv4.ip_unprivileged_port_start 0",
    ]);
    expect(await probe(["try", "bind-port", "80"], [...flags, "-u", "1000"])).toContain("bind-port ok");
    const hosts = await host().ok([
      "run",
      "--rm",
      "-h",
      "box",
      ...flags,
      image,
      "tail",
      "-n",
      "1",
      "/etc/hosts",
    ]);
    expect(hosts).toBe(`${found4![1]}\tbox\n`);
  });

test("hosts, hostname and resolv.conf are ours", async () => {
  const script = "hostname; cat /etc/hostname; grep -c nameserver /etc/resolv.conf; cat /etc/hosts";
  const command = ["run", "--rm", "--network", "none", image, "sh", "-c", script];
  const [name, file, , ...hosts] = (await host().ok(command)).split("\n");
  expect(file).toBe(name!);
  expect(hosts).toContain("127.0.0.1\tlocalhost");
  expect(hosts).toContain(`127.0.0.1\t${name}`);
});

test("in its own cgroup, which it sees as the root", async () => {
  await using container = await running(host());
  const lines = factsNamed(await host().ok(["exec", container.name, "probe", "cgroup"]), "cgroup");
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).toEndWith(":/");
  const pid = Number((await host().ok(["inspect", "-f", "{{.State.Pid}}", container.name])).trim());
  const seen = await Bun.file(`/proc/${pid}/cgroup`).text();
  expect(seen).toContain(`/rt/${container.id}`);
});

test("what it writes is its own: the next container of the image does not see it", async () => {
  await host().ok(["run", "--rm", image, "sh", "-c", "echo mine > /file; rm /etc/passwd; mkdir /bin/dir"]);
  const script = "ls /file /bin/dir 2>&1; wc -l < /etc/passwd";
  const lines = (await host().ok(["run", "--rm", image, "sh", "-c", script])).trim().split("\n");
  expect(lines.at(-1)).toBe("3");
  expect(lines.filter((line) => line.includes("No such file"))).toHaveLength(2);
});

test("the root of the container holds nothing of the host's", async () => {
  const output = await host().ok(["run", "--rm", image, "ls", "-A", "/"]);
  expect(output.trim().split("\n").sort()).toEqual(
    "bin dev etc home linuxrc proc root run sbin sys tmp usr var".split(" "),
  );
  expect(existsSync(join(host().state, "containers"))).toBe(true);
});
