/** Ports of containers while they live: changed, held, taken away, made again; and what others say about them. */
import { afterAll, afterEach, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { shareOf } from "../support/idle.ts";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { fetching, heldPorts, ledPorts, nobody, refused, serve } from "../support/port-host.ts";
import { probeBinary } from "../support/probe.ts";
import { needs } from "../support/root.ts";
import { Transcript, until } from "../support/wait.ts";
import { busyboxHost, image, persistently } from "./world.ts";

const { test, beforeAll } = needs({
  root: true,
  tools: ["busybox", "tar", "nft", "bash", "prlimit", "python3", ...networkTools],
});

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await host().ok(["network", "create", "--subnet", "10.5.0.0/20", "lab"]);
}, 120_000);

afterAll(async () => await made?.[Symbol.asyncDispose]());

afterEach(async () => {
  const all = (await host().ok(["ps", "-aq"])).trim();
  if (all !== "") await host().ok(["rm", "-f", ...all.split("\n")]);
  expect(await ledPorts(host())).toEqual([]);
  expect(await heldPorts(host())).toEqual([]);
});

/** Somebody else asks the kernel for it. */
async function bind(port: number): Promise<string> {
  const command = `timeout 0.3 ${await probeBinary()} serve ${port} other || true`;
  return (await host().inHost(["sh", "-c", command])).trim();
}

async function monitorOf(name: string): Promise<number> {
  const pid = (await host().ok(["inspect", "-f", "{{.State.Pid}}", name])).trim();
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}

test("published and taken back while it runs, and a restart keeps to it", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "8080:80"]);
  const { world, own } = fetching(host());
  expect(await host().ok(["port", "add", "web", "8081:80", "127.0.0.1:8082:80"])).toBe("");
  expect(await world("192.0.2.2", 8081)).toBe("web to 192.0.2.1\n");
  expect(await own("127.0.0.1", 8082)).toBe("web to 10.5.0.1\n");
  expect(await own("::1", 8081)).toBe("web to 10.5.0.1\n");
  expect(await bind(8081)).toBe("error EADDRINUSE listen");
  const places = ["127.0.0.1:8082", "0.0.0.0:8080", "0.0.0.0:8081", "[::]:8080", "[::]:8081"];
  expect((await host().ok(["port", "web", "80"])).trim().split("\n").sort()).toEqual(places.toSorted());
  const again = await host().rt(["port", "add", "web", "9000:90", "8081:90"]);
  expect([again.code, again.stderr.split("\n").length]).toEqual([1, 2]);
  expect(again.stderr).toContain("Bind for 0.0.0.0:8081 failed: port is already allocated");
  expect(await bind(9000)).toBe("serving");
  await host().ok(["port", "rm", "web", "8080:80"]);
  expect(await world("192.0.2.2", 8080)).toBe(refused);
  expect(await bind(8080)).toBe("serving");
  const none = await host().rt(["port", "rm", "web", "8080:80"]);
  expect([none.code, none.stderr]).toEqual([1, "rt: No public port '8080:80/tcp' published for web\n"]);
  await host().ok(["restart", "-t", "0", "web"]);
  await until("it is there again", async () => (await world("192.0.2.2", 8081)) === "web to 192.0.2.1\n");
  expect(await world("192.0.2.2", 8080)).toBe(refused);
  await host().ok(["port", "rm", "web", "80"]);
  expect(await host().ok(["port", "web"])).toBe("");
  await host().ok(["rename", "web", "add"]);
  await host().ok(["port", "add", "add", "8080:80"]);
  expect(await host().ok(["port", "add"])).toBe("80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n");
  expect(await host().ok(["port", "add", "80"])).toBe("0.0.0.0:8080\n[::]:8080\n");
  await host().ok(["stop", "-t", "0", "add"]);
  expect(await host().rt(["port", "add", "add", "8090:80"])).toMatchObject({ code: 1 });
});

