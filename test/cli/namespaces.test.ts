/** --pid, --ipc, --uts, --cgroupns, --network: namespaces of the host, of another container, and by their path. */
import { expect } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, statusOf } from "./world.ts";

const { test, host } = containerTests();

const kinds = ["pid", "net", "ipc", "uts", "cgroup"];
const show = `for kind in ${kinds.join(" ")}; do readlink /proc/self/ns/$kind; done`;
const rt = (...argv: string[]) => host().rt(argv);
const ok = async (...argv: string[]) => (await host().ok(argv)).trim();
const run = (...argv: string[]) => ok("run", "--rm", ...argv);
const inspect = (name: string, format: string) => ok("inspect", "-f", format, name);

/** A container with what it shares, that does nothing. */
async function donor(name: string, ...flags: string[]): Promise<string> {
  return ok("run", "-d", "--init", "--name", name, ...flags, image, "sleep", "1000");
}

/** Refused in one line, with docker's status, and nothing is left. */
async function refused(why: string, ...argv: string[]): Promise<void> {
  const { code, stdout, stderr } = await rt("run", "--rm", ...argv, image, "true");
  expect([code, stdout, oneLine(stderr)]).toEqual([125, "", expect.stringContaining(why)]);
}

test("the host's", async () => {
  const flags = ["--network=host", "--pid=host", "--ipc=host", "--uts=host", "--cgroupns=host"];
  const ours = kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`)).join("\n");
  expect(await run(...flags, image, "sh", "-c", show)).toBe(ours);
  expect(await run("--uts=host", image, "hostname")).toBe(
    readFileSync("/proc/sys/kernel/hostname", "utf8").trim(),
  );
  // Its own number is one of ours, and so is whoever started it.
  expect(Number(await run("--pid=host", image, "sh", "-c", "echo $$"))).toBeGreaterThan(100);
  expect(await run("--cgroupns=host", image, "cat", "/proc/self/cgroup")).toContain("/rt/");
});

test("another container's: namespaces, processes, shared memory and the files of the network", async () => {
  const id = await donor("don", "--ipc=shareable", "--hostname=donor", "--domainname=example.org");
  const pid = await pidOf(host(), "don");
  const theirs = kinds.map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`)).join("\n");
  const all = [
    ...["--network", "container:don", "--pid", "container:don", "--ipc", "container:don"],
    ...["--uts", "container:don", "--cgroupns", "container:don"],
  ];
  expect(await run(...all, image, "sh", "-c", show)).toBe(theirs);
  const script =
    "echo shared > /dev/shm/x; echo 192.0.2.9 box >> /etc/hosts; hostname; ps -o args | grep -c '^sleep 1000'";
  expect(await run(...all, image, "sh", "-c", script)).toBe("donor\n1");
  const seen = "cat /dev/shm/x /etc/hostname /proc/sys/kernel/domainname; tail -n 1 /etc/hosts";
  expect(await ok("exec", "don", "sh", "-c", seen)).toBe("shared\ndonor\nexample.org\n192.0.2.9 box");
  expect(await run("--network=container:don", image, "grep", "box", "/etc/hosts")).toBe("192.0.2.9 box");
  await ok("create", "--name", "guest", "--pid=container:don", "--network=container:don", image, "true");
  await ok("rename", "don", "renamed");
  const modes = "{{.HostConfig.PidMode}} {{.HostConfig.NetworkMode}} {{.Config.Hostname}} {{.HostsPath}}";
  expect(await inspect("guest", modes)).toBe(
    `container:${id} container:${id} donor ${host().state}/containers/${id}/hosts`,
  );
  expect(await ok("start", "-a", "guest")).toBe("");
  await ok("rm", "-f", "guest", "renamed");
});

test("a terminal and an init in a joined pid namespace", async () => {
  await donor("don");
  const { stdout } = await rt("run", "--rm", "-t", "--pid=container:don", image, "sh", "-c", "tty; echo $$");
  expect(stdout).toMatch(/^\/dev\/pts\/0\r\n[1-9]\d*\r\n$/);
  const init = ["--init", "--pid=container:don", image, "sh", "-c", "kill -TERM $$"];
  expect((await rt("run", "--rm", ...init)).code).toBe(143);
  await ok("rm", "-f", "don");
});

