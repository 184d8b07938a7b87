/**
 * Containers that ask for names, and name servers in the world behind their host:
 *
 *   192.0.2.1       dnsmasq, of the zone in `zone`         192.0.2.11 to 13     test/support/odd-dns-server.ts
 */
import { chmodSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type DnsAnswer,
  type DnsKind,
  type QuestionOptions,
  question,
  readAnswer,
} from "../support/dns-message.ts";
import { type NetworkHost, networkHost } from "../support/network-host.ts";
import { searchPath } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { Transcript } from "../support/wait.ts";
import { busyboxHost, image } from "./world.ts";

const support = resolve(import.meta.dir, "../support");

export const goodServer = "192.0.2.1";
export const oddServers = ["192.0.2.11", "192.0.2.12", "192.0.2.13"] as const;
export const inContainers = "127.0.0.11";

const long = Array.from({ length: 12 }, (_, index) => `${index}`.padEnd(200, "x"));
/** No line of its file may be so long. */
const bigText = `--txt-record=big.test,${long.join(",")}`;
const zone = `
port=53
listen-address=${goodServer}
bind-interfaces
no-resolv
no-hosts
local=/test/
edns-packet-max=1232
host-record=one.test,192.0.2.50,2001:db8::50
host-record=four.test,192.0.2.51
address=/many.test/192.0.2.60
${Array.from({ length: 60 }, (_, index) => `host-record=lots.test,10.9.0.${index + 1}`).join("\n")}
cname=alias.test,second.test
cname=second.test,one.test
mx-host=one.test,mail.test,10
txt-record=one.test,"some text"
srv-host=_web._tcp.test,one.test,8080,1,2
`;

export interface NamesHost extends NetworkHost {
  /** A new container that does nothing, and its id. */
  container(name: string, ...flags: string[]): Promise<string>;
  /** The same, where the host's resolv.conf is this. */
  containerWith(conf: string, name: string, ...flags: string[]): Promise<string>;
  /** A line of a shell that has the machine's files, but the container's network and its resolv.conf. */
  asContainer(container: string, line: string): Promise<string>;
  /** Asked in its network; null: nothing came. */
  ask(container: string, name: string, kind: DnsKind, options?: AskOptions): Promise<DnsAnswer | null>;
  /** What comes back for each of them, as hexadecimal digits. */
  send(container: string, messages: readonly Buffer[], options?: AskOptions): Promise<(string | null)[]>;
  /** What the odd servers were asked. */
  asked(server: string): string;
  /** One more of them, in the host's own network. */
  serveOnHost(address: string): Promise<void>;
  pidOf(container: string): Promise<number>;
  monitorOf(container: string): Promise<number>;
  addressOf(container: string): Promise<string>;
}

export interface AskOptions extends QuestionOptions {
  server?: string;
  tcp?: boolean;
  wait_ms?: number;
}

