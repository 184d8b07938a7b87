/** What an ordinary user's command does before anything else: it finds his namespace, or makes it. */
import { expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { busyboxLayout } from "../support/images.ts";
import { type OrdinaryUser, ordinaryUser } from "../support/ordinary-user.ts";
import { needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { image, oneLine } from "./world.ts";

const { test } = needs({ root: true, tools: ["newuidmap", "setpriv"] });

const hello = ["run", "--rm", "-q", "--network", "none", "embed:hello"];

function holderFile(user: OrdinaryUser): string {
  return join(user.runtime, "rt/holder");
}

function holderOf(user: OrdinaryUser): { pid: number; command: string } {
  const found = user.processes().filter(({ command }) => command === "rt-holder");
  if (found.length !== 1) throw new Error(`${found.length} holders`);
  return found[0]!;
}

const mapped = (user: OrdinaryUser) => `uid_map 0 ${user.uid} 1\nuid_map 1 ${user.firstSubordinate} 65536\n`;

test("an ordinary user runs a container; his first command makes a holder, and the next finds it", async () => {
  await using user = await ordinaryUser();
  const first = await user.rt([...hello, "ids"]);
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(first.stdout).toContain(mapped(user));
  const holder = holderOf(user);
  const second = await user.rt([...hello, "ids"]);
  expect(second).toMatchObject({ code: 0, stderr: "", stdout: first.stdout });
  await until("only the holder is left", () => user.processes().length === 1);
  expect(user.processes()).toEqual([holder]);
});

test("two first commands at once make one holder", async () => {
  await using user = await ordinaryUser();
  const results = await Promise.all([1, 2, 3, 4].map(() => user.rt([...hello, "ids"])));
  for (const { code, stdout } of results)
    expect([code, stdout]).toEqual([0, expect.stringContaining(mapped(user))]);
  await until("only the holder is left", () => user.processes().length === 1);
  expect(holderOf(user)).toEqual(user.processes()[0]!);
});

test("a command that begins anew keeps its words, variables, descriptors and directory", async () => {
  await using user = await ordinaryUser();
  const words = Array.from({ length: 3000 }, (_, index) => `word ${index} ä`);
  const { stdout, stderr, code } = await user.rt(
    ["unshare", "sh", "-c", 'printf "%s\\n" "$@"; env; pwd; cat', "-", ...words],
    {
      env: { BUN_BE_BUN: "1", LD_PRELOAD: "", EMPTY: "" },
      stdin: "from stdin",
      cwd: user.runtime,
    },
  );
  expect([stderr, code]).toEqual(["", 0]);
  const text = words.map((word) => `${word}\n`).join("");
  expect(stdout.slice(0, text.length) === text).toBe(true);
  for (const line of ["BUN_BE_BUN=1", "EMPTY=", `RT_ROOTLESS=${user.uid}:${user.gid}`, user.runtime])
    expect([line, stdout.slice(text.length).split("\n").includes(line)]).toEqual([line, true]);
  expect([stdout.includes("RT_HOLDER"), stdout.endsWith("\nfrom stdin")]).toEqual([false, true]);
}, 240_000);

test("rt --version, help and completion make no holder", async () => {
  await using user = await ordinaryUser();
  for (const words of [
    ["--version"],
    ["--help"],
    ["run", "--help"],
    ["completion", "bash"],
    ["ps"],
    ["images"],
  ])
    expect(await user.rt(words)).toMatchObject({ code: 0, stderr: "" });
  expect(user.processes()).toEqual([]);
});

test("the holder has nothing open, no terminal, no group, and is not to be looked into", async () => {
  await using user = await ordinaryUser();
  await using terminal = user.pty([...hello, "ids"]);
  await terminal.exited;
  const { pid } = holderOf(user);
  const at = (name: string) => readFileSync(`/proc/${pid}/${name}`, "utf8");
  await until(
    "its descriptors are closed",
    async () => (await Bun.file(`/proc/${pid}/fd/0`).exists()) === false,
  );
  const { stdout } = Bun.spawnSync(["ls", `/proc/${pid}/fd`]);
  expect(stdout.toString()).toBe("");
  const [, session, , terminalNumber] = at("stat")
    .replace(/^.*\) \S+ \d+ /s, "")
    .split(" ")
    .map(Number);
  expect([session, terminalNumber]).not.toContain(process.pid);
  expect(at("status")).toMatch(/^Groups:\s*$/m);
  expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
  expect(at("environ")).toBe("");
  // Not the user himself, outside of the namespace: the memory is of what is inside.
  const looked = await user.run(["cat", `/proc/${pid}/maps`]);
  expect(looked.stdout.length < 4000).toBe(true);
  expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(at("status"))![1])).toBeLessThan(64);
  for (const signal of ["HUP", "INT", "QUIT"]) await user.run(["kill", `-${signal}`, String(pid)]);
  expect((await user.rt([...hello, "ids"])).code).toBe(0);
  expect(holderOf(user).pid).toBe(pid);
});

