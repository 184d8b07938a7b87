/**
 * The executable in a world of its own, one for each test.
 *
 *   await using host = await testHost();
 *   const { stdout, code } = await host.rt(["run", "--rm", "embed:hello", "ids"]);
 *
 * RT_ROOT, RT_STATE, HOME and all XDG directories lie in one temporary directory (an ordinary user has one XDG_RUNTIME_DIR for
 * all of them, as there is one of him). When the host is disposed of, its
 * containers are removed, and whatever of it is left behind (mount, process, cgroup) fails the test.
 */
import { mkdirSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cgroupDirectories, mountPoints, processesMentioning, processesOf } from "./leaks.ts";
import { openPty, type Pty, type PtyOptions } from "./pty.ts";
import { searchPath } from "./root.ts";
import { type RtOptions, type RtProcess, type RtResult, rtBinary, runRt, spawnRt } from "./rt.ts";
import { scratchDirectory } from "./scratch.ts";
import { patience } from "./wait.ts";
import { configure, handOver, testUser } from "./way.ts";

export interface TestHost extends AsyncDisposable {
  readonly dir: string;
  readonly root: string;
  readonly state: string;
  readonly env: Record<string, string>;
  rt(args: readonly string[], options?: RtOptions): Promise<RtResult>;
  /** `rt`, which must end with 0: its standard output. */
  ok(args: readonly string[], options?: RtOptions): Promise<string>;
  spawn(args: readonly string[], options?: RtOptions): RtProcess;
  pty(args: readonly string[], options?: PtyOptions): Pty;
}

export async function testHost(): Promise<TestHost> {
  const dir = await mkdtemp(join(scratchDirectory(), "rt-test-"));
  const env = environment(dir);
  configure(env.XDG_CONFIG_HOME!);
  const rt = (args: readonly string[], options: RtOptions = {}) => runRt(args, env, asCaller(options));
  return {
    dir,
    root: join(dir, "root"),
    state: join(dir, "state"),
    env,
    rt,
    async ok(args, options) {
      const result = await rt(args, options);
      if (result.code !== 0)
        throw new Error(`rt ${args.join(" ")} ended with ${result.code}:\n${result.stderr}`);
      return result.stdout;
    },
    spawn: (args, options = {}) => spawnRt(args, env, asCaller(options)),
    pty(args, options = {}) {
      const { front = [], binary = rtBinary } = asCaller({});
      return openPty([...front, binary, ...args], {
        ...options,
        env: { ...env, TERM: "xterm", ...options.env },
      });
    },
    [Symbol.asyncDispose]: () => tearDown(dir, rt),
  };
}

/** Root, or the ordinary user whose tests these are (way.ts). */
function asCaller(options: RtOptions): RtOptions {
  if (testUser === undefined) return options;
  handOver();
  const front = [...(options.front ?? []), ...testUser.front];
  return { binary: testUser.binary, ...options, front };
}

function environment(dir: string): Record<string, string> {
  const inside = (name: string) => {
    mkdirSync(join(dir, name), { recursive: true, mode: 0o700 });
    return join(dir, name);
  };
  return {
    PATH: searchPath,
    LANG: "C.UTF-8",
    HOME: inside("home"),
    TMPDIR: inside("tmp"),
    RT_ROOT: join(dir, "root"),
    RT_STATE: join(dir, "state"),
    ...(process.env.RT_NETWORK && { RT_NETWORK: process.env.RT_NETWORK }),
    DOCKER_CONFIG: inside("home/.docker"),
    XDG_CONFIG_HOME: inside("home/.config"),
    XDG_DATA_HOME: inside("home/.local/share"),
    XDG_CACHE_HOME: inside("home/.cache"),
    XDG_RUNTIME_DIR: testUser?.runtime ?? inside("run"),
  };
}

/** Takes a host away. @throws Error with what its tests have left behind */
export async function tearDown(dir: string, rt: TestHost["rt"]): Promise<void> {
  const problems: string[] = [];
  const ids = await containerIds(dir);
  if (ids.length > 0) {
    const removed = await rt(["rm", "-f", ...ids]);
    if (removed.code !== 0) problems.push(`rt rm -f ended with ${removed.code}: ${removed.stderr.trim()}`);
  }
  await settled(dir, ids);
  for (const { pid, command } of processesOf(dir)) {
    problems.push(`process ${pid}: ${command}`);
    killQuietly(pid);
  }
  for (const { pid, command } of processesMentioning(dir))
    problems.push(`process ${pid}: ${command} (not killed)`);
  for (const path of mountsBelow(dir).reverse()) {
    problems.push(`mount ${path}`);
    await Bun.spawn(["umount", "-l", path], { stderr: "ignore" }).exited;
  }
  for (const path of cgroupsOf(ids)) problems.push(`cgroup ${path}`);
  // Never delete through a mount: what is behind it may be the host's.
  if (mountsBelow(dir).length === 0) await rm(dir, { recursive: true, force: true });
  else problems.push(`${dir} was not removed: something is mounted below it`);
  if (problems.length > 0) throw new Error(`left behind by this test:\n  ${problems.join("\n  ")}`);
}

function mountsBelow(dir: string): string[] {
  return mountPoints().filter((path) => path.startsWith(`${dir}/`));
}

/** Every container that either directory knows, whatever state it is in. */
async function containerIds(dir: string): Promise<string[]> {
  const ids = new Set<string>();
  for (const place of ["root", "state"]) {
    const path = join(dir, place, "containers");
    const names = await readdir(path).catch((error: { code?: string }) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    for (const name of names) if (/^[0-9a-f]{64}$/.test(name)) ids.add(name);
  }
  return [...ids];
}

function cgroupsOf(ids: readonly string[]): string[] {
  return cgroupDirectories().filter((path) => ids.some((id) => path.includes(id)));
}

/** Waits until nothing is left, or long enough that it will not go by itself: a monitor may be tearing down yet. */
async function settled(dir: string, ids: readonly string[]): Promise<void> {
  const deadline = Date.now() + 10_000 * patience;
  const left = () =>
    processesOf(dir).length > 0 ||
    processesMentioning(dir).length > 0 ||
    mountsBelow(dir).length > 0 ||
    cgroupsOf(ids).length > 0;
  while (left() && Date.now() < deadline) await Bun.sleep(10);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}
