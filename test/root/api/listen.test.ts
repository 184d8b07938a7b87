/** Where `rt daemon` listens, and how it ends. */
import { expect } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serveApi } from "../../../src/daemon/daemon.ts";
import { listenUnix } from "../../../src/daemon/listen.ts";
import { ask } from "../../../src/http/client.ts";
import { type ConnectTo, connectDuplex } from "../../../src/http/socket.ts";
import { fakeEngine } from "../../support/fake-engine.ts";
import { needs } from "../../support/root.ts";
import { rtBinary } from "../../support/rt.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { testSession } from "../../support/session.ts";
import { namedTls, testAuthority, testTls } from "../../support/test-tls.ts";
import { Transcript } from "../../support/wait.ts";

const { test } = needs({ root: true, tools: ["python3"] });

interface Place extends AsyncDisposable {
  dir: string;
  undo: AsyncDisposableStack;
}

function place(): Place {
  const dir = mkdtempSync(join(scratchDirectory(), "rt-listen-"));
  const undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(dir, { recursive: true, force: true }));
  return { dir, undo, [Symbol.asyncDispose]: () => undo.disposeAsync() };
}

/** In this process, over an engine that does nothing. */
async function served({ dir, undo }: Place, hosts: string[], parts: object = {}): Promise<string[]> {
  const end = new AbortController();
  const engine = await fakeEngine().open(testSession(), {});
  const listening = Promise.withResolvers<readonly string[]>();
  const over = serveApi({
    hosts: hosts.map((host) => host.replace("DIR", dir)),
    engine,
    env: {},
    onListening: listening.resolve,
    warn: () => {},
    abort: end.signal,
    ...parts,
  });
  undo.defer(async () => {
    end.abort();
    // Where it never listened, that was told already.
    await Promise.allSettled([over]);
  });
  return [...(await Promise.race([listening.promise, over.then(() => [])]))];
}

/** @returns the status, or undefined where nobody answers */
async function statusOf(
  to: ConnectTo,
  target = "/_ping",
  fields: [string, string][] = [],
): Promise<number | undefined> {
  try {
    const wire = await connectDuplex(to);
    try {
      const { status } = await ask(wire, {
        method: "GET",
        target,
        fields: [["Host", "localhost"], ...fields],
      });
      return status;
    } finally {
      wire.destroy();
    }
  } catch {
    return undefined;
  }
}

test("a unix socket is its owner's and its group's, and goes with the daemon", async () => {
  await using where = place();
  const path = join(where.dir, "own", "rt.sock");
  {
    await using inner = {
      dir: where.dir,
      undo: new AsyncDisposableStack(),
      [Symbol.asyncDispose]: async () => {},
    };
    await served(inner, ["unix://DIR/own/rt.sock"], { group: 12_345 });
    const { mode, gid } = statSync(path);
    expect([mode & 0o777, gid]).toEqual([0o660, 12_345]);
    const directory = statSync(join(where.dir, "own"));
    expect([directory.mode & 0o777, directory.gid]).toEqual([0o710, 12_345]);
    expect(await statusOf({ unix: path })).toBe(200);
    await inner.undo.disposeAsync();
  }
  expect(existsSync(path)).toBe(false);
});

test("a dead socket is replaced, a live one and another file are refused", async () => {
  await using where = place();
  const path = join(where.dir, "rt.sock");
  const dead = Bun.spawnSync([
    "python3",
    "-c",
    `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(path)})`,
  ]);
  expect(dead.exitCode).toBe(0);
  expect(lstatSync(path).isSocket()).toBe(true);
  await served(where, ["unix://DIR/rt.sock"]);
  expect(await statusOf({ unix: path })).toBe(200);
  await expect(listenUnix(path, () => {})).rejects.toThrow("somebody listens there already");
  const file = join(where.dir, "file");
  writeFileSync(file, "");
  await expect(listenUnix(file, () => {})).rejects.toThrow("there is something else");
  expect(existsSync(file)).toBe(true);
  await expect(listenUnix(join(where.dir, "x".repeat(120)), () => {})).rejects.toThrow(
    "longer than 107 bytes",
  );
});

test("a socket is alive whose queue is full", async () => {
  await using where = place();
  const path = join(where.dir, "rt.sock");
  const script = `
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(path)}); s.listen(0)
first = socket.socket(socket.AF_UNIX); first.connect(${JSON.stringify(path)})
print("full", flush=True); time.sleep(600)
`;
  const child = Bun.spawn(["python3", "-c", script], { stdout: "pipe" });
  where.undo.defer(() => child.kill(9));
  const output = new Transcript();
  void output.drain(child.stdout);
  await output.waitFor("full");
  await expect(listenUnix(path, () => {})).rejects.toThrow("somebody listens there already");
  expect(lstatSync(path).isSocket()).toBe(true);
});