test("a container whose networks change keeps its ports, which lead to where it is", async () => {
  await host().ok(["network", "create", "--subnet", "10.8.0.0/24", "--subnet", "fd08::/64", "second"]);
  await serve(host(), "web", ["--network", "lab", "-p", "8080:80", "-p", "[2001:db8::2]:8081:80"]);
  const { world, own } = fetching(host());
  const all = async () => [
    await world("192.0.2.2", 8080),
    await own("::1", 8080),
    await world("2001:db8::2", 8080),
    await world("2001:db8::2", 8081),
  ];
  const [four, six] = ["web to 192.0.2.1\n", "web to 2001:0db8:0000:0000:0000:0000:0000:0001\n"];
  const gateway = (number: number) => `web to 10.${number}.0.1\n`;
  expect(await all()).toEqual([four, gateway(5), gateway(5), gateway(5)]);
  await host().ok(["network", "connect", "second", "web"]);
  const own6 = "web to fd08:0000:0000:0000:0000:0000:0000:0001\n";
  expect(await all()).toEqual([four, own6, six, six]);
  await host().ok(["network", "disconnect", "lab", "web"]);
  expect(await all()).toEqual([four, own6, six, six]);
  expect(await ledPorts(host())).toEqual(["tcp . 8080 : 10.8.0.2 . 80"]);
  await host().ok(["network", "disconnect", "second", "web"]);
  expect(await world("192.0.2.2", 8080)).toBe(nobody);
  await host().ok(["network", "connect", "lab", "web"]);
  expect(await all()).toEqual([four, gateway(5), gateway(5), gateway(5)]);
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "rm", "second"]);
});

test("a client of before, whose datagrams the monitor hands on, finds the container where it is now", async () => {
  await host().ok(["network", "create", "--subnet", "10.9.0.0/24", "third"]);
  const datagrams = { verb: "serve-datagrams", port: 53 };
  await serve(host(), "web", ["--network", "lab", "--ip", "10.5.0.9", "-p", "5353:53/udp"], datagrams);
  const { own } = fetching(host(), "ask");
  const asked = () => own("::1", 5353, ["2000", "4001"]);
  expect(await asked()).toBe("web to 10.5.0.1\n");
  await host().ok(["network", "connect", "third", "web"]);
  await host().ok(["network", "disconnect", "lab", "web"]);
  await serve(host(), "next", ["--network", "lab", "--ip", "10.5.0.9"], datagrams);
  expect(await asked()).toBe("web to 10.9.0.1\n");
  await host().ok(["rm", "-f", "web"]);
  await host().ok(["network", "rm", "third"]);
});

test("what was to be published is, as soon as the container is in a network that leads out", async () => {
  await host().ok(["network", "create", "--internal", "vault"]);
  const flags = ["--network", "vault", "-p", "8080:80", "--expose", "90"];
  await host().ok(["run", "-d", "--name", "web", ...flags, image, "probe", "serve", "80", "web"]);
  const shown = () => host().ok(["ps", "--format", "{{.Ports}}"]);
  expect(await shown()).toBe("80/tcp, 90/tcp\n");
  await host().ok(["network", "connect", "lab", "web"]);
  expect(await shown()).toBe("90/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp\n");
  const { world } = fetching(host());
  expect(await world("192.0.2.2", 8080)).toBe("web to 192.0.2.1\n");
  await host().ok([
    "run",
    "-d",
    "--name",
    "late",
    "--network",
    "vault",
    ...flags.slice(2),
    image,
    "sleep",
    "1000",
  ]);
  const late = await host().rt(["network", "connect", "lab", "late"]);
  expect([late.code, late.stderr.split("\n").length]).toEqual([0, 2]);
  expect(late.stderr).toContain("the ports of container late are not published: driver failed programming");
  await host().ok(["rm", "-f", "web", "late"]);
  await host().ok(["network", "rm", "vault"]);
});