/** How many processes of the host have these words. */
async function count(words: string): Promise<number> {
  const table = await run("--pid=host", image, "ps", "-o", "args");
  return table.split("\n").filter((line) => line === words).length;
}

for (const mode of ["host", "container:don"])
  test(`with --pid ${mode} nothing outlives the program`, async () => {
    await donor("don");
    const nap = `${3000 + (process.pid % 1000)}`;
    const script = `sleep ${nap} & setsid sleep ${nap} & echo up; exec sleep 1001`;
    await ok("run", "-d", "--name", "guest", "--pid", mode, image, "sh", "-c", script);
    await until("it is up", async () => (await ok("logs", "guest")) === "up");
    await until("all run", async () => (await count(`sleep ${nap}`)) === 2);
    expect((await ok("top", "guest", "-o", "args")).split("\n").slice(1).sort()).toEqual([
      "sleep 1001",
      `sleep ${nap}`,
      `sleep ${nap}`,
    ]);
    expect(await ok("exec", "guest", "sh", "-c", "kill -0 $$ && readlink /proc/self/ns/pid")).toBe(
      readlinkSync(`/proc/${await pidOf(host(), "guest")}/ns/pid`),
    );
    await ok("pause", "guest");
    expect(await statusOf(host(), "guest")).toBe("paused");
    await ok("unpause", "guest");
    await ok("kill", "-s", "TERM", "guest");
    expect(await ok("wait", "guest")).toBe("143");
    expect(await count(`sleep ${nap}`)).toBe(0);
    expect(await statusOf(host(), "don")).toBe("running");
    await ok("start", "guest");
    await ok("rm", "-f", "guest");
    await until("nothing of it runs", async () => (await count(`sleep ${nap}`)) === 0);
    await ok("rm", "-f", "don");
  });

test("with --pid host a monitor that is killed takes the program with it, and the next command the rest", async () => {
  const nap = `${4000 + (process.pid % 1000)}`;
  const id = await ok(
    "run",
    "-d",
    "--name",
    "guest",
    "--pid=host",
    image,
    "sh",
    "-c",
    `sleep ${nap} & sleep ${nap}`,
  );
  await until("both run", async () => (await count(`sleep ${nap}`)) === 2);
  const text = readFileSync(join(host().state, "containers", id, "pid"), "utf8");
  process.kill(Number(/^monitor (\d+)/m.exec(text)?.[1]), "SIGKILL");
  await until("it is seen", async () => (await statusOf(host(), "guest")) === "exited");
  await until("nothing of it runs", async () => (await count(`sleep ${nap}`)) === 0);
  await ok("rm", "guest");
});

test("with the init of a pid namespace those in it end, and its network goes on", async () => {
  await donor("don");
  await ok("run", "-d", "--name", "in", "--pid=container:don", image, "sleep", "1000");
  await ok("run", "-d", "--name", "near", "--network=container:don", image, "sleep", "1000");
  await ok("kill", "don");
  expect(await ok("wait", "in")).toBe("137");
  expect(await statusOf(host(), "near")).toBe("running");
  const { code, stderr } = await rt("start", "in");
  const id = await inspect("don", "{{.Id}}");
  expect([code, oneLine(stderr)]).toEqual([
    1,
    `cannot start container in: failed to join PID namespace: container ${id} is not running`,
  ]);
  await refused(`cannot join network of a non running container: ${id}`, "--network=container:don");
  await ok("start", "don", "in");
  await ok("restart", "-t", "0", "near");
  const network = async (name: string) => readlinkSync(`/proc/${await pidOf(host(), name)}/ns/net`);
  expect(await network("near")).toBe(await network("don"));
  await ok("rm", "-f", "near", "in", "don");
});

test("what joins is started again by its policy, in the namespace that is there by then", async () => {
  await donor("don");
  const policy = ["--restart=always", "--network=container:don"];
  await ok("run", "-d", "--name", "guest", ...policy, image, "sleep", "1000");
  const before = await pidOf(host(), "guest");
  process.kill(before, "SIGKILL");
  const again = await until("it runs again", async () => {
    const pid = await pidOf(host(), "guest");
    return pid > 0 && pid !== before && pid;
  });
  expect(readlinkSync(`/proc/${again}/ns/net`)).toBe(
    readlinkSync(`/proc/${await pidOf(host(), "don")}/ns/net`),
  );
  await ok("rm", "-f", "guest", "don");
});