test("of many who want the same place at once one has it", async () => {
  await using where = place();
  const path = join(where.dir, "rt.sock");
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, () => listenUnix(path, (wire) => wire.destroy())),
  );
  const won = all.filter(({ status }) => status === "fulfilled");
  for (const each of won) if (each.status === "fulfilled") where.undo.defer(() => each.value.stop());
  expect(won).toHaveLength(1);
});

test("nobody ever connects to a socket that is open to more than it will be", async () => {
  await using where = place();
  chmodSync(where.dir, 0o755);
  const path = join(where.dir, "rt.sock");
  // Somebody else tries all the time.
  const script = `
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print("ready", flush=True)
refused = 0
while refused < 200000:
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(${JSON.stringify(path)}); print("CONNECTED", flush=True); sys.exit(1)
    except PermissionError: refused += 1
    except OSError: pass
    s.close()
    if os.path.exists(${JSON.stringify(join(where.dir, "stop"))}): break
print("refused", refused > 0, flush=True)
`;
  const child = Bun.spawn(["python3", "-c", script], { stdout: "pipe", stderr: "inherit" });
  where.undo.defer(() => child.kill(9));
  const output = new Transcript();
  const reading = output.drain(child.stdout);
  await output.waitFor("ready");
  for (let round = 0; round < 100; round++) {
    const listener = await listenUnix(path, (wire) => wire.destroy(), { group: 12_345 });
    listener.stop();
  }
  const last = await listenUnix(path, (wire) => wire.destroy(), { group: 12_345 });
  where.undo.defer(() => last.stop());
  writeFileSync(join(where.dir, "stop"), "");
  await child.exited;
  await reading;
  expect(output.text).not.toContain("CONNECTED");
});

test("a port that cannot be had says why", async () => {
  await using where = place();
  const [address] = await served(where, ["tcp://127.0.0.1:0"]);
  await expect(served(where, [address!])).rejects.toThrow(`${address}: somebody listens there already`);
});

test("a port for others needs mutual TLS, and who has no certificate, or a stranger's, is not heard", async () => {
  await using where = place();
  for (const host of ["tcp://0.0.0.0:0", "tcp://[::]:0"])
    await expect(served(where, [host])).rejects.toThrow("use --tlsverify with --tlscacert");
  const files = { ca: testAuthority, cert: namedTls.cert, key: namedTls.key };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(where.dir, name), text);
  const [cert, key, ca] = ["cert", "key", "ca"].map((name) => join(where.dir, name)) as [
    string,
    string,
    string,
  ];
  await expect(served(where, ["tcp://0.0.0.0:0"], { tls: { cert, key } })).rejects.toThrow("use --tlsverify");
  const [address] = await served(where, ["tcp://127.0.0.1:0"], { tls: { cert, key, clientAuthority: ca } });
  const port = Number(address!.split(":").at(-1));
  const to = (tls: object) => ({ hostname: "127.0.0.1", port, tls: { ca: testAuthority, ...tls } });
  expect(await statusOf(to(namedTls))).toBe(200);
  expect(await statusOf(to({}))).toBeUndefined();
  expect(await statusOf(to(testTls))).toBeUndefined();
  expect(await statusOf({ hostname: "127.0.0.1", port })).toBeUndefined();
  expect(await statusOf(to(namedTls), "/_ping", [["Origin", "https://page.example"]])).toBe(403);
});

test("a page in a browser does not reach a port of the loopback interface", async () => {
  await using where = place();
  const [address] = await served(where, ["tcp://127.0.0.1:0"]);
  const to = { hostname: "127.0.0.1", port: Number(address!.split(":").at(-1)) };
  const asked = async (host: string, fields: [string, string][] = []) => {
    const wire = await connectDuplex(to);
    try {
      return (await ask(wire, { method: "GET", target: "/_ping", fields: [["Host", host], ...fields] }))
        .status;
    } finally {
      wire.destroy();
    }
  };
  expect(await asked(`127.0.0.1:${to.port}`)).toBe(200);
  expect(await asked("localhost")).toBe(200);
  expect(await asked("rebound.example")).toBe(403);
  expect(await asked("")).toBe(403);
  expect(await asked("localhost", [["Origin", "https://page.example"]])).toBe(403);
  expect(await asked("localhost", [["Origin", "null"]])).toBe(403);
  expect(await asked("localhost", [["Sec-Fetch-Site", "cross-site"]])).toBe(403);
});

/** The executable, with what stands before it. */
function daemon(
  { dir, undo }: Place,
  words: string[],
  env: Record<string, string> = {},
  before: string[] = [],
) {
  const argv = [...before, rtBinary, "daemon", ...words];
  const [root, state] = [join(dir, "root"), join(dir, "state")];
  const child = Bun.spawn(argv, {
    env: { ...process.env, RT_ROOT: root, RT_STATE: state, ...env },
    stderr: "pipe",
  });
  undo.defer(async () => {
    child.kill(9);
    await child.exited;
  });
  const stderr = new Transcript();
  void stderr.drain(child.stderr);
  return { child, stderr };
}

