/**
 * One file on a bare kernel: dist/rt in a root directory that holds nothing else. No libc, no loader, no certificates, no
 * /etc, no /tmp; a musl host's tree; read-only and noexec mounts; without /proc. And nothing of how it starts is seen by
 * the programs that it starts.
 */
import { expect } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileLayer, imageOf } from "../cli/image-world.ts";
import { oneLine } from "../cli/world.ts";
import { type BareTree, bareTree, bareTreeNeeds } from "../support/bare-tree.ts";
import { run } from "../support/command.ts";
import { startNames } from "../support/dns.ts";
import { FakeRegistry } from "../support/fake-registry.ts";
import { mountPoints } from "../support/leaks.ts";
import { needs, tool } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive, hardLinkMember } from "../support/tar.ts";
import { namedTls, testAuthority } from "../support/test-tls.ts";
import { until } from "../support/wait.ts";

const musl = "/lib/x86_64-linux-musl/libc.so";
const { test } = needs({ ...bareTreeNeeds, tools: [...bareTreeNeeds.tools, "file", "ldd", "setpriv"] });
const { test: busyboxTest } = needs({ ...bareTreeNeeds, tools: [...bareTreeNeeds.tools, "busybox"] });
const { test: muslTest } = needs({
  ...bareTreeNeeds,
  tools: [...bareTreeNeeds.tools, "busybox"],
  also: () => (existsSync(musl) ? undefined : "a musl libc (apt-get install musl)"),
});

const image = imageOf([fileLayer("a", 5000), fileLayer("b", 5000)]);
/** Runs the embedded image: its exit status is 3. */
const three = ["run", "--rm", "-q", "embed:hello", "exit", "3"];

async function runs(tree: BareTree, options: Parameters<BareTree["rt"]>[1] = {}): Promise<void> {
  const { stdout, stderr, code } = await tree.rt(three, options);
  expect({ stdout, stderr, code }).toEqual({ stdout: "", stderr: "", code: 3 });
}

test("the file is static to whoever asks: file, ldd, its own header", async () => {
  expect(await run(["file", "-b", rtBinary])).toMatch(
    /^ELF 64-bit LSB (pie )?executable, .*static(ally|-pie) linked/,
  );
  const ldd = Bun.spawnSync(["ldd", rtBinary]);
  expect(`${ldd.stdout}${ldd.stderr}`).toMatch(/not a dynamic executable|statically linked/);
});

test("it has no sections, so that strip(1) refuses it instead of taking the stub and the libraries away", async () => {
  const header = new DataView(await Bun.file(rtBinary).slice(0, 64).arrayBuffer());
  expect([header.getBigUint64(40, true), header.getUint32(60, true)]).toEqual([0n, 0]);
  const copy = join(await mkdtemp(join(scratchDirectory(), "rt-strip-")), "rt");
  try {
    copyFileSync(rtBinary, copy);
    const strip = tool("strip");
    if (strip) expect(Bun.spawnSync([strip, copy]).exitCode).not.toBe(0);
    expect(Bun.spawnSync([copy, "--version"]).exitCode).toBe(0);
  } finally {
    rmSync(dirname(copy), { recursive: true });
  }
});

test("in an empty root: version, info, and containers on overlay", async () => {
  await using tree = await bareTree();
  expect(await tree.ok(["--version"])).toMatch(/^rt version /);
  const info = await tree.ok(["info"]);
  expect(info).toContain("Containers: 0\n");
  expect(info).toContain("Storage Driver: overlay\n");
  expect(await tree.ok(["run", "--rm", "embed:hello"])).toContain("Hello from a container made by rt.");
  await runs(tree, { env: { RT_STORAGE_DRIVER: "copy" } });
  expect(await tree.ok(["ps", "-aq"])).toBe("");
  expect(readdirSync(tree.dir).sort()).toEqual(["proc", "rt", "w"]);
});