test("whatever becomes of the rules: a flush, and what a host's own table drops", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "8080:80"]);
  const { world } = fetching(host());
  await host().inHost(["nft", "flush", "ruleset"]);
  // The socket says nothing, nor does it refuse.
  expect(await world("192.0.2.2", 8080)).toBe(nobody);
  await host().ok(["network", "reload"]);
  expect(await world("192.0.2.2", 8080)).toBe("web to 192.0.2.1\n");
  await host().inHost(["nft", "flush", "ruleset"]);
  await serve(host(), "next", ["--network", "lab", "-p", "8081:80"]);
  expect(await world("192.0.2.2", 8080)).toBe("web to 192.0.2.1\n");
  expect(await world("192.0.2.2", 8081)).toBe("next to 192.0.2.1\n");
  await host().inHost(["nft", "flush", "ruleset"]);
  await host().ok(["port", "add", "web", "8082:80"]);
  for (const [port, name] of [
    [8080, "web"],
    [8081, "next"],
    [8082, "web"],
  ] as const)
    expect(await world("192.0.2.2", port)).toBe(`${name} to 192.0.2.1\n`);
  const drop =
    "add table ip other; add chain ip other f { type filter hook forward priority 10; }; add rule ip other f meta l4proto tcp ct original proto-dst 8080 drop";
  await host().inHost(["nft", drop]);
  expect(await world("192.0.2.2", 8080)).toBe(nobody);
  expect(await world("192.0.2.2", 8081)).toBe("next to 192.0.2.1\n");
  await host().inHost(["nft", "delete", "table", "ip", "other"]);
});

test("a monitor that is killed, and whoever was publishing: the next command finds nothing left", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "8080:80", "-p", "5353:53/udp"]);
  const [id] = (await host().ok(["ps", "-q", "--no-trunc"])).trim().split("\n");
  const pid = await host().ok(["inspect", "-f", "{{.State.Pid}}", "web"]);
  const monitor = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid.trim()}/status`, "utf8"))![1]!;
  process.kill(Number(monitor), "SIGKILL");
  await until("the monitor is gone", async () => !existsSync(`/proc/${monitor}`));
  await host().ok(["ps"]);
  expect(await ledPorts(host())).toEqual([]);
  expect(await bind(8080)).toBe("serving");
  expect(await host().ok(["inspect", "-f", "{{.State.Running}}", id!])).toBe("false\n");
  expect(await host().ok(["port", "web"])).toBe("");
});

test("kept by its restart policy: the same port, which is nobody else's meanwhile", async () => {
  const flags = ["--network", "lab", "-p", "8080:80", "--restart", "always"];
  await serve(host(), "web", flags);
  const { world } = fetching(host());
  const pid = (await host().ok(["inspect", "-f", "{{.State.Pid}}", "web"])).trim();
  process.kill(Number(pid), "SIGKILL");
  await until("it was started again", async () => {
    const [running, other] = (await host().ok(["inspect", "-f", "{{.State.Running}} {{.State.Pid}}", "web"]))
      .trim()
      .split(" ");
    return running === "true" && other !== pid && other !== "0";
  });
  await until("it answers", async () => (await world("192.0.2.2", 8080)) === "web to 192.0.2.1\n");
  expect(await bind(8080)).toBe("error EADDRINUSE listen");
});

test("a thousand ports of one container, and a proxy that carries what is larger than a socket takes", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "20000-20999:20000-20999", "-p", "8080:80"]);
  expect((await ledPorts(host())).length).toBe(1001);
  expect(await host().ok(["ps", "--format", "{{.Ports}}"])).toBe(
    "0.0.0.0:20000-20999->20000-20999/tcp, [::]:20000-20999->20000-20999/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp\n",
  );
  const monitor = await monitorOf("web");
  expect(readdirSync(`/proc/${monitor}/fd`).length).toBeGreaterThan(2002);
  const script = "while true; do head -c 3000000 /dev/zero | nc -l -p 90; done";
  await host().ok([
    "run",
    "-d",
    "--name",
    "big",
    "--network",
    "lab",
    "-p",
    "9090:90",
    image,
    "sh",
    "-c",
    script,
  ]);
  // By ::1: through the monitor.
  const read = `exec 3<>/dev/tcp/::1/9090; head -c 3000000 <&3 | wc -c`;
  await until("it listens", async () => {
    const output = await host()
      .inHost(["bash", "-c", read])
      .catch(() => "");
    return output.trim() === "3000000";
  });
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${monitor}/status`, "utf8"))![1]!;
  expect(Number(resident)).toBeLessThan(512);
  expect(await host().ok(["port", "web", "20999"])).toBe("0.0.0.0:20999\n[::]:20999\n");
});

