/** Whatever is wrong: one line on stderr that names what and why, the right status, no stack trace, nothing left behind. */
import { expect } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { run as tool } from "../support/command.ts";
import { helloLayout } from "../support/images.ts";
import { withoutUserNamespaces } from "../support/no-user-namespaces.ts";
import { ordinaryUser } from "../support/ordinary-user.ts";
import { containerTests, image, oneLine } from "./world.ts";

const { test, host } = containerTests();

interface Row {
  args: string[];
  line: RegExp;
  code?: number;
}

const none = `sha256:${"0".repeat(64)}`;

const rows: Row[] = [
  // References
  { args: ["run", "--rm", "UPPER", "true"], line: /UPPER/ },
  { args: ["run", "--rm", "a b", "true"], line: /"a b"|a b/ },
  { args: ["run", "--rm", "", "true"], line: /IMAGE|reference|empty/i },
  { args: ["run", "--rm", "name:tag:more", "true"], line: /tag:more/ },
  { args: ["run", "--rm", "busybox@sha256:abc", "true"], line: /sha256:abc/ },
  { args: ["run", "--rm", `busybox@md5:${"0".repeat(32)}`, "true"], line: /md5/ },
  { args: ["run", "--rm", "--pull", "never", `${image}@${none}`, "true"], line: /0000000/ },
  { args: ["run", "--rm", "embed:nosuch", "true"], line: /nosuch/ },
  { args: ["run", "--rm", "oci:/no/such/dir", "true"], line: /\/no\/such\/dir/ },
  { args: ["run", "--rm", "docker-archive:/no/such/file", "true"], line: /\/no\/such\/file/ },
  { args: ["pull", "-q", "oci-archive:/etc/passwd"], line: /\/etc\/passwd/ },
  { args: ["pull", "-q", `oci:/etc`], line: /\/etc/ },
  // Platforms
  { args: ["run", "--rm", "--pull", "never", "--platform", "plan9/mips", image, "true"], line: /plan9/ },
  { args: ["run", "--rm", "--platform", "a/b/c/d", image, "true"], line: /a\/b\/c\/d/ },
  { args: ["run", "--rm", "--platform", "linux/nosuch", "embed:hello"], line: /linux\/nosuch/ },
  // Flags and arguments
  { args: ["run"], line: /IMAGE/ },
  { args: ["run", "--rm"], line: /IMAGE/ },
  { args: ["run", "--nosuch", image], line: /--nosuch/ },
  { args: ["run", "--interactve", image], line: /--interactive/ },
  { args: ["run", "-Z", image], line: /-Z/ },
  { args: ["run", "--name"], line: /--name/ },
  { args: ["run", "--rm=maybe", image], line: /maybe/ },
  { args: ["rn", image], line: /unknown command "rn".*"run"|"rm"/ },
  { args: ["image", "nosuch"], line: /image nosuch/ },
  { args: ["exec"], line: /CONTAINER/ },
  { args: ["exec", "name"], line: /COMMAND/ },
  { args: ["kill"], line: /CONTAINER/ },
  { args: ["inspect"], line: /NAME/ },
  { args: ["pull"], line: /REF|IMAGE|NAME/ },
  { args: ["pull", "a", "b"], line: /b/ },
  { args: ["run", "--memory", "lots", image], line: /--memory "lots"/ },
  { args: ["run", "--cgroup-parent", "/a/../b", image], line: /--cgroup-parent .*leads out/ },
  { args: ["run", "--gpus", "some", image], line: /invalid --gpus "some": the count is all or a number$/ },
  { args: ["run", "--network", "a/b", image], line: /a\/b/ },
  { args: ["run", "--network", "nosuch", image], line: /network nosuch not found/ },
  { args: ["run", "--network", "bridge", "--ip", "1.2.3", image], line: /1\.2\.3/ },
  { args: ["run", "--network", "bridge", "--mac-address", "01:00:00:00:00:00", image], line: /01:00/ },
  { args: ["run", "--network", "none", "--ip", "10.1.0.2", image], line: /no network/ },
  {
    args: ["run", "--network", "none", "--add-host", "a:host-gateway", image],
    line: /host-gateway.*--network/,
  },
  // Values
  { args: ["run", "--name", "-bad", image, "true"], line: /-bad/ },
  { args: ["run", "--name", "a/b", image, "true"], line: /a\/b/ },
  { args: ["run", "--rm", "-v", "relative:path", image, "true"], line: /path/ },
  { args: ["run", "--rm", "--ulimit", "nofile", image, "true"], line: /nofile/ },
  { args: ["run", "--rm", "--ulimit", "nosuch=1", image, "true"], line: /nosuch/ },
  { args: ["run", "--rm", "--ulimit", "nofile=5:4", image, "true"], line: /nofile=5:4/ },
  { args: ["run", "--rm", "--ulimit", "nofile=x", image, "true"], line: /nofile=x/ },
  { args: ["run", "--rm", "--sysctl", "vm.swappiness=1", image, "true"], line: /vm\.swappiness/ },
  { args: ["run", "--rm", "--sysctl", "kernel.nosuch", image, "true"], line: /kernel\.nosuch/ },
  { args: ["run", "--rm", "--shm-size", "0", image, "true"], line: /--shm-size/ },
  { args: ["run", "--rm", "--shm-size", "lots", image, "true"], line: /lots/ },
  { args: ["run", "--rm", "--cap-add", "NOSUCH", image, "true"], line: /NOSUCH/ },
  {
    args: ["run", "--rm", "--cap-add", "NET_ADIMN", image, "true"],
    line: /--cap-add.*did you mean NET_ADMIN\?/,
  },
  {
    args: ["run", "--rm", "--cap-add", "kill", "--cap-drop", "CAP_KILL", image, "true"],
    line: /--cap-add and --cap-drop both name CAP_KILL/,
  },
  { args: ["run", "--rm", "--cap-add", "all", "--cap-drop", "ALL", image, "true"], line: /both name ALL/ },
  {
    args: ["run", "--rm", "--network", "host", "--sysctl", "net.core.somaxconn=1", image, "true"],
    line: /net\.core\.somaxconn.*host network namespace/,
  },
  {
    args: ["run", "--rm", "--ipc", "host", "--sysctl", "kernel.msgmax=1", image, "true"],
    line: /kernel\.msgmax.*host ipc namespace/,
  },
  ...[
    ["apparmor=nosuch", /apparmor=nosuch: AppArmor/],
    ["label=type:nosuch_t", /label=type:nosuch_t: SELinux/],
    ["label=nosuch", /label=nosuch.*want disable, or user:/],
    ["label=level:s0 x", /"s0 x" is no level/],
    ["label=nested", /label=nested.*no SELinux within/],
    ["apparmor=a b", /want unconfined or a profile's name/],
    ["landlock=maybe", /landlock=maybe.*want unconfined or builtin/],
    ["mask=relative", /mask=relative.*want absolute paths/],
    ["mask=/", /mask=\/.*the whole file tree/],
    ["mask=/etc/hosts:/proc/..", /mask=.*the whole file tree/],
    ["unmask=/proc/[", /unmask=.*is no pattern/],
    ["unmask=SOME", /unmask=SOME.*want absolute paths/],
    ["systempaths=maybe", /systempaths=maybe.*want confined or unconfined/],
  ].map(([option, line]) => ({
    args: ["run", "--rm", "--security-opt", option as string, image, "true"],
    line: line as RegExp,
  })),
  { args: ["run", "--rm", "--stop-signal", "NOSUCH", image, "true"], line: /NOSUCH/ },
  { args: ["run", "--rm", "--add-host", "name", image, "true"], line: /name/ },
  { args: ["run", "--rm", "--add-host", "name:999.1.1.1", image, "true"], line: /999/ },
  { args: ["run", "--rm", "--add-host", "a\nb:1.1.1.1", image, "true"], line: /--add-host/ },
  { args: ["run", "--rm", "--dns", "nosuch", image, "true"], line: /nosuch/ },
  { args: ["run", "--rm", "-h", "a b", image, "true"], line: /--hostname/ },
  { args: ["run", "--rm", "-h", "x".repeat(65), image, "true"], line: /--hostname/ },
  { args: ["run", "--rm", "-w", "relative", image, "true"], line: /--workdir.*absolute/ },
  { args: ["run", "--rm", "-e", "=x", image, "true"], line: /=x/ },
  { args: ["run", "--rm", "--env-file", "/no/such", image, "true"], line: /\/no\/such/ },
  { args: ["run", "--rm", "--device", "relative", image, "true"], line: /relative/ },
  { args: ["run", "--rm", "--security-opt", "nosuch", image, "true"], line: /nosuch/ },
  { args: ["run", "--rm", "--pull", "sometimes", image, "true"], line: /sometimes/ },
  { args: ["run", "--rm", "--detach-keys", "ctrl-1", image, "true"], line: /ctrl-1/ },
  { args: ["run", "--rm", "--cidfile", "/no/such/dir/file", image, "true"], line: /\/no\/such\/dir\/file/ },
  { args: ["run", "--rm", "--group-add", "nosuch", image, "true"], line: /nosuch/, code: 125 },
  { args: ["--root", "relative", "ps"], line: /--root/ },
  { args: ["--config", "/no/such/config", "ps"], line: /\/no\/such\/config/ },
  { args: ["--storage-driver", "nosuch", "ps"], line: /nosuch/ },
  { args: ["--log-level", "loud", "ps"], line: /loud/ },
  // Names
  { args: ["attach", "nosuch"], line: /No such container: nosuch/, code: 1 },
  { args: ["rmi", "nosuch"], line: /nosuch/, code: 1 },
  { args: ["ps", "--filter", "x"], line: /--filter/ },
];

for (const { args, line, code = 125 } of rows) {
  test(`${JSON.stringify(args.map((word) => word.slice(0, 40)).join(" "))} -> ${code}`, async () => {
    const result = await host().rt(args);
    const said = oneLine(result.stderr.replace(/^Unable to find image '.*' locally\n/, ""));
    expect(said).toMatch(line);
    expect(said.length).toBeLessThan(500);
    expect([result.stdout, result.code]).toEqual(["", code]);
  });
}

test("a registry that nobody listens for", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  for (const args of [
    ["pull", "-q"],
    ["run", "--rm", "-q"],
  ]) {
    const { stderr, code } = await host().rt([...args, `127.0.0.1:${port}/nosuch:1`]);
    expect(oneLine(stderr)).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}.*refused`));
    expect(code).toBe(125);
  }
});

test("a NUL can not come; a newline in a name is shown escaped, on one line", async () => {
  const { stderr } = await host().rt(["run", "--rm", "--name", "a\nb\x1b[31m", image, "true"]);
  expect(oneLine(stderr)).not.toContain("\x1b");
});

test("a full disk: a clear line, nothing committed, and room again", async () => {
  const root = join(host().dir, "small");
  mkdirSync(root);
  await tool(["mount", "-t", "tmpfs", "-o", "size=1m", "small", root]);
  try {
    const layout = await helloLayout();
    writeFileSync(join(root, "filler"), new Uint8Array(860 << 10));
    const { stderr, code } = await host().rt(["--root", root, "pull", "-q", `oci:${layout}`]);
    expect(oneLine(stderr)).toMatch(/no space|ENOSPC|full/i);
    expect(code).toBe(125);
    await tool(["rm", join(root, "filler")]);
    await host().ok(["--root", root, "pull", "-q", `oci:${layout}`]);
    expect(
      await host().ok(["--root", root, "run", "--rm", "--pull", "never", "localhost/layout", "exit", "0"]),
    ).toBe("");
  } finally {
    await tool(["umount", root]);
  }
});

test("a read-only --root", async () => {
  const root = join(host().dir, "locked");
  mkdirSync(root);
  await tool(["mount", "-t", "tmpfs", "-o", "ro", "locked", root]);
  try {
    for (const args of [["pull", "-q", "embed:hello"], ["run", "--rm", "-q", "embed:hello"], ["ps"]]) {
      const { stderr, code } = await host().rt(["--root", root, ...args]);
      expect(oneLine(stderr)).toMatch(/read-only|EROFS|readonly/i);
      expect([args, code]).toEqual([args, 125]);
    }
    expect(readdirSync(root)).toEqual([]);
  } finally {
    await tool(["umount", root]);
  }
});

test("a read-only --state, and one that is a file", async () => {
  const file = join(host().dir, "a-file");
  writeFileSync(file, "");
  const { stderr, code } = await host().rt(["--state", file, "run", "--rm", image, "true"]);
  expect(oneLine(stderr)).toContain(file);
  expect(code).toBe(125);
});

test("not root, where nobody may have a user namespace: each command that needs one says so, and touches nothing", async () => {
  await using user = await ordinaryUser();
  await using place = await withoutUserNamespaces();
  for (const args of [
    ["run", "--rm", image, "true"],
    ["exec", "x", "true"],
    ["kill", "x"],
    ["rm", "x"],
    ["pull", "x"],
    ["attach", "x"],
    ["pack", "-o", "app", image],
  ]) {
    const { stdout, stderr, code } = await user.rt(args, { front: place.front });
    expect(oneLine(stderr)).toBe(
      "an ordinary user's containers need a user namespace, and they are switched off by user.max_user_namespaces: " +
        "sudo sysctl -w user.max_user_namespaces=28633 (ENOSPC)",
    );
    expect([stdout, code]).toEqual(["", 125]);
  }
  expect(readdirSync(user.home)).toEqual([]);
});