test("in an empty root: run, exec, kill, rm; the container outlives its client", async () => {
  await using tree = await bareTree();
  const client = tree.start(["run", "--name", "one", "embed:hello", "sleep", "1000"]);
  const inspect = ["inspect", "-f", "{{.State.Status}} {{.State.Pid}} {{.State.ExitCode}}", "one"];
  const state = async () => (await tree.rt(inspect)).stdout.trim().split(" ");
  const pid = await until("it runs", async () => Number((await state())[1]) || undefined);
  client.kill("SIGKILL");
  await client.exited;
  expect(await tree.ok(["exec", "-e", "BUN_X=1", "one", "/probe", "env"])).toContain("env BUN_X=1\n");
  expect((await tree.rt(["exec", "one", "/probe", "exit", "5"])).code).toBe(5);
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("/probe\0sleep\x001000\0");
  await tree.ok(["kill", "one"]);
  expect(
    await until("it has ended", async () => ((await state())[0] === "exited" ? await state() : undefined)),
  ).toEqual(["exited", "0", "137"]);
  await tree.ok(["rm", "one"]);
  expect(await tree.ok(["ps", "-aq"])).toBe("");
});

test("in an empty root: pull over http; an image with a layer that links to what another has", async () => {
  await using tree = await bareTree();
  await using registry = await FakeRegistry.start();
  const name = registry.push("team/app", "1", image);
  expect(await tree.ok(["pull", "-q", name])).toBe(`${name}\n`);
  // Such a layer is unpacked on top of the other, in a mount namespace: "/" is no mount here.
  const linking = imageOf([fileLayer("a", 5000), archive(hardLinkMember("b", "a"))]);
  const linked = registry.push("team/app", "2", linking);
  expect(await tree.ok(["pull", "-q", linked])).toBe(`${linked}\n`);
  expect(readdirSync(join(tree.dir, "w/root/snapshots"))).toContain("overlay");
});

test("in an empty root: https is refused to a stranger, and trusted by SSL_CERT_FILE, the tree's bundle, certs.d", async () => {
  await using tree = await bareTree();
  await using registry = await FakeRegistry.start({ tls: namedTls });
  const name = registry.push("team/app", "1", image);
  const pulls = async (env: Record<string, string> = {}) => {
    expect(await tree.ok(["pull", "-q", name], { env })).toBe(`${name}\n`);
    await tree.ok(["rmi", name]);
  };
  const refused = await tree.rt(["pull", "-q", name]);
  expect(oneLine(refused.stderr)).toMatch(/^cannot trust \S+: UNABLE_TO_VERIFY_LEAF_SIGNATURE;/);
  expect(refused.code).toBe(125);
  expect(registry.requests).toEqual([]);
  tree.put("w/authority.pem", testAuthority);
  await pulls({ SSL_CERT_FILE: "/w/authority.pem" });
  tree.put("etc/containers/certs.d/127.0.0.1/ca.crt", "of another port: not read");
  tree.put(`etc/docker/certs.d/${registry.host}/ca.crt`, testAuthority);
  await pulls();
  tree.put(`etc/docker/certs.d/${registry.host}/ca.crt`, namedTls.cert.replace(/\n[^\n]+\n/, "\n"));
  const damaged = await tree.rt(["pull", "-q", name]);
  expect(oneLine(damaged.stderr)).toMatch(
    /^cannot use certificate file \/etc\/docker\/certs\.d\/\S+ca\.crt: /,
  );
  await run(["rm", "-r", join(tree.dir, "etc/docker")]);
  tree.put("etc/ssl/certs/ca-certificates.crt", testAuthority);
  await pulls();
  const elsewhere = await tree.rt(["pull", "-q", name], { env: { SSL_CERT_DIR: "/w" } });
  expect(elsewhere.code).toBe(0);
});

