/**
 * A program as an ordinary user's: as uid 0 of a user namespace that user 5000 has made, with his own id and 65,536 subordinate
 * ones, or with his own alone. The maps are written by root, as newuidmap(1) would; nothing of the host's is configured.
 */
import { readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { searchPath } from "./root.ts";
import { until } from "./wait.ts";

export type Maps = "many" | "single";

export const ordinaryUser = 5000;
/** What is 1 in the namespace, of 65,536. */
export const firstSubordinate = 100_000;
/** For needs() of root.ts. */
export const ordinaryNeeds = { root: true, tools: ["setpriv", "unshare"] } as const;

/** Not the host's own: device nodes cannot be made here, overlay has its marks in attributes of users, and ids end somewhere. */
export const inUserNamespace = readlinkSync("/proc/self/ns/user") !== "user:[4026531837]";
/** One id is all that there is. */
export const hasOneId =
  inUserNamespace && /^\s*\d+\s+\d+\s+1\n$/.test(readFileSync("/proc/self/uid_map", "latin1"));

/** Whose a file in a snapshot is to be: with one id a note beside it says so, where it is somebody else's. */
export function ownerOf(path: string): { uid: number; gid: number; mode: number } {
  const { uid, gid, mode } = statSync(path);
  const file = { uid, gid, mode: mode & 0o7777 };
  if (!hasOneId) return file;
  const asked = [
    "getfattr",
    "--only-values",
    "-n",
    "user.containers.override_stat",
    "--absolute-names",
    path,
  ];
  const { stdout, exitCode } = Bun.spawnSync(asked);
  if (exitCode !== 0) return file;
  const [owner, group, bits] = stdout.toString().split(":");
  return { uid: Number(owner), gid: Number(group), mode: Number.parseInt(bits!, 8) };
}

export interface OrdinaryOptions {
  maps: Maps;
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** What lies where he may not go (a checkout or a runtime in a home that is closed to him), and where he finds it instead. */
  seen?: readonly (readonly [path: string, at: string])[];
}

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** With mounts and a network of its own, which tests among the programs need not make once more (own-network.ts). */
export async function asOrdinary(command: string[], options: OrdinaryOptions): Promise<Ended> {
  const { maps, env, cwd, seen = [] } = options;
  const user = `${ordinaryUser}`;
  // Only what is executed when there are maps has capabilities.
  const script = 'read go && export RT_TEST_NETWORK=$$ && exec "$@"';
  const waits = ["unshare", "--user", "--mount", "--net", "sh", "-c", script, "sh", ...command];
  const binds =
    'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 1; shift 2; done; shift; cd "$1"; shift; exec "$@"';
  const outside = ["unshare", "--mount", "sh", "-c", binds, "sh", ...seen.flat(), "--", cwd ?? "."];
  const him = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"];
  const child = Bun.spawn([...outside, ...him, ...waits], {
    env: { ...process.env, PATH: searchPath, ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const own = readlinkSync("/proc/self/ns/user");
  await until("a user namespace", () => child.exitCode !== null || namespaceOf(child.pid) !== own);
  if (child.exitCode === null) {
    if (maps === "single") writeFileSync(`/proc/${child.pid}/setgroups`, "deny");
    const ranges = `0 ${user} 1\n${maps === "many" ? `1 ${firstSubordinate} 65536\n` : ""}`;
    for (const kind of ["uid", "gid"]) writeFileSync(`/proc/${child.pid}/${kind}_map`, ranges);
    child.stdin.write("go\n");
    await child.stdin.end();
  }
  const [stdout, stderr] = await output;
  return { code: await child.exited, stdout, stderr };
}

function namespaceOf(pid: number): string {
  return readlinkSync(`/proc/${pid}/ns/user`);
}
