/**
 * A real sshd (Debian's openssh-server) on a free loopback port, with keys and a configuration of its own, and a client that
 * knows it as "box":
 *
 *   await using box = await startSshd({ RT_ROOT: …, RT_STATE: … });       what its sessions have in their environment
 *   await here.rt(["push", "alpine", "ssh://box"], { env: { RT_SSH: box.ssh } });
 *
 * Sessions are root's, whose rt is the one that is tested.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "./command.ts";
import { freePort } from "./registry.ts";
import { tool } from "./root.ts";
import { rtBinary } from "./rt.ts";
import { scratchDirectory } from "./scratch.ts";
import { Transcript, until } from "./wait.ts";

export interface Sshd extends AsyncDisposable {
  readonly dir: string;
  readonly port: number;
  /** For RT_SSH: ssh with the client's configuration. */
  readonly ssh: string;
  /** The same as another user of this machine, who may read the keys. */
  readonly config: string;
  readonly log: Transcript;
  /** Processes of the sessions, by name: "rt" for those of rt. */
  sessions(): { pid: number; command: string }[];
}

export interface SshdOptions {
  /** Who may log in; root unless it is given. */
  user?: string;
  /** Words before rt there, in the place of it in PATH: none when empty. */
  program?: string;
}

export async function startSshd(session: Record<string, string>, options: SshdOptions = {}): Promise<Sshd> {
  for (let attempt = 0; ; attempt++) {
    const dir = await mkdtemp(join(scratchDirectory(), "rt-sshd-"));
    try {
      return await start(dir, await freePort(), session, options);
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      if (attempt === 4 || !String(error).includes("Address already in use")) throw error;
    }
  }
}

async function start(
  dir: string,
  port: number,
  session: Record<string, string>,
  { user = "root", program = rtBinary }: SshdOptions,
): Promise<Sshd> {
  chmodSync(dir, 0o755);
  for (const name of ["host", "user"])
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(dir, name)]);
  mkdirSync(join(dir, "bin"));
  if (program !== "") symlinkSync(program, join(dir, "bin/rt"));
  // Its unprivileged half lives in an empty directory of root's, which a service file makes elsewhere.
  mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const path = `${join(dir, "bin")}:/usr/bin:/bin:/usr/sbin:/sbin`;
  const variables = Object.entries({ PATH: path, ...session }).map(([name, value]) => `"${name}=${value}"`);
  writeFileSync(
    join(dir, "sshd_config"),
    [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${join(dir, "host")}`,
      `AuthorizedKeysFile ${join(dir, "user.pub")}`,
      `AllowUsers ${user}`,
      "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no",
      "KbdInteractiveAuthentication no\nMaxStartups 100",
      `SetEnv ${variables.join(" ")}`,
      "",
    ].join("\n"),
  );
  const hostKey = readFileSync(join(dir, "host.pub"), "utf8").trim();
  writeFileSync(join(dir, "known_hosts"), `[127.0.0.1]:${port} ${hostKey}\n`);
  const config = join(dir, "ssh_config");
  writeFileSync(
    config,
    [
      "Host box",
      `HostName 127.0.0.1\nPort ${port}\nUser ${user}`,
      `IdentityFile ${join(dir, "user")}\nIdentitiesOnly yes`,
      `UserKnownHostsFile ${join(dir, "known_hosts")}\nGlobalKnownHostsFile /dev/null`,
      "StrictHostKeyChecking yes\nBatchMode yes\nLogLevel ERROR",
      "",
    ].join("\n"),
  );
  const ssh = join(dir, "ssh");
  writeFileSync(ssh, `#!/bin/sh\nexec ssh -F ${config} "$@"\n`, { mode: 0o755 });
  const child = Bun.spawn([tool("sshd")!, "-D", "-e", "-f", join(dir, "sshd_config")], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env: { PATH: dirname(tool("sshd")!) },
  });
  const log = new Transcript();
  void log.drain(child.stderr);
  const sessions = () => below(child.pid);
  try {
    await log.waitFor(/Server listening on 127\.0\.0\.1/);
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`sshd does not start: ${log.text}`, { cause: error });
  }
  return {
    dir,
    port,
    ssh,
    config,
    log,
    sessions,
    async [Symbol.asyncDispose]() {
      const left = sessions();
      child.kill("SIGTERM");
      await child.exited;
      for (const { pid } of left) kill(pid);
      await until("the sessions are over", () => left.every(({ pid }) => commandOf(pid) === undefined));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** All that descend of a process. */
function below(top: number): { pid: number; command: string }[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = /^PPid:\t(\d+)/m.exec(statusOf(Number(name)))?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === top || isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow).map((pid) => ({ pid, command: commandOf(pid) ?? "" }));
}

function commandOf(pid: number): string | undefined {
  return /^Name:\t(.*)$/m.exec(statusOf(pid))?.[1];
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}
