/**
 * Starts under what a caller may have taken away: limits, system calls, the right to be who it is. Each works, or ends with
 * 125 and one line that names the cause; the runtime's own banner is never seen.
 */
import { afterAll, beforeAll, expect } from "bun:test";
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type TestHost, testHost } from "../support/host.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { type RtResult, rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";

const { test, met } = needs({ root: true, tools: ["prlimit", "setpriv", "unshare", "nsenter"] });

let host: TestHost;
beforeAll(async () => {
  if (!met) return;
  host = await testHost();
  await host.ok(["run", "--rm", "-q", "embed:hello"]);
}, 240_000);
afterAll(() => host?.[Symbol.asyncDispose]());

/** `command… dist/rt run …`: the embedded image, which ends with 3. */
function started(...command: string[]): Promise<RtResult> {
  const [binary, ...args] = [...command, rtBinary, "run", "--rm", "embed:hello", "exit", "3"];
  return host.rt(args, { binary: binary! });
}

async function works(...command: string[]): Promise<void> {
  const { stdout, stderr, code } = await started(...command);
  expect({ command, stdout, stderr, code }).toEqual({ command, stdout: "", stderr: "", code: 3 });
}

async function refused(command: string[], line: RegExp): Promise<void> {
  const { stdout, stderr, code } = await started(...command);
  expect({ command, stdout, stderr, code }).toEqual({
    command,
    stdout: "",
    stderr: expect.stringMatching(line),
    code: 125,
  });
  expect(stderr.trimEnd()).not.toContain("\n");
}

/** Its first child. */
function childOf(parent: number): number | undefined {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "latin1");
  return Number.parseInt(children, 10) || undefined;
}

const megabytes = (count: number) => count * 1024 * 1024;

test("a limit on addresses of a gigabyte, or of what is said to be enough, is enough", async () => {
  for (const size of [4096, 1024, 640]) await works("prlimit", `--as=${megabytes(size)}`);
  await works("prlimit", `--data=${megabytes(640)}`);
  await works("prlimit", `--stack=${256 * 1024}`);
});

test("limits that are too small are named, with what is enough", async () => {
  await refused(
    ["prlimit", `--as=${megabytes(300)}`],
    /address space is too small: ulimit -v 655360, or more\n$/,
  );
  await refused(
    ["prlimit", `--data=${megabytes(100)}`],
    /data size is too small: ulimit -d 655360, or more\n$/,
  );
  await refused(["prlimit", "--stack=65536"], /stack size is too small: ulimit -s 256, or more\n$/);
  await refused(["prlimit", "--fsize=0"], /file size is too small: ulimit -f 512, or more\n$/);
  // Enough to start, and not for the engine's helpers.
  await refused(
    ["prlimit", `--fsize=${512 << 10}`],
    /cannot prepare rt-monitor: File too large: raise ulimit -f \(EFBIG\)\n$/,
  );
  await refused(["prlimit", "--nofile=16"], /Too many open files: raise ulimit -n \(EMFILE\)\n$/);
  await refused(["prlimit", "--nofile=4"], /too many open files \(EMFILE\): raise ulimit -n\n$/);
  for (const few of [8, 9, 10, 11])
    await refused(["prlimit", `--nofile=${few}`], /^rt: [^\n]*EMFILE|too many open files/i);
});

test("memory that may be written and executed is refused by the caller's filter", async () => {
  await refused(
    [await probeBinary(), "refuse", "mmap"],
    /^rt: cannot start: memory that is writable and executable is refused/,
  );
});

test("a caller that ignores SIGCHLD, as the runtime's own signals, takes no exit status away", async () => {
  await works("sh", "-c", `trap "" CHLD PWR; exec "$@"`, "sh");
});

test("thousands of variables that could be rt's: nobody waits for them", async () => {
  const variables = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`RT_X${index}`, ""]));
  const run = (count: number) =>
    host.rt(["run", "--rm", "embed:hello", "exit", "3"], { env: variables(count) });
  expect(await run(900)).toMatchObject({ stderr: "", code: 3 });
  const { stderr, code } = await run(50_000);
  expect(stderr).toMatch(/^rt: cannot start: the environment has too many variables of rt's [^\n]*\n$/);
  expect(code).toBe(125);
});

test("where the caller's user may have no more processes rt says so, and root is not asked", async () => {
  for (const command of [["ps"], ["run", "embed:hello"], ["--help"]]) {
    for (let most = 1; most < 10; most++) {
      const limited = [`--nproc=${most}`, "setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"];
      const { stdout, stderr, code } = await host.rt([...limited, rtBinary, ...command], {
        binary: "prlimit",
      });
      if (code === 0) expect({ most, stderr }).toEqual({ most, stderr: "" });
      // Enough of them, and an ordinary user is told what he lacks.
      else if (most > 5)
        expect({ most, stderr }).toEqual({ most, stderr: expect.stringMatching(/^(rt: [^\n]*\n){1,2}$/) });
      else {
        const line = expect.stringMatching(/^rt: [^\n]*\(EAGAIN\): see ulimit -u [^\n]*\n$/);
        expect({ most, stdout, stderr, code }).toEqual({ most, stdout: "", stderr: line, code: 125 });
      }
    }
  }
  await works("prlimit", "--nproc=1");
});