test("connections for which no descriptor is left wait, and nobody looks for them all the time", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "9105:80"]);
  const pid = await monitorOf("web");
  const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
  // An even number: each connection takes two.
  const limit = descriptors() + 40;
  await host().inHost(["prlimit", "--pid", String(pid), `--nofile=${limit}:${limit}`]);
  const script =
    "for i in {1..60}; do exec {fd}<>/dev/tcp/::1/9105 || exit 1; done; echo connected; read end";
  const clients = Bun.spawn([...host().enter.host, "bash", "-c", script], {
    stdin: "pipe",
    stdout: "ignore",
  });
  try {
    await until("all are in use", () => descriptors() === limit);
    expect(await shareOf(pid)).toBeLessThan(0.1);
    expect(await host().ok(["exec", "web", "echo", "there"])).toBe("there\n");
  } finally {
    clients.kill("SIGKILL");
    await clients.exited;
  }
  await until("they are gone", () => descriptors() === limit - 40);
  expect(await fetching(host()).own("::1", 9105, ["20000"])).toBe("web to 10.5.0.1\n");
});

test("of a connection that is over on one side the other side's end is seen", async () => {
  await serve(host(), "web", ["--network", "lab", "-p", "9106:80"]);
  const pid = await monitorOf("web");
  const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
  const few = descriptors();
  // It has connections, and says nothing there.
  await host().ok(["kill", "-s", "STOP", "web"]);
  const script = `
import socket, struct, sys
s = socket.create_connection(("::1", 9106))
s.send(b"?")
s.shutdown(socket.SHUT_WR)
print("over", flush=True)
sys.stdin.readline()
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()
`;
  const client = Bun.spawn([...host().enter.host, "python3", "-c", script], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const output = new Transcript();
  void output.drain(client.stdout);
  await output.waitFor("over");
  await until("it is handed on", () => descriptors() === few + 2);
  client.stdin.write("\n");
  client.stdin.end();
  expect(await client.exited).toBe(0);
  await until("it is gone", () => descriptors() === few);
});

test("a hundred at once: each has ports of its own", async () => {
  // The last of a hundred waits for all the others, on a busy machine for long.
  const patient = { timeoutMs: 240_000 };
  const flags = ["--network", "lab", "-P", "--expose", "80-81"];
  const run = (name: string) =>
    persistently(`${name} runs`, () =>
      host().ok(["run", "-d", "--name", name, ...flags, image, "sleep", "1000"], patient),
    );
  await Promise.all(Array.from({ length: 100 }, (_, index) => run(`many${index}`)));
  const lines = (await host().ok(["ps", "--format", "{{.Ports}}"])).trim().split("\n");
  const ports = lines.flatMap((line) => [...line.matchAll(/0\.0\.0\.0:(\d+)/g)].map(([, port]) => port));
  expect([lines.length, new Set(ports).size]).toEqual([100, 200]);
  expect((await ledPorts(host())).length).toBe(200);
  const names = (await host().ok(["ps", "-q"])).trim().split("\n");
  await Promise.all(
    names.map((name) => persistently(`${name} is gone`, () => host().ok(["rm", "-f", name], patient))),
  );
}, 300_000);