export async function namesHost(): Promise<NamesHost> {
  await using made = new AsyncDisposableStack();
  let stack: AsyncDisposableStack = made;
  const host = made.use(await networkHost(await busyboxHost()));
  for (const address of oddServers)
    await host.inWorld(["ip", "address", "add", `${address}/24`, "dev", "up1"]);
  const start = async (
    command: readonly string[],
    ready: string,
    enter = host.enter.world,
  ): Promise<Transcript> => {
    const child = Bun.spawn([...enter, "sh", "-c", 'exec "$@" 2>&1', "sh", ...command], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      env: { ...process.env, PATH: searchPath },
    });
    const output = new Transcript();
    void output.drain(child.stdout);
    stack.defer(async () => {
      child.kill("SIGKILL");
      await child.exited;
    });
    await output.waitFor(ready);
    return output;
  };
  const conf = join(host.dir, "dnsmasq.conf");
  writeFileSync(conf, zone);
  await start(
    [
      "dnsmasq",
      "--keep-in-foreground",
      "--user=root",
      "--log-facility=-",
      `--conf-file=${conf}`,
      "--pid-file=",
      bigText,
    ],
    "started",
  );
  const odd = new Map<string, Transcript>();
  const oddServer = (address: string) => [process.execPath, join(support, "odd-dns-server.ts"), address];
  for (const address of oddServers) odd.set(address, await start(oddServer(address), "serving"));
  const clients = new Map<string, Client>();
  const inspect = async (container: string, format: string) =>
    (await host.ok(["inspect", "-f", format, container])).trim();
  const clientOf = async (container: string): Promise<Client> => {
    const pid = await inspect(container, "{{.State.Pid}}");
    const known = clients.get(pid);
    if (known) return known;
    const client = stack.use(newClient(pid));
    clients.set(pid, client);
    return client;
  };
  const send: NamesHost["send"] = async (container, messages, options = {}) => {
    const { server = inContainers, tcp = false, wait_ms = 15_000 } = options;
    const hex = messages.map((message) => message.toString("hex"));
    return (await clientOf(container)).send({ server, tcp, messages: hex, wait_ms });
  };
  const runDetached = (name: string, flags: readonly string[]) => [
    "run",
    "-d",
    "--name",
    name,
    ...flags,
    image,
    "sleep",
    "1000",
  ];
  stack = made.move();
  return {
    ...host,
    container: async (name, ...flags) => (await host.ok(runDetached(name, flags))).trim(),
    async containerWith(text, name, ...flags) {
      const file = join(host.dir, "host-resolv.conf");
      writeFileSync(file, text);
      const script = join(host.dir, "rt-with-servers");
      writeFileSync(script, `#!/bin/sh\nmount --bind ${file} /etc/resolv.conf\nexec ${rtBinary} "$@"\n`);
      chmodSync(script, 0o755);
      const { RT_ROOT, RT_STATE } = host.env;
      const environment = ["env", `RT_ROOT=${RT_ROOT}`, `RT_STATE=${RT_STATE}`];
      return (
        await host.inHost([...environment, "unshare", "-m", script, ...runDetached(name, flags)])
      ).trim();
    },
    async asContainer(container, line) {
      const [pid, id] = [await inspect(container, "{{.State.Pid}}"), await inspect(container, "{{.Id}}")];
      const file = join(host.env.RT_STATE!, "containers", id, "resolv.conf");
      const script = `mount --bind ${file} /etc/resolv.conf; mount --bind /dev/null /etc/hosts; ${line}`;
      return host.inHost(["nsenter", `--net=/proc/${pid}/ns/net`, "unshare", "-m", "sh", "-c", script]);
    },
    send,
    async ask(container, name, kind, options = {}) {
      const [hex] = await send(container, [question(name, kind, options)], options);
      return hex == null ? null : readAnswer(Buffer.from(hex, "hex"));
    },
    asked: (server) => odd.get(server)!.text,
    async serveOnHost(address) {
      odd.set(address, await start(oddServer(address), "serving", host.enter.host));
    },
    pidOf: async (container) => Number(await inspect(container, "{{.State.Pid}}")),
    async monitorOf(container) {
      const id = await inspect(container, "{{.Id}}");
      const text = await Bun.file(join(host.env.RT_STATE!, "containers", id, "pid")).text();
      return Number(/^monitor (\d+)/m.exec(text)![1]);
    },
    addressOf: (container) => inspect(container, "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

interface Client extends AsyncDisposable {
  send(order: object): Promise<(string | null)[]>;
}

function newClient(pid: string): Client {
  const command = [
    "nsenter",
    `--net=/proc/${pid}/ns/net`,
    "--",
    process.execPath,
    join(support, "dns-client.ts"),
  ];
  const child = Bun.spawn(command, {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env },
  });
  const lines = (async function* () {
    let held = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      held += decoder.decode(chunk, { stream: true });
      for (let end = held.indexOf("\n"); end >= 0; end = held.indexOf("\n")) {
        yield held.slice(0, end);
        held = held.slice(end + 1);
      }
    }
  })();
  let last: Promise<unknown> = Promise.resolve();
  return {
    send(order) {
      const turn = last.then(async () => {
        child.stdin.write(`${JSON.stringify(order)}\n`);
        await child.stdin.flush();
        const { value, done } = await lines.next();
        if (done) throw new Error("the client of name servers ended");
        return JSON.parse(value) as (string | null)[];
      });
      last = turn.catch(() => {});
      return turn;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
