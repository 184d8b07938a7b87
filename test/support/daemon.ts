/**
 * The built executable as a daemon, on a Unix socket in the directory of a test's world (host.ts).
 *
 *   await using host = await testHost();
 *   await using daemon = await daemonOf(host);
 *   await run(["docker", "ps"], { env: { DOCKER_HOST: daemon.address } });
 */
import { join } from "node:path";
import type { TestHost } from "./host.ts";

export interface TestDaemon extends AsyncDisposable {
  /** Of the socket. */
  readonly path: string;
  /** "unix://…" */
  readonly address: string;
  readonly pid: number;
  /** All that it has said. */
  said(): string;
}

/** What it says of its own is "listen on …"; a test in which it says more has failed, for that is what nobody foresaw. */
export async function daemonOf(host: TestHost): Promise<TestDaemon> {
  const path = join(host.dir, "rt.sock");
  const address = `unix://${path}`;
  const daemon = host.spawn(["daemon", "-H", address], { env: { RT_DEBUG: "1" } });
  const greeting = `rt: API listen on ${address}\n`;
  try {
    await daemon.stderr.waitFor(greeting);
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
  return {
    ...{ path, address, pid: daemon.pid },
    said: () => daemon.stderr.text,
    async [Symbol.asyncDispose]() {
      daemon.kill("SIGTERM");
      const code = await daemon.exited;
      const more = daemon.stderr.text.replace(greeting, "");
      if (code !== 0 || more !== "") throw new Error(`rt daemon ended with ${code}, and has said: ${more}`);
    },
  };
}
