/**
 * The fixed filter of system calls: no namespaces, no mounts, no keyrings for a container that has no business with them,
 * asked natively and by a program for i386, by run and by exec.
 */
import { expect } from "bun:test";
import { chmod } from "node:fs/promises";
import { join, resolve } from "node:path";
import { containerTests, image, running } from "../../cli/world.ts";
import { run } from "../../support/command.ts";
import { facts } from "../../support/probe.ts";
import { fixture } from "../../support/scratch.ts";

const { test, host } = containerTests();
const project = resolve(import.meta.dir, "../../..");
const targets = process.arch === "arm64" ? ["aarch64", "arm"] : ["x86_64", "x86"];

/** zig-native/probe/fence.zig for each architecture whose programs run here, in one directory. */
async function programs(): Promise<string> {
  const sources = join(project, "zig-native");
  const texts = ["probe/fence.zig", "probe/output.zig"].map((name) => Bun.file(join(sources, name)).text());
  return fixture("fence", (await Promise.all(texts)).join("\0"), async (into) => {
    const zig = join(project, "node_modules/.bin/zig");
    const cache = join(into, "cache");
    const options = "-O ReleaseSmall -fstrip -fno-unwind-tables -fsingle-threaded".split(" ");
    for (const target of targets) {
      const program = join(into, target);
      const command = [zig, "build-exe", "probe/fence.zig", ...options, "-target", `${target}-linux-none`];
      await run([...command, `-femit-bin=${program}`, "--cache-dir", cache], { cwd: sources });
      await chmod(program, 0o755);
    }
    await run(["rm", "-rf", cache]);
  });
}

const keyrings = ["add_key", "request_key", "keyctl"];
const mounts = ["mount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick"].concat([
  "open_tree",
  "move_mount",
  "mount_setattr",
]);
const namespaces = ["unshare-user", "unshare-mount", "unshare-time", "clone-user", "clone-cgroup"];
const allowed = ["getpid", "unshare-files", "clone"];

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
      expectAnswers(said, [...keyrings, ...mounts, ...namespaces], "EPERM");
      expectAnswers(said, allowed, "ok");
      expect(said.get("clone3")).toBe("ENOSYS");
      if (target === "x86_64") {
        expect(said.get("x32-getpid")).toBe("ENOSYS");
        expect(said.get("unshare-high-bits")).toBe("EPERM");
      }
    }
  });

  test(`${target}: with CAP_SYS_ADMIN only keyrings are, privileged or unconfined nothing`, async () => {
    const volume = ["-v", `${await programs()}:/fence:ro`];
    const ask = async (flags: string[]) =>
      facts(await host().ok(["run", "--rm", ...flags, ...volume, image, `/fence/${target}`]));
    const admin = await ask(["--cap-add", "SYS_ADMIN"]);
    expectAnswers(admin, keyrings, "EPERM");
    expectAnswers(admin, mounts, / (EFAULT|EINVAL|EBADF)$/);
    expectAnswers(admin, [...namespaces, ...allowed], "ok");
    expect(admin.get("clone3")).toBe("EINVAL");
    const privileged = await ask(["--privileged"]);
    expectAnswers(privileged, keyrings, / (EFAULT|EOPNOTSUPP)$/);
    expectAnswers(privileged, mounts, / (EFAULT|EINVAL|EBADF)$/);
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
    const { stdout } = await host().rt(["run", "--rm", image, "probe", "try", "keyctl"]);
    expect(stdout).toBe("try keyctl EPERM\n");
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