test("ipc: private and none are not shared; a volume at /dev/shm is nobody else's", async () => {
  await donor("priv");
  await refused("non-shareable IPC (hint: use IpcMode:shareable", "--ipc=container:priv");
  await donor("bare", "--ipc=none");
  await refused("non-shareable IPC", "--ipc=container:bare");
  await donor("other", "--ipc=shareable", "-v", "/tmp:/dev/shm");
  await refused("non-shareable IPC", "--ipc=container:other");
  expect((await rt("run", "--rm", "--ipc=none", image, "ls", "/dev/shm")).code).toBe(1);
  await ok("rm", "-f", "priv", "bare", "other");
});

test("by path: a namespace of the right kind, and nothing else", async () => {
  await donor("don", "--ipc=shareable");
  const pid = await pidOf(host(), "don");
  const flags = ["--network", "net", "--ipc", "ipc", "--uts", "uts", "--cgroupns", "cgroup"].map((word) =>
    word.startsWith("--") ? word : `ns:/proc/${pid}/ns/${word}`,
  );
  const ours = await run(...flags, image, "sh", "-c", show);
  expect(ours.split("\n").slice(1)).toEqual(
    kinds.slice(1).map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`)),
  );
  await refused("is not a net namespace", "--network", `ns:/proc/${pid}/ns/ipc`);
  await refused("is not a uts namespace", "--uts", "ns:/etc/passwd");
  await refused("is not a uts namespace", "--uts", "ns:/dev/zero");
  await refused("No such file or directory (ENOENT)", "--ipc", "ns:/no/such");
  await ok("rm", "-f", "don");
});

test("what cannot be had together, in docker's words", async () => {
  await donor("don");
  const network = "--network=container:don";
  await refused("conflicting options: hostname and the network mode", network, "-h", "x");
  await refused("conflicting options: dns and the network mode", network, "--dns=192.0.2.1");
  await refused(
    "conflicting options: custom host-to-IP mapping and the network mode",
    network,
    "--add-host=a:192.0.2.1",
  );
  await refused("conflicting options: hostname and the UTS mode", "--uts=host", "-h", "x");
  await refused("conflicting options: domainname and the UTS mode", "--uts=host", "--domainname=x");
  await refused("No such container: nobody", "--pid=container:nobody");
  const sysctls = ["--sysctl", "net.core.somaxconn=5", "--sysctl", "kernel.shmmax=4096"];
  await refused("'net.core.somaxconn' is not allowed in host network namespace", "--net=host", ...sysctls);
  await refused("'kernel.shmmax' is not allowed in host ipc namespace", "--ipc=host", ...sysctls);
  await refused(
    "is not allowed in host network namespace",
    `--network=ns:/proc/${process.pid}/ns/net`,
    ...sysctls,
  );
  await ok("rm", "-f", "don");
  await ok("run", "-d", "--name", "don", "--network=host", image, "sleep", "1000");
  await refused("is not allowed in host network namespace", network, ...sysctls);
  await ok("rm", "-f", "don");
});

test("the small ones: a domain, an OOM score, and what of the program is seen", async () => {
  const words = ["--hostname=box", "--domainname=example.org"];
  expect(await run(...words, image, "sh", "-c", "dnsdomainname; cat /proc/sys/kernel/domainname")).toBe(
    "example.org\nexample.org",
  );
  expect(await run("--oom-score-adj=321", image, "cat", "/proc/self/oom_score_adj")).toBe("321");
  const script = "echo out; echo err >&2";
  const seen = async (...flags: string[]) => {
    const { stdout, stderr } = await rt("run", "--rm", ...flags, image, "sh", "-c", script);
    return [stdout, stderr];
  };
  expect(await seen("-a", "stdout")).toEqual(["out\n", ""]);
  expect(await seen("--attach=stderr")).toEqual(["", "err\n"]);
  expect(await seen("-a", "stdout", "-a", "STDERR")).toEqual(["out\n", "err\n"]);
  expect(await seen("-a", "stdin")).toEqual([expect.stringMatching(/^[0-9a-f]{64}\n$/), ""]);
  await refused("conflicting options: cannot specify both --attach and --detach", "-d", "-a", "stdout");
  await ok("create", "--name", "made", "-a", "stderr", image, "true");
  expect(await inspect("made", "{{.Config.AttachStdout}} {{.Config.AttachStderr}}")).toBe("false true");
  await ok("rm", "made");
});
