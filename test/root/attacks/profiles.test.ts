/**
 * Filters that deny nearly everything, the engine's own calls among it: a program starts all the same, whoever it runs as, and has
 * no right that its container has not; where it cannot, one line says why.
 */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { facts } from "../../support/probe.ts";
import { rtBinary } from "../../support/rt.ts";

const { test, host } = containerTests();
let counter = 0;

/** The option for a profile that allows these calls alone. */
function only(names: readonly string[], defaultAction = "SCMP_ACT_ERRNO"): string[] {
  const path = join(host().dir, `only-${counter++}.json`);
  const syscalls = [{ names, action: "SCMP_ACT_ALLOW" }];
  writeFileSync(path, JSON.stringify({ defaultAction, syscalls }));
  return ["--security-opt", `seccomp=${path}`];
}

/** What the prober itself takes to say a word and to end. */
const speaking = ["write", "writev", "exit_group"];
const others = [[], ["-u", "app"], ["--security-opt", "no-new-privileges"], ["--cap-add", "SYS_ADMIN"]];
const say = [image, "probe", "args"];
const said = "arg 0 probe\narg 1 args\n";

test("a profile that allows execve and no call of the engine's starts a program, whoever it runs as", async () => {
  for (const more of others) {
    const { stdout, stderr, code } = await host().rt([
      ...["run", "--rm", ...more, ...only(["execve", ...speaking]), ...say],
    ]);
    expect([more, stdout, stderr, code]).toEqual([more, said, "", 0]);
  }
});

test("one that ends whoever calls anything else ends the program, and not its start", async () => {
  const { stdout, code } = await host().rt([
    "run",
    "--rm",
    ...only(["execve"], "SCMP_ACT_KILL_PROCESS"),
    ...say,
  ]);
  expect([stdout, code]).toEqual(["", 128 + 31]);
});

test("where execve is not allowed nothing starts, and a line says so", async () => {
  for (const action of ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"]) {
    for (const more of others) {
      const answer = await host().rt([
        "run",
        "--rm",
        "--name",
        "none",
        ...more,
        ...only(speaking, action),
        ...say,
      ]);
      expect(answer).toMatchObject({ stdout: "", code: 126 });
      expect(oneLine(answer.stderr)).toContain(
        "exec: the seccomp profile does not allow execve, so that nothing can start",
      );
    }
  }
});

test("what fails behind the filter is told as ever", async () => {
  const script = "echo nothing > /tmp/odd && chmod 755 /tmp/odd";
  await using container = await running(host(), ["sh", "-c", `${script} && echo made && sleep 1000`], []);
  await container.client.stdout.waitFor("made");
  await host().ok(["commit", container.name, "odd"]);
  for (const more of others) {
    const answer = await host().rt([
      "run",
      "--rm",
      ...more,
      ...only(["execve", ...speaking]),
      "odd",
      "/tmp/odd",
    ]);
    expect(answer).toMatchObject({ stdout: "", code: 126 });
    expect(oneLine(answer.stderr)).toContain('exec: "/tmp/odd": exec format error');
  }
});

test("what needs more than execve to be started names the call that is missing", async () => {
  const why =
    "the seccomp profile does not allow capset, which exec, --init, hooks and a shared pid namespace need to start a program";
  const waiting = [
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigtimedwait",
    "nanosleep",
    "clock_nanosleep",
    "pause",
  ];
  const profile = only(["execve", ...speaking, ...waiting]);
  await using container = await running(host(), ["probe", "sleep", "1000"], profile);
  const shared = ["run", "--rm", "--pid", `container:${container.name}`, ...profile, ...say];
  for (const args of [
    ["exec", container.name, "probe", "args"],
    shared,
    ["run", "--rm", "--init", ...profile, ...say],
  ]) {
    const answer = await host().rt(args);
    expect([args[0], answer.stdout, answer.code]).toEqual([args[0], "", 125]);
    expect(oneLine(answer.stderr)).toEndWith(why);
  }
});

test("a profile under which the start would be interrupted for ever ends it", async () => {
  const path = join(host().dir, "interrupted.json");
  // By the length that is asked for: whoever only asks about the call is told that it is allowed.
  const args = [{ index: 2, value: 16, op: "SCMP_CMP_EQ" }];
  const interrupted = { names: ["recvfrom"], action: "SCMP_ACT_ERRNO", errnoRet: 4, args };
  writeFileSync(path, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [interrupted] }));
  const answer = await host().rt(["run", "--rm", "--init", "--security-opt", `seccomp=${path}`, ...say]);
  expect([answer.stdout, answer.code]).toEqual(["", 125]);
  oneLine(answer.stderr);
});

test("nothing of what loading the filter takes is left to the program", async () => {
  const caps = async (args: string[]) => {
    const all = facts(await host().ok([...args, "probe", "caps"]));
    return [...all].filter(([name]) => name.startsWith("Cap"));
  };
  for (const more of [[], ["-u", "app"], ["--cap-drop", "ALL"], ["--init"], ["-u", "app", "--init"]]) {
    const [filtered, free] = await Promise.all([
      caps(["run", "--rm", ...more, image]),
      caps(["run", "--rm", "--security-opt", "seccomp=unconfined", ...more, image]),
    ]);
    expect([more, filtered]).toEqual([more, free]);
    expect(filtered.join()).not.toContain("sys_admin");
  }
});

/** Runs its arguments where seccomp(2) does not exist, as in a kernel without filters. */
const without = `
import ctypes, os, struct, sys
number = 277 if os.uname().machine == "aarch64" else 317
code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50000 | 38), (6, 0, 0, 0x7fff0000)]
text = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *each) for each in code))
program = struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(text))
if ctypes.CDLL(None, use_errno=True).prctl(22, 2, program, 0, 0): sys.exit("prctl")
os.execv(sys.argv[1], sys.argv[1:])
`;

test("a kernel without filters: told once where one was a default, an error where it was asked for", async () => {
  const rt = async (args: string[]) => {
    const command = ["python3", "-c", without, rtBinary, ...args];
    const child = Bun.spawn(command, { env: host().env, stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { stdout, stderr, code: await child.exited };
  };
  const answer = await rt(["run", "--rm", ...say]);
  expect(answer).toMatchObject({ stdout: said, code: 0 });
  expect(oneLine(answer.stderr)).toContain(
    "this kernel has no filters of system calls: the container runs without",
  );
  const asked = await rt(["run", "--rm", ...only(["execve"]), ...say]);
  expect(asked).toMatchObject({ stdout: "", code: 125 });
  expect(oneLine(asked.stderr)).toContain("this kernel has no filters of system calls, as a profile needs");
  expect(await rt(["run", "--rm", "--security-opt", "seccomp=unconfined", ...say])).toMatchObject({
    stderr: "",
    code: 0,
  });
});