test("a holder that died: the next one holds the namespace of the containers that live", async () => {
  await using user = await ordinaryUser();
  await user.ok(["run", "-d", "-q", "--name", "lives", "--network", "none", "embed:hello", "sleep", "1000"]);
  const before = holderOf(user).pid;
  const namespace = readlinkSync(`/proc/${before}/ns/user`);
  process.kill(before, "SIGKILL");
  await until("it is gone", () => user.processes().every(({ command }) => command !== "rt-holder"));
  const { stdout } = await user.rt(["exec", "lives", "/probe", "ids"]);
  expect(stdout).toContain(mapped(user));
  const after = holderOf(user).pid;
  expect(after).not.toBe(before);
  expect(readlinkSync(`/proc/${after}/ns/user`)).toBe(namespace);
  const refused = await user.rt(["system", "migrate"]);
  expect([oneLine(refused.stderr), refused.code]).toEqual([
    expect.stringMatching(/^(a container runs|2 containers)/),
    125,
  ]);
  await user.ok(["rm", "-f", "lives"]);
  await until("only the holder is left", () => user.processes().length === 1);
  expect(await user.ok(["system", "migrate"])).toBe("your next command begins anew\n");
  await until("it has ended", () => user.processes().length === 0);
  expect(await user.ok(["system", "migrate"])).toBe("there was nothing to end\n");
}, 240_000);

test("a file that names what is no holder of his is passed by", async () => {
  await using user = await ordinaryUser();
  await using other = await ordinaryUser();
  await other.rt([...hello, "ids"]);
  await user.rt([...hello, "ids"]);
  const own = readFileSync(holderFile(user), "utf8");
  const foreign = readFileSync(holderFile(other), "utf8");
  const [pid, start, boot] = own.trim().split(" ");
  const mine = holderOf(user).pid;
  const give = (text: string, owner = user.uid) => {
    rmSync(holderFile(user), { force: true });
    writeFileSync(holderFile(user), text, { mode: 0o600 });
    chownSync(holderFile(user), owner, owner);
  };
  for (const text of [
    foreign, // another user's namespace
    `1 ${start} ${boot}\n`, // a process of the host's
    `${pid} ${Number(start) + 1} ${boot}\n`, // a number that is another's now
    `${pid} ${start} 00000000-0000-0000-0000-000000000000\n`, // another boot
    `${process.pid} 1 ${boot}\n`,
    "x".repeat(5000),
    "",
  ]) {
    give(text);
    const { stdout, code, stderr } = await user.rt([...hello, "ids"]);
    expect([text.slice(0, 20), code, stderr]).toEqual([text.slice(0, 20), 0, ""]);
    expect(stdout).toContain(mapped(user));
    for (const { pid: each, command } of user.processes())
      if (command === "rt-holder" && each !== mine) process.kill(each, "SIGKILL");
  }
  // One that somebody else owns, and links.
  give(own, other.uid);
  expect((await user.rt([...hello, "ids"])).stdout).toContain(mapped(user));
  rmSync(holderFile(user), { force: true });
  symlinkSync(holderFile(other), holderFile(user));
  expect((await user.rt([...hello, "ids"])).stdout).toContain(mapped(user));
  for (const { pid: each, command } of user.processes())
    if (command === "rt-holder") process.kill(each, "SIGKILL");
}, 240_000);

