/**
 * An ordinary user on a host with a network of its own, and a world behind it (network-host.ts):
 *
 *   await using there = await userWorld();
 *   await serve(there, "web", "-p", "8080:80");
 *   await there.fromWorld("fetch", "192.0.2.2", "8080");
 */
import { resolve } from "node:path";
import { question, readAnswer } from "./dns-message.ts";
import { testHost } from "./host.ts";
import { type NetworkHost, networkHost, networkTools } from "./network-host.ts";
import { type OrdinaryUser, ordinaryUser } from "./ordinary-user.ts";
import { probeBinary } from "./probe.ts";
import { searchPath } from "./root.ts";
import type { RtResult } from "./rt.ts";
import { Transcript, until } from "./wait.ts";

export const userWorldTools = [
  "newuidmap",
  "setpriv",
  "pasta",
  "slirp4netns",
  "dnsmasq",
  ...networkTools,
] as const;

const hello = "embed:hello";

/** A user in a host with a network of its own. */
export interface UserWorld extends AsyncDisposable {
  user: OrdinaryUser;
  host: NetworkHost;
  rt(...words: string[]): Promise<RtResult>;
  ok(...words: string[]): Promise<string>;
  /** The prober's words, there. */
  fromHost(...words: string[]): Promise<string>;
  fromWorld(...words: string[]): Promise<string>;
}

export async function userWorld(): Promise<UserWorld> {
  const stack = new AsyncDisposableStack();
  const host = stack.use(await networkHost(await testHost()));
  await host.inHost(["ip", "link", "set", "lo", "up"]);
  const user = stack.use(await ordinaryUser());
  const front = host.enter.host;
  const probe = await probeBinary();
  const saying = (words: string[]) => ["sh", "-c", '"$@" || true', "sh", probe, ...words];
  return {
    ...{ user, host },
    rt: (...words) => user.rt(words, { front }),
    ok: (...words) => user.ok(words, { front }),
    fromHost: (...words) => host.inHost(saying(words)),
    fromWorld: (...words) => host.inWorld(saying(words)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** What of his runs, by name, but his holder. */
function running({ user }: UserWorld): string[] {
  return user
    .processes()
    .map(({ command }) => command)
    .filter((command) => command !== "rt-holder")
    .sort();
}

export function pidOf({ user }: UserWorld, command: RegExp): number {
  return user.processes().find((each) => command.test(each.command))!.pid;
}

export async function nothingRuns(there: UserWorld): Promise<void> {
  await until("nothing of his runs", () => running(there).length === 0);
}

export async function serve({ ok }: UserWorld, name: string, ...flags: string[]): Promise<void> {
  await ok("run", "-d", "-q", "--name", name, ...flags, hello, "serve", "80", name);
  await until("it serves", async () => (await ok("logs", name)).includes("serving"));
}

/** What 127.0.0.11 says of a name, asked in a container's network: addresses; undefined: nothing came. */
export async function lookUp(
  { ok }: UserWorld,
  container: string,
  name: string,
): Promise<string[] | undefined> {
  const pid = (await ok("inspect", "-f", "{{.State.Pid}}", container)).trim();
  const client = [process.execPath, resolve(import.meta.dir, "dns-client.ts")];
  const messages = [question(name, "A").toString("hex")];
  const order = JSON.stringify({ server: "127.0.0.11", tcp: false, messages, wait_ms: 5000 });
  const child = Bun.spawn(["nsenter", `--net=/proc/${pid}/ns/net`, "--", ...client], {
    stdin: Buffer.from(`${order}\n`),
    stdout: "pipe",
    stderr: "inherit",
  });
  const said = new Transcript();
  void said.drain(child.stdout);
  await said.waitFor("\n");
  // It would wait for the end of its own patience.
  child.kill("SIGKILL");
  await child.exited;
  const [text] = JSON.parse(said.text) as (string | null)[];
  return text ? readAnswer(Buffer.from(text, "hex")).answers : undefined;
}

/** dnsmasq at 192.0.2.1, which knows one.test. */
export async function dnsIn({ host }: UserWorld): Promise<AsyncDisposable> {
  const words = [
    "--keep-in-foreground",
    "--user=root",
    "--log-facility=-",
    "--conf-file=/dev/null",
    "--pid-file=",
  ];
  const zone = ["--no-resolv", "--no-hosts", "--listen-address=192.0.2.1", "--bind-interfaces"];
  const command = [...host.enter.world, "dnsmasq", ...words, ...zone, "--host-record=one.test,192.0.2.50"];
  const child = Bun.spawn(["sh", "-c", 'exec "$@" 2>&1', "sh", ...command], {
    stdout: "pipe",
    env: { PATH: searchPath },
  });
  const output = new Transcript();
  void output.drain(child.stdout);
  await output.waitFor("started");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