test("unshare --pid without --fork leaves a process that can make no thread", async () => {
  await refused(["unshare", "--pid"], /belong to another pid namespace: unshare --pid wants --fork too\n$/);
  // The namespace has a process 1 by now, which is not us.
  await refused(
    ["unshare", "--pid", "sh", "-c", `sleep 1 & exec "$@"`, "sh"],
    /unshare --pid wants --fork too\n$/,
  );
});

for (const call of ["eventfd2", "epoll_create1", "getrandom", "prlimit64", "clone3"]) {
  test(`a caller's filter that refuses ${call} is named`, async () => {
    await refused([await probeBinary(), "refuse", call], new RegExp(`${call}\\(2\\).*EPERM`));
  });
}

test("a /proc that is another pid namespace's stays as it is", async () => {
  const other = Bun.spawn([
    "unshare",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "--mount-proc",
    "sleep",
    "1000",
  ]);
  try {
    const inner = await until("the namespace", () => childOf(other.pid));
    const mounts = () => readFileSync(`/proc/${inner}/mountinfo`, "utf8");
    await until("its /proc", () => mounts().split(" /proc ").length > 2);
    const before = mounts();
    await refused(
      ["nsenter", "-t", `${inner}`, "--mount"],
      /^rt: cannot start: \/proc belongs to another pid namespace/,
    );
    expect(mounts()).toBe(before);
    await works("nsenter", "-t", `${inner}`, "--mount", "--pid");
  } finally {
    other.kill("SIGKILL");
    await other.exited;
  }
});

test("a set-user-ID bit gives nobody anything", async () => {
  const copy = join(host.dir, "rt-set-user-id");
  copyFileSync(rtBinary, copy);
  chmodSync(host.dir, 0o711);
  try {
    for (const mode of [0o4755, 0o2755]) {
      chmodSync(copy, mode);
      const { stdout, stderr, code } = await host.rt(
        ["--reuid=65534", "--regid=65534", "--clear-groups", copy, "ps"],
        { binary: "setpriv" },
      );
      expect(stderr).toMatch(
        /^rt: this file has a set-user-ID or set-group-ID bit or capabilities, [^\n]*\n$/,
      );
      expect([stdout, code]).toEqual(["", 125]);
    }
    // Whose bit it is may use it.
    chmodSync(copy, 0o4755);
    expect((await host.rt(["--version"], { binary: copy })).code).toBe(0);
  } finally {
    rmSync(copy);
    chmodSync(host.dir, 0o700);
  }
});

test("of a variable that comes twice the first counts, for the runtime as for rt", async () => {
  const second = join(host.dir, "second");
  const args = ["exec-adding", `RT_ROOT=${second}`, rtBinary, "run", "--rm", "embed:hello", "exit", "3"];
  const { stdout, stderr, code } = await host.rt(args, { binary: await probeBinary() });
  expect({ stdout, stderr, code }).toEqual({ stdout: "", stderr: "", code: 3 });
  expect(existsSync(second)).toBe(false);
});

test("in a container that may make no namespaces, rt says what that one needs", async () => {
  const outer = ["run", "--rm", "-v", `${rtBinary}:/rt:ro`, "embed:hello", "exec"];
  const { stderr, code } = await host.rt([...outer, "/rt", "run", "-q", "--rm", "embed:hello"]);
  expect(stderr).toMatch(/^rt: [^\n]*ENOSYS\): a container that rt is to run in needs --privileged\n$/);
  expect(code).toBe(125);
});

test("root of a user namespace is told that it is no more than that", async () => {
  // Which of the two is met first depends on whose the host's control groups are.
  const line =
    /^rt: cannot start container \S+: [^\n]*(: root is root of a user namespace only here, |may not change this host's networks: )[^\n]*\n$/;
  await refused(["unshare", "--map-root-user"], line);
});

test("a store and a state directory of another user are told of in a line", async () => {
  chmodSync(host.dir, 0o711);
  try {
    const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", rtBinary, "ps"];
    const { stdout, stderr, code } = await host.rt(nobody, { binary: "setpriv" });
    expect(stderr).toMatch(
      /^rt: cannot use the state directory \S+state: EACCES: permission denied[^\n]*\n$/,
    );
    expect([stdout, code]).toEqual(["", 125]);
  } finally {
    chmodSync(host.dir, 0o700);
  }
});
