/** `rt init` as process 1 of a pid namespace: everything of it but the machine (that is test/vm/init.test.ts). */
import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { mountPoints, processesMentioning } from "../support/leaks.ts";
import { openPty, type Pty } from "../support/pty.ts";
import { rtBinary } from "../support/rt.ts";
import { Transcript, until } from "../support/wait.ts";
import { catches, containerTests, image, nothingLeft, oneLine } from "./world.ts";

const { test, host } = containerTests(["unshare", "nsenter"]);

const inNamespace = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];

function configured(toml: string): string {
  const file = join(host().dir, "init.toml");
  writeFileSync(file, toml);
  return file;
}

function container(name: string, script: string, more = ""): string {
  return `[[container]]\nname = "${name}"\nimage = "${image}"\ncommand = ["sh", "-c", '''${script}''']\n${more}\n`;
}

interface Init extends AsyncDisposable {
  readonly stdout: Transcript;
  readonly stderr: Transcript;
  readonly exited: Promise<number>;
  /** Of process 1, as this machine counts. */
  pid(): Promise<number>;
}

function startInit(words: readonly string[]): Init {
  const child = Bun.spawn([...inNamespace, ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: host().env,
  });
  const [stdout, stderr] = [new Transcript(), new Transcript()];
  const drained = Promise.all([stdout.drain(child.stdout), stderr.drain(child.stderr)]);
  return {
    stdout,
    stderr,
    exited: child.exited.then(async (code) => {
      await drained;
      return code;
    }),
    pid: () => until("process 1", () => childrenOf(child.pid)[0]),
    async [Symbol.asyncDispose]() {
      const first = childrenOf(child.pid);
      child.kill("SIGKILL");
      await child.exited;
      // The namespace's process 1 goes last, when nothing in it holds a container's lock any more.
      await until("the namespace ends", () => !first.some((pid) => existsSync(`/proc/${pid}`)));
    },
  };
}

function init(toml: string): Init {
  return startInit([rtBinary, "init", "--config", configured(toml)]);
}

async function ended(running: Init): Promise<{ code: number; stdout: string; stderr: string }> {
  const code = await running.exited;
  return { code, stdout: running.stdout.text, stderr: running.stderr.text };
}

/** None of a process that is gone. */
function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, "utf8").split(" ").filter(Boolean).map(Number) : [];
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
}

/** rt itself, the one child of process 1 that is no helper. */
function sessionOf(processOne: number): Promise<number> {
  return until("the session", () => childrenOf(processOne).find((pid) => nameOf(pid) !== "rt-monitor"));
}

test("containers run side by side, their lines behind their names; the first failure is the status", async () => {
  await using running = init(
    container("one", "echo to out; echo to err >&2; printf 'no end'") +
      container("two", "exit 3") +
      container("three", "exit 4"),
  );
  expect(await ended(running)).toEqual({
    code: 3,
    stdout: "one | to out\none | no end\n",
    stderr: "one | to err\n",
  });
  await nothingLeft(host());
});

test("process 1 is rt-init, and holds next to nothing", async () => {
  await using running = init(container("one", "echo up; read x </dev/zero & wait", "stop-timeout = 0"));
  await running.stdout.waitFor("one | up");
  const pid = await running.pid();
  expect(nameOf(pid)).toBe("rt-init");
  const descriptors = readdirSync(`/proc/${pid}/fd`).sort();
  expect(descriptors).toEqual(["0", "1", "2", "3"]);
  const resident = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  expect(resident).toBeLessThan(300);
});

test("on-failure: again until it works, each time as a new container, after a longer pause", async () => {
  const script =
    "echo try >>/data/tries; test -e /fresh && exit 99; touch /fresh; test $(wc -l </data/tries) = 3";
  await using running = init(
    container("web", script, `restart = "on-failure"\nargs = ["-v", "${host().dir}/data:/data"]`),
  );
  expect(await ended(running)).toEqual({
    code: 0,
    stdout: "",
    stderr:
      "rt: container web ended with status 1, and starts again in 100 ms\n" +
      "rt: container web ended with status 1, and starts again in 200 ms\n",
  });
});