/** Listens, and becomes its words with that as descriptor 3, as systemd does. */
const activate = `
import os, socket, sys
path, argv = sys.argv[1], sys.argv[2:]
s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(64)
fd = s.detach()
if fd != 3: os.dup2(fd, 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="rt.socket")
os.execv(argv[0], argv)
`;

test("a socket of systemd's is served, told of, and left as it was", async () => {
  await using where = place();
  const path = join(where.dir, "activated.sock");
  const notify = join(where.dir, "notify");
  const manager = Bun.spawn(
    [
      "python3",
      "-c",
      `import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(${JSON.stringify(notify)})\nprint("bound", flush=True)\nwhile True: print(s.recv(100).decode(), flush=True)`,
    ],
    { stdout: "pipe" },
  );
  where.undo.defer(() => manager.kill(9));
  const told = new Transcript();
  void told.drain(manager.stdout);
  await told.waitFor("bound");
  const { child, stderr } = daemon(where, ["-H", "fd://"], { NOTIFY_SOCKET: notify }, [
    "python3",
    "-c",
    activate,
    path,
  ]);
  await stderr.waitFor("API listen on fd://3");
  await told.waitFor("READY=1");
  for (let round = 0; round < 10; round++) {
    // No more at once than its queue takes.
    const all = await Promise.all(Array.from({ length: 20 }, () => statusOf({ unix: path })));
    expect(new Set(all)).toEqual(new Set([200]));
  }
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  await told.waitFor("STOPPING=1");
  expect(lstatSync(path).isSocket()).toBe(true);
});

test("a port of systemd's is refused: it has no more to tell who asks than a unix socket's mode", async () => {
  await using where = place();
  const port = activate.replace("AF_UNIX", "AF_INET").replace("s.bind(path)", 's.bind(("127.0.0.1", 0))');
  const { child, stderr } = daemon(where, ["-H", "fd://"], {}, ["python3", "-c", port, "-"]);
  await stderr.waitFor("cannot listen on fd://3: it is no unix socket");
  expect(await child.exited).toBe(125);
});

test("without a socket of systemd's fd:// is refused", async () => {
  await using where = place();
  const { child, stderr } = daemon(where, ["-H", "fd://"], { LISTEN_PID: "1", LISTEN_FDS: "1" });
  expect(await child.exited).toBe(125);
  await stderr.waitFor("systemd has handed over no such socket");
});

test("who is not used ends after a while, and not while somebody is connected", async () => {
  await using where = place();
  const { child, stderr } = daemon(where, ["-H", `unix://${where.dir}/rt.sock`, "--idle-timeout", "300ms"]);
  await stderr.waitFor("API listen");
  const wire = await connectDuplex({ unix: join(where.dir, "rt.sock") });
  // Longer than it would wait: that it still answers then is what is looked at.
  await Bun.sleep(700);
  expect((await ask(wire, { method: "GET", target: "/_ping", fields: [["Host", "x"]] })).status).toBe(200);
  wire.destroy();
  expect(await child.exited).toBe(0);
  expect(existsSync(join(where.dir, "rt.sock"))).toBe(false);
});

test("kill -9 leaves nothing in the way", async () => {
  await using where = place();
  const path = join(where.dir, "rt.sock");
  for (let round = 0; round < 3; round++) {
    const { child, stderr } = daemon(where, ["-H", `unix://${path}`]);
    await stderr.waitFor("API listen");
    expect(await statusOf({ unix: path })).toBe(200);
    child.kill(9);
    await child.exited;
  }
  expect(existsSync(path)).toBe(true);
});

test("SIGTERM ends those who follow, and waits for what is at work", async () => {
  await using where = place();
  const path = join(where.dir, "rt.sock");
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const engine = await fakeEngine({
    system: {
      version: (async () => {
        started.resolve();
        await release.promise;
        return {};
      }) as never,
    },
  }).open(testSession(), {});
  const end = new AbortController();
  const listening = Promise.withResolvers<void>();
  const over = serveApi({
    hosts: [`unix://${path}`],
    engine,
    env: {},
    onListening: () => listening.resolve(),
    warn: () => {},
    abort: end.signal,
  });
  await listening.promise;
  const [working, silent] = [await connectDuplex({ unix: path }), await connectDuplex({ unix: path })];
  const answer = ask(working, { method: "GET", target: "/version", fields: [["Host", "x"]] });
  await started.promise;
  end.abort();
  expect(await silent.read()).toBeUndefined();
  expect(await statusOf({ unix: path })).toBeUndefined();
  release.resolve();
  expect((await answer).status).toBe(200);
  await over;
});