test("in an empty root: names by the tree's resolv.conf and hosts", async () => {
  await using tree = await bareTree();
  await using names = await startNames({ "registry.test": "127.0.0.1" });
  await using registry = await FakeRegistry.start({ tls: namedTls });
  tree.put("w/authority.pem", testAuthority);
  const env = { SSL_CERT_FILE: "/w/authority.pem" };
  const port = registry.push("team/app", "1", image).split(":")[1]!.split("/")[0]!;
  const name = `registry.test:${port}/team/app:1`;
  tree.put("etc/resolv.conf", `nameserver ${names.address}\noptions timeout:2 attempts:2\n`);
  expect(await tree.ok(["pull", "-q", name], { env })).toBe(`${name}\n`);
  expect(names.asked).toContain("registry.test");
  const unknown = await tree.rt(["pull", "-q", "absent.test/team/app:1"], { env });
  expect(oneLine(unknown.stderr)).toMatch(/^cannot reach absent\.test: no such host/);
  expect(unknown.code).toBe(125);
  expect(names.asked).toContain("absent.test");
  await tree.ok(["rmi", name]);
  tree.put("etc/resolv.conf", "");
  tree.put("etc/hosts", "127.0.0.1 registry.test\n");
  const asked = names.asked.length;
  expect(await tree.ok(["pull", "-q", name], { env })).toBe(`${name}\n`);
  expect(names.asked.length).toBe(asked);
});

muslTest("under a musl host's tree, started by its shell", async () => {
  await using tree = await bareTree();
  tree.put("lib/ld-musl-x86_64.so.1", readFileSync(musl), 0o755);
  tree.put("bin/busybox", readFileSync(tool("busybox")!), 0o755);
  tree.put("etc/ld-musl-x86_64.path", "/lib\n");
  tree.put("etc/os-release", 'ID=alpine\nPRETTY_NAME="Alpine Linux"\n');
  for (const name of ["tmp", "root", "etc/ssl"]) mkdirSync(join(tree.dir, name), { recursive: true });
  const shell = async (script: string) => {
    const env = { PATH: "/bin:/usr/bin", HOME: "/root" };
    const { stdout, stderr, code } = await tree.rt([script], { program: ["/bin/busybox", "sh", "-c"], env });
    return { stdout, stderr, code };
  };
  expect((await shell("/lib/ld-musl-x86_64.so.1")).stderr).toContain("musl libc");
  expect(await shell("/rt info | grep '^Operating'")).toEqual({
    stdout: "Operating System: Alpine Linux\n",
    stderr: "",
    code: 0,
  });
  expect(await shell(`cd /tmp && /rt ${three.join(" ")}`)).toEqual({ stdout: "", stderr: "", code: 3 });
});

const elsewhere: [string, string][] = [
  ["on a read-only root", 'mount --rbind . .; cd "$PWD"; mount -t tmpfs w w; mount -o remount,bind,ro .'],
  [
    "with noexec on all that is writable, /tmp too",
    "mkdir tmp; mount -t tmpfs -o noexec w tmp; mount -t tmpfs -o noexec w w",
  ],
  ["with nosuid and nodev too", "mount -t tmpfs -o noexec,nosuid,nodev w w"],
];
for (const [where, before] of elsewhere) {
  test(`it runs ${where}`, async () => {
    await using tree = await bareTree();
    await runs(tree, { before });
  });
}

test("TMPDIR may be anything: no file is made in it", async () => {
  await using tree = await bareTree();
  tree.put("file", "");
  mkdirSync(join(tree.dir, "open"), { mode: 0o777 });
  for (const TMPDIR of ["/nonexistent", "/file", "/open", "relative", "/proc/self/fd/0", ""]) {
    await runs(tree, { env: { TMPDIR } });
  }
  expect(readdirSync(join(tree.dir, "open"))).toEqual([]);
  expect(readdirSync(tree.dir).sort()).toEqual(["file", "open", "proc", "rt", "w"]);
});

for (const setting of ["1", "2"]) {
  test(`it runs in an empty root where memory may not be executed: vm.memfd_noexec=${setting}`, async () => {
    await using tree = await bareTree();
    const before = `echo ${setting} > proc/sys/vm/memfd_noexec`;
    const namespaces = ["--pid", "--fork"];
    await runs(tree, { before, namespaces });
    expect(readdirSync(tree.dir).sort()).toEqual(["proc", "rt", "w"]);
    if (setting === "1") return;
    const unwritable = `${before}; mount --rbind . .; cd "$PWD"; mount -t tmpfs w w; mount -o remount,bind,ro .`;
    const { stderr, code } = await tree.rt(three, { before: unwritable, namespaces });
    expect(oneLine(stderr)).toMatch(
      /vm\.memfd_noexec is 2, and none of \S.* takes a file that may be executed: /,
    );
    expect(code).toBe(125);
  });
}