test("always: also after 0; a signal ends the wait for the next start", async () => {
  await using running = init(container("web", "exit 0", 'restart = "always"'));
  await running.stderr.waitFor("ended with status 0, and starts again in 1600 ms");
  const began = performance.now();
  process.kill(await running.pid(), "SIGTERM");
  expect(await running.exited).toBe(0);
  expect(performance.now() - began).toBeLessThan(1500);
});

const ends = { TERM: 15, INT: 2, USR1: 10, USR2: 12, PWR: 30, HUP: 1, "RTMIN+4": 38 };
for (const [name, signal] of Object.entries(ends)) {
  test(`SIG${name}: containers get their stop signal, and may take their time`, async () => {
    const polite =
      "trap 'echo stopping; sleep 0.2; echo done; exit 7' TERM; echo up; while :; do sleep 0.01; done";
    const deaf = "trap '' TERM; echo up; while :; do sleep 0.01; done";
    const [later, soon] = ["restart = 'always'\nargs = ['--init']", "stop-timeout = 0.1"];
    await using running = init(container("polite", polite, later) + container("deaf", deaf, soon));
    await running.stdout.waitFor(/(polite|deaf) \| up\n(polite|deaf) \| up/);
    process.kill(await running.pid(), signal);
    const { code, stdout, stderr } = await ended(running);
    expect(stdout).toContain("polite | stopping\npolite | done\n");
    expect(stderr).toBe("rt: container deaf did not end within its stop-timeout of 0.1 s: killed\n");
    expect(code).toBe(7);
    await nothingLeft(host());
  });
}

test("--stop-signal of a container is the one that it gets", async () => {
  const script = "trap 'echo quit; exit 0' QUIT; echo up; while :; do sleep 0.01; done";
  await using running = init(container("web", script, 'args = ["--stop-signal", "QUIT"]'));
  await running.stdout.waitFor("web | up");
  process.kill(await running.pid(), "SIGTERM");
  expect(await ended(running)).toMatchObject({ code: 0, stdout: "web | up\nweb | quit\n" });
});

test("a second signal does not wait for a container that takes its time", async () => {
  const deaf = "trap 'echo deaf' TERM; echo up; while :; do sleep 0.01; done";
  await using running = init(container("deaf", deaf, "stop-timeout = 600"));
  await running.stdout.waitFor("deaf | up");
  const pid = await running.pid();
  process.kill(pid, "SIGTERM");
  await running.stdout.waitFor("deaf | deaf");
  process.kill(pid, "SIGTERM");
  expect(await running.exited).toBe(137);
});

test("a signal while an image is being pulled ends it all", async () => {
  let asked = 0;
  const silent = () => {
    asked++;
    return new Promise<Response>(() => {});
  };
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: silent });
  try {
    for (const more of ['restart = "always"', "console = true"]) {
      await using running = init(
        `[[container]]\nname = "web"\nimage = "127.0.0.1:${server.port}/x"\n${more}\n`,
      );
      await until("the registry is asked", () => asked > 0);
      asked = 0;
      process.kill(await running.pid(), "SIGTERM");
      const { code, stderr } = await ended(running);
      // What was interrupted has not failed.
      expect([code, stderr]).toEqual([0, `rt: container web: pulling 127.0.0.1:${server.port}/x\n`]);
    }
  } finally {
    await server.stop(true);
  }
});

test("a session that is killed: one line, and nothing runs on", async () => {
  await using running = init(container("web", "echo up; while :; do sleep 0.01; done"));
  await running.stdout.waitFor("web | up");
  const pid = await running.pid();
  process.kill(await sessionOf(pid), "SIGKILL");
  const { code, stderr } = await ended(running);
  expect(oneLine(stderr)).toBe("the session was killed by signal 9");
  expect(code).toBe(137);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  // What a killed client leaves behind the next command puts right.
  await nothingLeft(host());
});