test("/tmp/rt-UID of somebody else's is not used; one of his own is made", async () => {
  await using user = await ordinaryUser();
  await using other = await ordinaryUser();
  // What is behind another's directory cannot even be looked at.
  mkdirSync(join(other.runtime, "deep"));
  const env = { XDG_RUNTIME_DIR: join(other.runtime, "deep") };
  const place = `/tmp/rt-${user.uid}`;
  try {
    for (const prepare of [
      () => {
        mkdirSync(place, { mode: 0o755 });
        chownSync(place, other.uid, other.uid);
      },
      () => {
        mkdirSync(place);
        chownSync(place, user.uid, user.uid);
        chmodSync(place, 0o777);
      },
      () => symlinkSync(user.runtime, place),
    ]) {
      prepare();
      const { stderr, code } = await user.rt([...hello, "ids"], { env });
      expect(oneLine(stderr)).toStartWith(
        "there is no directory for what runs: XDG_RUNTIME_DIR names none of yours",
      );
      expect(code).toBe(125);
      expect(user.processes()).toEqual([]);
      rmSync(place, { recursive: true });
    }
    const made = await user.rt([...hello, "ids"], { env });
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(readFileSync(`${place}/rt/holder`, "utf8")).toStartWith(`${holderOf(user).pid} `);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}, 240_000);

test("what rt has here is told before anything was run", async () => {
  await using user = await ordinaryUser();
  expect(await user.ok(["info", "-f", "{{.Driver}}"])).toBe("overlay\n");
});

test("RT_ROOTLESS and RT_HOLDER are nobody's to give", async () => {
  await using user = await ordinaryUser();
  const format = ["info", "-f", "{{.SecurityOptions}} {{.DockerRootDir}}"];
  for (const env of [
    { RT_ROOTLESS: "0:0" },
    { RT_ROOTLESS: "1:1" },
    { RT_HOLDER: "1" },
    { RT_ROOTLESS: "x" },
  ]) {
    const { stdout, code } = await user.rt([...hello, "ids"], { env });
    expect([code, stdout]).toEqual([0, expect.stringContaining(mapped(user))]);
    expect(await user.ok(format, { env })).toContain(
      `name=rootless name=cgroupns] ${user.home}/.local/share/rt`,
    );
  }
  // Root, who is told that he is somebody.
  const root = Bun.spawnSync(
    [user.binary, "--root", join(user.dir, "root"), "--state", join(user.dir, "state"), ...format],
    {
      env: { ...user.env, RT_ROOTLESS: `${user.uid}:${user.gid}`, RT_HOLDER: "1" },
    },
  );
  expect([root.exitCode, root.stdout.toString()]).toEqual([0, expect.not.stringContaining("rootless")]);
});

test("unshare: as root in there, with mounts of its own, and its status", async () => {
  await using user = await ordinaryUser();
  const script =
    "id -u; mount -t tmpfs none /mnt && stat -f -c %T /mnt; touch $HOME/x && chown 5:6 $HOME/x; exit 7";
  const { stdout, stderr, code } = await user.rt(["unshare", "sh", "-c", script]);
  expect([stdout, stderr, code]).toEqual(["0\ntmpfs\n", "", 7]);
  const first = user.firstSubordinate!;
  expect(Bun.spawnSync(["stat", "-c", "%u:%g", join(user.home, "x")]).stdout.toString()).toBe(
    `${first + 4}:${first + 5}\n`,
  );
  expect(await user.ok(["unshare", "stat", "-c", "%u:%g", join(user.home, "x")])).toBe("5:6\n");
  expect(await user.ok(["unshare"], { env: { SHELL: "/bin/pwd" } })).toBe(`${user.home}\n`);
  const missing = await user.rt(["unshare", "no-such-program"]);
  expect([oneLine(missing.stderr), missing.code]).toEqual([
    "no-such-program is not there, or not in PATH",
    127,
  ]);
  const notProgram = await user.rt(["unshare", "/etc/passwd"]);
  expect([oneLine(notProgram.stderr), notProgram.code]).toEqual([
    "cannot execute /etc/passwd: Permission denied (EACCES)",
    126,
  ]);
  const root = Bun.spawnSync([user.binary, "unshare", "true"], { env: { PATH: user.env.PATH! } });
  expect([root.stderr.toString(), root.exitCode]).toEqual([
    "rt: unshare is for ordinary users: root sees the files as they are\n",
    125,
  ]);
}, 240_000);

test("no HOME, and one that is not his: nothing is begun, and nothing else is said", async () => {
  await using user = await ordinaryUser({ subordinates: false });
  await using other = await ordinaryUser();
  for (const [home, words] of [
    ["", "HOME is not set"],
    ["relative", "HOME is not set"],
    [other.home, `HOME is ${other.home}, which is not there, or not yours to enter (sudo -H, su -)`],
    ["/no/such", "HOME is /no/such, which is not there"],
  ] as const) {
    const { stderr, code } = await user.rt([...hello, "ids"], { env: { HOME: home } });
    expect([oneLine(stderr), code]).toEqual([expect.stringContaining(words), 125]);
  }
  expect(user.processes()).toEqual([]);
});

test("without subordinate ids he is told once how to get some", async () => {
  await using user = await ordinaryUser({ subordinates: false });
  const first = await user.rt(["unshare", "cat", "/proc/self/uid_map"]);
  expect(first.stdout.trim().split(/\s+/)).toEqual(["0", String(user.uid), "1"]);
  expect(oneLine(first.stderr)).toContain(`sudo usermod --add-subuids `);
  const second = await user.rt(["unshare", "true"]);
  expect(second).toMatchObject({ stderr: "", code: 0 });
  // He sees no owner of newuidmap from in there, and it is as it should be.
  const { stdout } = await user.rt(["system", "check"]);
  expect(stdout).toContain("you have no subordinate uids");
  expect(stdout).not.toContain("newuidmap: has lost its rights");
});

test("a runtime directory of his that lies in /tmp is as good as another", async () => {
  await using user = await ordinaryUser();
  const own = mkdtempSync("/tmp/rt-test-");
  await using _ = { [Symbol.asyncDispose]: async () => rmSync(own, { recursive: true, force: true }) };
  chownSync(own, user.uid, user.gid);
  const { stdout } = await user.rt(["system", "check"], { env: { XDG_RUNTIME_DIR: own } });
  expect(stdout).not.toContain("XDG_RUNTIME_DIR");
});

test("an app that was packed runs as him, and init is root's", async () => {
  await using user = await ordinaryUser();
  await user.ok(["pull", "-q", "embed:hello"]);
  const app = join(user.home, "app");
  await user.ok(["pack", "-o", app, "--network", "none", "embed:hello"]);
  await user.rt(["system", "migrate"]);
  const { stdout, stderr, code } = await user.run([app, "ids"]);
  expect([stderr, code]).toEqual(["", 0]);
  expect(stdout).toContain(mapped(user));
  const init = await user.rt(["init"]);
  expect([oneLine(init.stderr), init.code]).toEqual(['init needs root: run "sudo rt init …"', 125]);
}, 240_000);

test("with one id an exec has what a run has, and is told who is not there", async () => {
  await using user = await ordinaryUser({ subordinates: false });
  await user.ok(["run", "-d", "-q", "--name", "alone", "--network", "none", "embed:hello", "sleep", "1000"]);
  const inside = await user.rt(["exec", "alone", "/probe", "ids"]);
  expect([inside.stderr, inside.code]).toEqual(["", 0]);
  expect(inside.stdout).toContain(`uid_map 0 ${user.uid} 1\n`);
  const nobody = await user.rt(["exec", "--user", "5:5", "alone", "/probe", "ids"]);
  expect(oneLine(nobody.stderr)).toStartWith(
    `gid 5 is nobody in the container's user namespace, whose gid_map is 0 ${user.gid} 1: map it`,
  );
  await user.ok(["rm", "-f", "alone"]);
  const kept = ["run", "--rm", "--network", "none", "--userns"];
  const refused = await user.rt([...kept, "keep-id", "embed:hello", "ids"]);
  expect([oneLine(refused.stderr), refused.code]).toEqual([
    expect.stringMatching(/^--userns keep-id needs subordinate ids: .*, or leave it out: /),
    125,
  ]);
  expect(await user.ok([...kept, "keep-id:uid=0,gid=0", "embed:hello", "ids"])).toContain("uid_map 0 0 1\n");
});

test("keep-groups: groups that have no number in there are kept", async () => {
  await using user = await ordinaryUser();
  const group = user.gid + 100_000;
  const run = (flags: string[]) =>
    Bun.spawnSync(
      [
        "setpriv",
        `--reuid=${user.uid}`,
        `--regid=${user.gid}`,
        `--groups=${group}`,
        "--",
        user.binary,
      ].concat([
        "run",
        "--rm",
        "-q",
        "--network",
        "none",
        ...flags,
        "-v",
        `${user.home}:/x`,
        "embed:hello",
        "ids",
      ]),
      { env: user.env, cwd: user.home },
    ).stdout.toString();
  // nobody's number, as it is seen from inside
  expect(run(["--group-add", "keep-groups"])).toContain("groups 65534");
  expect(run([])).toContain("groups 0\n");
}, 240_000);

test("a command with another XDG_RUNTIME_DIR has the containers that run, and none of them runs twice", async () => {
  await using user = await ordinaryUser();
  const layout = join(user.home, "layout");
  await run(["cp", "-r", await busyboxLayout(), layout]);
  await run(["chown", "-R", `${user.uid}:${user.gid}`, layout]);
  await user.ok(["pull", "-q", `oci:${layout}`]);
  const elsewhere = join(user.dir, "elsewhere");
  mkdirSync(elsewhere, { mode: 0o700 });
  chownSync(elsewhere, user.uid, user.gid);
  const env = { XDG_RUNTIME_DIR: elsewhere };
  const running = () => user.processes().filter(({ command }) => command.startsWith("sleep")).length;
  const flags = ["-d", "--network", "none"];
  await user.ok(["run", ...flags, "--name", "lasting", image, "sleep", "1000"]);
  expect(await user.ok(["ps", "--format", "{{.Names}}"], { env })).toBe("lasting\n");
  expect(await user.ok(["exec", "lasting", "id", "-u"], { env })).toBe("0\n");
  await user.ok(["start", "lasting"], { env });
  expect(running()).toBe(1);
  await user.ok(["rm", "-f", "lasting"], { env });
  await until("it has ended", () => running() === 0);
  await user.ok(["run", ...flags, "--name", "lasting", image, "sleep", "1000"], { env });
  expect(await user.ok(["ps", "--format", "{{.Names}}"])).toBe("lasting\n");
  const third = ["--state", join(user.home, "third"), "run", ...flags, image, "sleep", "1000"];
  const refused = await user.rt(third);
  expect([refused.code, oneLine(refused.stderr)]).toEqual([
    125,
    expect.stringContaining(`run with the state directory ${elsewhere}/rt, and this one would with`),
  ]);
  await user.ok(["rm", "-f", "lasting"]);
}, 120_000);