test("/proc that is not mounted is mounted, even where there is no directory for it", async () => {
  await using tree = await bareTree();
  const before = "rmdir proc";
  await runs(tree, { proc: false });
  await runs(tree, { proc: false, before });
  expect(mountPoints().filter((path) => path.startsWith(tree.dir))).toEqual([]);
});

test("without /proc and without the right to mount it: one line that says so", async () => {
  await using tree = await bareTree();
  const through = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"];
  const { stdout, stderr, code } = await tree.rt(["--version"], { proc: false, through });
  expect({ stdout, stderr, code }).toEqual({
    stdout: "",
    stderr: "rt: cannot start: /proc is not mounted, and mounting it: operation not permitted (EPERM)\n",
    code: 125,
  });
});

busyboxTest("a program that rt starts sees nothing of how rt was started: a credential helper", async () => {
  await using tree = await bareTree();
  await using registry = await FakeRegistry.start();
  registry.always(/\/v2\//, (_, wire) => wire.reply(401, { "WWW-Authenticate": 'Basic realm="x"' }));
  tree.put("bin/busybox", readFileSync(tool("busybox")!), 0o755);
  const helper = [
    "#!/bin/busybox sh",
    "/bin/busybox cat /proc/$$/environ > /w/environ",
    "/bin/busybox ls -l /proc/$$/fd > /w/fds",
    "/bin/busybox cat /proc/$$/maps > /w/maps",
    "exit 1",
  ];
  tree.put("bin/docker-credential-spy", `${helper.join("\n")}\n`, 0o755);
  tree.put("w/docker/config.json", JSON.stringify({ credsStore: "spy" }));
  const env = {
    PATH: "/bin",
    DOCKER_CONFIG: "/w/docker",
    BUN_X: "1",
    LD_X: "2",
    TMPDIR: "/w",
    RT_PACKED: "7",
  };
  const { code } = await tree.rt(["pull", "-q", `${registry.host}/team/app:1`], { env });
  expect(code).toBe(125);
  const given = { RT_ROOT: "/w/root", RT_STATE: "/w/state", ...env };
  const wanted = Object.entries(given).map(([name, value]) => `${name}=${value}`);
  expect(readFileSync(join(tree.dir, "w/environ"), "utf8").split("\0").slice(0, -1).sort()).toEqual(
    wanted.sort(),
  );
  const fds = readFileSync(join(tree.dir, "w/fds"), "utf8");
  // From 10 on a shell keeps its own.
  expect(
    [...fds.matchAll(/ (\d+) -> /g)].map(([, number]) => Number(number)).filter((number) => number < 10),
  ).toEqual([0, 1, 2]);
  expect(fds).not.toMatch(/ld\.so|lib\w+\.so|rt-\w+|\/rt$/m);
});

test("nor does the monitor: no variable, no descriptor, no library", async () => {
  await using tree = await bareTree();
  const client = tree.start(["run", "--name", "one", "-q", "embed:hello", "sleep", "1000"], {
    env: { SECRET: "s" },
  });
  const inspect = ["inspect", "-f", "{{.State.Pid}}", "one"];
  const pid = await until("it runs", async () => Number((await tree.rt(inspect)).stdout) || undefined);
  const monitor = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  expect(readFileSync(`/proc/${monitor}/environ`, "utf8")).toBe("");
  const held = readdirSync(`/proc/${monitor}/fd`).map((fd) => readlinkSync(`/proc/${monitor}/fd/${fd}`));
  expect(held.filter((file) => /\.so|memfd:(?!request)|sqlite/.test(file))).toEqual([]);
  // What it becomes in the end.
  expect(held.filter((file) => file.endsWith("/rt"))).toHaveLength(1);
  expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain("SECRET");
  expect(readFileSync(`/proc/${monitor}/maps`, "utf8")).not.toMatch(/\/rt$|\.so/m);
  await tree.ok(["rm", "-f", "one"]);
  await client.exited;
});