test("a session that ends without a word is told of too", async () => {
  await using running = init(container("web", "echo up; while :; do sleep 0.01; done"));
  await running.stdout.waitFor("web | up");
  const session = await sessionOf(await running.pid());
  await catches(session, 15);
  process.kill(session, "SIGHUP");
  const { code, stderr } = await ended(running);
  expect(oneLine(stderr)).toBe("the session was killed by signal 1");
  expect(code).toBe(129);
});

test("orphans are reaped, and so are the monitors of containers that have ended", async () => {
  const loop = "echo up; while :; do sleep 0.01; done";
  await using running = init(
    container("stays", loop, "stop-timeout = 0") + container("ends", "echo gone; exit 0"),
  );
  await running.stdout.waitFor("stays | up");
  await running.stdout.waitFor("ends | gone");
  const pid = await running.pid();
  const session = await sessionOf(pid);
  // Each ends before its child: that becomes process 1's.
  const enter = ["nsenter", "-t", String(pid), "-p", "sh", "-c"];
  for (let count = 0; count < 5; count++) await Bun.spawn([...enter, "sleep 0.05 & exec sleep 0"]).exited;
  const children = () => [...childrenOf(pid), ...childrenOf(session)];
  await until("one monitor is left", () => children().length === 2);
  for (const child of children()) expect(readFileSync(`/proc/${child}/stat`, "utf8")).not.toMatch(/\) Z /);
  process.kill(pid, "SIGTERM");
  expect(await running.exited).toBe(137);
});

test("what else runs in the namespace ends with it", async () => {
  await using running = init(container("web", "echo up; while :; do sleep 0.01; done", "stop-timeout = 0"));
  await running.stdout.waitFor("web | up");
  const pid = await running.pid();
  const other = Bun.spawn(["nsenter", "-t", String(pid), "-p", "sleep", "1000"]);
  await until("it sleeps", () => childrenOf(other.pid).length === 1 || nameOf(other.pid) === "sleep");
  process.kill(pid, "SIGTERM");
  expect(await running.exited).toBe(137);
  expect(await other.exited).not.toBe(0);
});

test("the console is a terminal for its container, and its end stops the others", async () => {
  const shell = `[[container]]\nname = "shell"\nimage = "${image}"\ncommand = ["sh"]\nconsole = true\n`;
  const loop = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done";
  const file = configured(container("web", loop) + shell);
  await using terminal: Pty = openPty([...inNamespace, rtBinary, "init", "--config", file], {
    env: { ...host().env, TERM: "xterm" },
  });
  await terminal.screen.waitFor("web | up");
  await terminal.screen.waitFor("# ");
  terminal.type("tty; exit 5\r");
  await terminal.screen.waitFor("/dev/pts/0");
  expect(await terminal.exited).toBe(5);
  expect(terminal.screen.text).toContain("web | bye");
});

