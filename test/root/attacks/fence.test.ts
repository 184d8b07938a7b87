/**
 * The default filter of system calls: no namespaces, no mounts, no keyrings for a container that has no business with them,
 * asked natively and by a program for i386, by run and by exec.
 */
import { expect } from "bun:test";
import { containerTests, image, running } from "../../cli/world.ts";
import { run } from "../../support/command.ts";
import { facts } from "../../support/probe.ts";
import { programTargets as targets, zigProgram } from "../../support/zig-program.ts";

const { test, host } = containerTests();

/** In one directory for each architecture whose programs run here. */
const programs = () => zigProgram("fence", targets);

const keyrings = ["add_key", "request_key", "keyctl"];
const mounts = ["mount", "umount2", "fsopen", "fsconfig", "fsmount", "fspick"].concat([
  "open_tree",
  "move_mount",
  "mount_setattr",
]);
/** As Docker's profile has it, which no capability changes. */
const neverThere = [...keyrings, "pivot_root"];
// unshare(2) is denied as a whole, whatever is to be unshared.
const namespaces = [
  "unshare-files",
  "unshare-user",
  "unshare-mount",
  "unshare-time",
  "clone-user",
  "clone-cgroup",
];
/** What reaches deep into the kernel. */
const machine = [
  "io_uring_setup",
  "userfaultfd",
  "kexec_load",
  "socket-alg",
  "socket-vsock",
  "personality-odd",
];
const withAdmin = ["bpf", "perf_event_open"];
const allowed = ["getpid", "clone", "socket-unix", "personality"];
/** An int is what the kernel takes of the argument: with a bit above that it is the same call. */
const highBits = ["unshare", "clone", "socket-alg", "socket-vsock"].map((name) => `${name}-high-bits`);

function expectAnswers(said: Map<string, string>, names: readonly string[], answer: string | RegExp): void {
  for (const name of names) {
    if (typeof answer === "string") expect([name, said.get(name)]).toEqual([name, answer]);
    else expect(`${name} ${said.get(name)}`).toMatch(answer);
  }
}

for (const target of targets) {
  test(`${target}: without CAP_SYS_ADMIN all of it is denied, in run and in exec`, async () => {
    const volume = ["-v", `${await programs()}:/fence:ro`];
    await using container = await running(host(), ["sleep", "1000"], volume);
    for (const args of [
      ["run", "--rm", ...volume, image],
      ["run", "--rm", "--security-opt", "no-new-privileges", "-u", "app", ...volume, image],
      ["exec", container.name],
      ["exec", "-u", "app", container.name],
    ]) {
      const said = facts(await host().ok([...args, `/fence/${target}`]));
      expectAnswers(said, [...neverThere, ...machine, ...withAdmin, ...mounts, ...namespaces], "EPERM");
      expectAnswers(said, allowed, "ok");
      expectAnswers(said, ["clone3", "newer"], "ENOSYS");
      if (target === "x86_64") {
        expect(said.get("x32-getpid")).toBe("ENOSYS");
        expectAnswers(said, highBits, "EPERM");
      }
    }
  });

  test(`${target}: with CAP_SYS_ADMIN only keyrings and pivot_root are, privileged or unconfined nothing`, async () => {
    const volume = ["-v", `${await programs()}:/fence:ro`];
    const ask = async (flags: string[]) =>
      facts(await host().ok(["run", "--rm", ...flags, ...volume, image, `/fence/${target}`]));
    const admin = await ask(["--cap-add", "SYS_ADMIN"]);
    expectAnswers(admin, [...neverThere, ...machine], "EPERM");
    expectAnswers(admin, withAdmin, / (EFAULT|EINVAL)$/);
    expectAnswers(admin, mounts, / (EFAULT|EINVAL|EBADF)$/);
    expectAnswers(admin, [...namespaces, ...allowed], "ok");
    expect(admin.get("clone3")).toBe("EINVAL");
    const privileged = await ask(["--privileged"]);
    expectAnswers(privileged, keyrings, / (EFAULT|EOPNOTSUPP)$/);
    expectAnswers(privileged, [...mounts, "pivot_root"], / (EFAULT|EINVAL|EBADF)$/);
    const open = await ask(["--security-opt", "seccomp=unconfined"]);
    expectAnswers(open, keyrings, / (EFAULT|EOPNOTSUPP)$/);
    expect(open.get("unshare-user")).toBe("ok");
  });
}

test("setuid programs work, with the filter as without, and gain nothing with no-new-privileges", async () => {
  const script = "cp /bin/probe /tmp/p && chmod 4755 /tmp/p && su app -s /bin/sh -c '/tmp/p ids'";
  const effective = async (flags: string[]) =>
    facts(await host().ok(["run", "--rm", ...flags, image, "sh", "-c", script])).get("euid");
  expect(await effective([])).toBe("0");
  expect(await effective(["--security-opt", "seccomp=unconfined"])).toBe("0");
  expect(await effective(["--security-opt", "no-new-privileges"])).toBe("1000");
});

test("the keys of the host's root are out of reach", async () => {
  // python3 is there wherever the tests run; add_key(2) and keyctl(2) by number.
  const script = (body: string) => `import ctypes; s = ctypes.CDLL(None, use_errno=True).syscall; ${body}`;
  const numbers = process.arch === "arm64" ? { add: 217, control: 219 } : { add: 248, control: 250 };
  const [user, search, invalidate] = [-4, 10, 21];
  const put = `print(s(${numbers.add}, b"user", b"rt-test-key", b"secret", 6, ${user}))`;
  const key = Number((await run(["python3", "-c", script(put)])).trim());
  expect(key).toBeGreaterThan(0);
  try {
    const there = `print(s(${numbers.control}, ${search}, ${user}, b"user", b"rt-test-key", 0))`;
    expect(Number(await run(["python3", "-c", script(there)]))).toBe(key);
    await using container = await running(host());
    for (const args of [
      ["run", "--rm", image],
      ["exec", container.name],
      ["exec", "--privileged", container.name],
    ]) {
      const { stdout } = await host().rt([...args, "probe", "try", "keyctl"]);
      expect([args, stdout]).toEqual([args, "try keyctl EPERM\n"]);
    }
  } finally {
    await run(["python3", "-c", script(`s(${numbers.control}, ${invalidate}, ${key})`)]);
  }
});

test("a container cannot write its own limits, nor mount the place where they are", async () => {
  const tried = await host().ok(["run", "--rm", image, "probe", "writable", "/sys/fs/cgroup"]);
  expect(tried).toMatch(/^tried \d+\n$/);
  for (const attempt of ["mount-cgroup", "mount-cgroup2", "remount-rw", "unshare-cgroup", "release-agent"]) {
    const said = await host().ok(["run", "--rm", image, "probe", "try", attempt]);
    expect(said).toBe(`try ${attempt} EPERM\n`);
  }
});
