/**
 * A host whose network is its own, and a world behind it:
 *
 *   rt's containers -- bridges -- the host 192.0.2.2, 2001:db8::2  ====  192.0.2.1, 2001:db8::1 the world, and 198.51.100.1
 *
 *   await using host = await networkHost(await busyboxHost());
 *   await host.ok(["run", "--rm", "--network", "bridge", image, "true"]);
 *   await host.inWorld(["probe", "fetch", …]);
 *
 * Both are network namespaces, so that with them everything goes that rt has made there; the machine's own stays as it is.
 */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";
import type { TestHost } from "./host.ts";
import { probeBinary } from "./probe.ts";
import { searchPath } from "./root.ts";
import { type RtOptions, rtBinary, runRt, spawnRt } from "./rt.ts";
import { Transcript, until } from "./wait.ts";

export interface NetworkHost extends TestHost {
  /** A program of the machine's in the host's network: its output. */
  inHost(command: readonly string[]): Promise<string>;
  inWorld(command: readonly string[]): Promise<string>;
  /** What stands before a command that is to run there, and goes on. */
  enter: { host: readonly string[]; world: readonly string[] };
  /** Somebody who answers at a port in the world, until the host goes. */
  serveInWorld(port: number, text: string): Promise<void>;
  /** What of rt's there is in the host's network: bridges, parents, ends of containers, and where their packets go around. */
  links(): Promise<string[]>;
}

export const worldAddress = "198.51.100.1";

/** What these tests use of the machine, besides root. */
export const networkTools = ["ip", "nsenter", "unshare"] as const;

/** A process that holds a network namespace, and what is written before a command that is to run there. */
interface Holder extends AsyncDisposable {
  enter: string[];
}

export async function newNetwork(): Promise<Holder> {
  const child = Bun.spawn(["unshare", "-n", "sleep", "infinity"], { env: { PATH: searchPath } });
  const own = await namespaceOf(process.pid);
  const isThere = async () => ((await namespaceOf(child.pid)) ?? own) !== own;
  await until("a network namespace is there", isThere);
  return {
    enter: ["nsenter", `--net=/proc/${child.pid}/ns/net`, "--"],
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function namespaceOf(pid: number): Promise<string | undefined> {
  return run(["readlink", `/proc/${pid}/ns/net`]).catch(() => undefined);
}

/** @param base goes with it */
export async function networkHost(base: TestHost): Promise<NetworkHost> {
  const stack = new AsyncDisposableStack();
  stack.use(base);
  const world = stack.use(await newNetwork());
  const own = stack.use(await newNetwork());
  const inHost = (command: readonly string[]) => run([...own.enter, ...command]);
  const inWorld = (command: readonly string[]) => run([...world.enter, ...command]);
  const worldPid = /\/proc\/(\d+)\//.exec(world.enter[1]!)![1]!;
  for (const line of [
    "link set lo up",
    `link add up0 type veth peer name up1 netns ${worldPid}`,
    "address add 192.0.2.2/24 dev up0",
    "address add 2001:db8::2/64 dev up0 nodad",
    "link set up0 up",
    "route add default via 192.0.2.1",
    "route add default via 2001:db8::1",
  ])
    await inHost(["ip", ...line.split(" ")]);
  for (const line of [
    "link set lo up",
    "address add 192.0.2.1/24 dev up1",
    "address add 2001:db8::1/64 dev up1 nodad",
    "link set up1 up",
    `address add ${worldAddress}/32 dev lo`,
  ])
    await inWorld(["ip", ...line.split(" ")]);
  const binary = join(base.dir, "rt-in-network");
  writeFileSync(binary, `#!/bin/sh\nexec ${own.enter.join(" ")} ${rtBinary} "$@"\n`);
  chmodSync(binary, 0o755);
  const rt = (args: readonly string[], options: RtOptions = {}) =>
    runRt(args, base.env, { binary, ...options });
  return {
    ...base,
    rt,
    async ok(args, options) {
      const result = await rt(args, options);
      if (result.code !== 0)
        throw new Error(`rt ${args.join(" ")} ended with ${result.code}:\n${result.stderr}`);
      return result.stdout;
    },
    spawn: (args, options = {}) => spawnRt(args, base.env, { binary, ...options }),
    inHost,
    inWorld,
    enter: { host: own.enter, world: world.enter },
    async serveInWorld(port, text) {
      const command = [...world.enter, await probeBinary(), "serve", String(port), text];
      const child = Bun.spawn(command, { stdout: "pipe", env: { PATH: searchPath } });
      stack.defer(async () => {
        child.kill("SIGKILL");
        await child.exited;
      });
      const output = new Transcript();
      void output.drain(child.stdout);
      await output.waitFor("serving");
    },
    async links() {
      const lines = (await inHost(["ip", "-o", "link"])).split("\n");
      return lines.flatMap((line) => /^\d+: ((?:rt|veth|ifb|d[mi]-)[^:@]*)/.exec(line)?.[1] ?? []);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