test("the console's keys are its container's, and it comes back when its client is killed", async () => {
  const shell = `[[container]]\nname = "shell"\nimage = "${image}"\ncommand = ["sh"]\nconsole = true\nrestart = "on-failure"\n`;
  const words = [...inNamespace, rtBinary, "init", "--config", configured(shell)];
  await using terminal: Pty = openPty(words, { env: { ...host().env, TERM: "xterm" } });
  await terminal.screen.waitFor("# ");
  terminal.type("\x10\x11echo $((40 + 2)) still here\r");
  await terminal.screen.waitFor("42 still here");
  const client = processesMentioning(`rt run --root ${host().root}`).find(({ command }) =>
    command.includes("shell"),
  );
  process.kill(client!.pid, "SIGKILL");
  await terminal.screen.waitFor("rt: the client of container shell was killed: attached again");
  terminal.type("echo $((40 + 3)) again; exit 5\r");
  await terminal.screen.waitFor("43 again");
  // A failure, so that there is a next one, under the same name.
  await terminal.screen.waitFor("rt: container shell ended with status 5, and starts again");
  await terminal.screen.waitFor(/starts again in 100 ms[\s\S]*# /);
  terminal.type("exit\r");
  expect(await terminal.exited).toBe(0);
});

test("from outside its namespace: it is listed, and what cannot reach it says where it is", async () => {
  await using running = init(container("web", "echo up; while :; do sleep 0.01; done", "stop-timeout = 0"));
  await running.stdout.waitFor("web | up");
  expect(await host().ok(["ps", "--format", "{{.Names}}"])).toBe("web\n");
  for (const words of [
    ["exec", "web", "true"],
    ["kill", "web"],
    ["kill", "-s", "HUP", "web"],
    ["rm", "-f", "web"],
  ]) {
    const { stdout, stderr, code } = await host().rt(words);
    expect({ words, stdout, code }).toEqual({ words, stdout: "", code: 1 });
    expect(oneLine(stderr)).toEndWith(
      "runs in another pid namespace, under an rt init: only an rt in there reaches it",
    );
  }
  process.kill(await running.pid(), "SIGTERM");
  expect(await running.exited).toBe(137);
});

test("a caller that has closed its standard streams", async () => {
  for (const streams of ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"]) {
    const words = ["sh", "-c", `exec "$@" ${streams}`, "sh", rtBinary, "init", "--config"];
    await using running = startInit([...words, configured(container("web", "echo out; exit 3"))]);
    const stdout = /(^| )>&-/.test(streams) ? "" : "web | out\n";
    expect({ streams, ...(await ended(running)) }).toEqual({ streams, code: 3, stdout, stderr: "" });
  }
});

test("a file that is named from where the caller is", async () => {
  configured(container("web", "echo found"));
  const words = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", host().dir];
  await using running = startInit([...words, rtBinary, "init", "--config", "init.toml"]);
  expect(await ended(running)).toEqual({ code: 0, stdout: "web | found\n", stderr: "" });
});

test("a signal that comes before anything runs ends it", async () => {
  for (const words of [
    [rtBinary, "init", "--config"],
    ["bash", "-c", 'exec -a /init "$0" "$@"', rtBinary, "--config"],
  ]) {
    await using running = startInit([...words, configured(container("web", "echo up; sleep 1000"))]);
    const pid = await running.pid();
    const stub = () => /^(rt|init|rt-init)$/.test(nameOf(pid));
    await until("rt is executed", stub);
    process.kill(pid, "SIGTERM");
    // 0 once there is a session, which has not failed; before that it is the signal's.
    expect([0, 128 + 15]).toContain(await running.exited);
    expect(running.stdout.text).toBe("");
  }
});

test("the console's container takes the caller's environment with -e NAME, and is stopped by a signal", async () => {
  host().env.RT_TEST_GREETING = "arrives";
  try {
    const script = 'echo "$RT_TEST_GREETING"; trap "exit 6" TERM; echo up; while :; do sleep 0.01; done';
    const more = 'console = true\nargs = ["-e", "RT_TEST_GREETING"]';
    await using running = init(container("shell", script, more));
    await running.stdout.waitFor("arrives\nup\n");
    process.kill(await running.pid(), "SIGTERM");
    expect(await ended(running)).toEqual({ code: 6, stdout: "arrives\nup\n", stderr: "" });
  } finally {
    delete host().env.RT_TEST_GREETING;
  }
});

test("without a configuration the embedded image has the console", async () => {
  await using running = startInit([rtBinary, "init"]);
  const { code, stdout, stderr } = await ended(running);
  expect(stdout).toStartWith("Hello from a container made by rt.\n");
  expect(stderr).toBe("");
  expect(code).toBe(0);
});

test("called /init, words of a kernel are passed over", async () => {
  const words = ["sh", "-c", 'exec -a /init "$0" "$@"', rtBinary, "quiet", "splash", "--no-such-flag", "3"];
  await using running = startInit(["bash", ...words.slice(1)]);
  expect(await ended(running)).toMatchObject({ code: 0, stderr: "" });
  expect(running.stdout.text).toContain("Hello from a container");
});

test("as process 1 of a container, rt is the command that it was called with", async () => {
  await using running = startInit([rtBinary, "run", "--rm", image, "echo", "plain"]);
  expect(await ended(running)).toEqual({ code: 0, stdout: "plain\n", stderr: "" });
  await using version = startInit([rtBinary, "--version"]);
  expect((await ended(version)).stdout).toStartWith("rt version ");
});

test("hostname and mounts of the configuration are the namespace's own", async () => {
  const before = mountPoints();
  const target = join(host().dir, "mounted");
  const mount = `hostname = "box"\n[[mount]]\nsource = "none"\ntarget = "${target}"\ntype = "tmpfs"\noptions = "size=64k,ro"\n`;
  const more = `args = ["--network=host", "-v", "${target}:/mounted"]`;
  const script = "hostname; grep ' /mounted ' /proc/mounts";
  await using running = init(mount + container("web", script, more));
  const { stdout } = await ended(running);
  expect(stdout).toMatch(/^web \| box\nweb \| none \/mounted tmpfs ro,.*size=64k/);
  expect(hostname()).not.toBe("box");
  expect(mountPoints()).not.toContain(target);
  // Tests beside this one mount below their own directories.
  const isCommon = (path: string) => !path.includes("/rt-");
  expect(mountPoints().filter(isCommon)).toEqual(before.filter(isCommon));
});

const bad: [string, string][] = [
  ["x = [", "config file FILE: line 1: "],
  ['hostnam = "x"', 'config file FILE: unknown key "hostnam"'],
  [`[[container]]\nname = "aa"\nimage = "b"\nargs = ["--nope"]`, 'container "aa": unknown flag --nope'],
  ['[[container]]\nname = "aa"\nimage = "oci:/no/such"', "cannot start container aa: "],
  [
    '[[mount]]\ntarget = "/tmp"\ntype = "nosuchfs"\n[[container]]\nname = "aa"\nimage = "b"',
    "cannot mount nosuchfs on /tmp: this kernel has no file system nosuchfs, or as a module (ENODEV)",
  ],
  [
    '[[mount]]\nsource = "/dev/nosuchdisk"\ntarget = "/tmp"\ntype = "ext4"\n[[container]]\nname = "aa"\nimage = "b"',
    "cannot mount /dev/nosuchdisk on /tmp: /dev/nosuchdisk does not exist (ENOENT)",
  ],
  [
    `[[container]]\nname = "aa"\nimage = "${image}"\ncommand = ["/nope"]`,
    'cannot start container aa: exec: "/nope"',
  ],
];
for (const [toml, message] of bad) {
  test(`one line, and the end: ${message}`, async () => {
    await using running = init(toml);
    const { code, stdout, stderr } = await ended(running);
    expect(stdout).toBe("");
    expect(oneLine(stderr)).toStartWith(message.replace("FILE", join(host().dir, "init.toml")));
    expect(code).toBe(toml.includes("/nope") ? 127 : 125);
  });
}

test("a configuration that is not there", async () => {
  await using running = startInit([rtBinary, "init", "--config", "/no/such.toml"]);
  const { code, stderr } = await ended(running);
  expect(oneLine(stderr)).toBe("config file /no/such.toml does not exist");
  expect(code).toBe(125);
});

test("not process 1: one line", async () => {
  const { code, stderr } = await host().rt(["init"]);
  expect(oneLine(stderr)).toStartWith("init wants to be process 1: ");
  expect(code).toBe(125);
  const forged = await host().rt(["init"], { env: { RT_INIT: "machine" } });
  expect(oneLine(forged.stderr)).toStartWith("init wants to be process 1: ");
});
