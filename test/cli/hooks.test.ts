/** OCI hooks: which, when, where, what they are given, and that those of the end run once. */
import { expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { TestHost } from "../support/host.ts";
import { allProcesses } from "../support/leaks.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { userConfig } from "./image-world.ts";
import { containerTests, image, oneLine, pidOf, running } from "./world.ts";

const { test, host } = containerTests(["unshare", "mount"]);

interface Hook {
  stage: string | string[];
  script: string;
  timeout?: number;
  when?: object;
  env?: string[];
}

/** Hooks that are shell scripts, each a file of a directory that the configuration names; and the file that they write to. */
function hooked(
  at: TestHost,
  hooks: Record<string, Hook>,
): { log: string; lines: () => string[] } & Disposable {
  const directory = join(at.dir, "hooks.d");
  const log = join(at.dir, "hook-log");
  rmSync(directory, { recursive: true, force: true });
  rmSync(log, { force: true });
  mkdirSync(directory);
  for (const [name, { stage, script, timeout, when = { always: true }, env = [] }] of Object.entries(hooks)) {
    const stages = [stage].flat();
    const hook = { path: "/bin/sh", args: ["sh", "-c", script, name], env: [`LOG=${log}`, ...env], timeout };
    writeFileSync(join(directory, `${name}.json`), JSON.stringify({ version: "1.0.0", hook, when, stages }));
  }
  const config = userConfig(at, `hooks-dirs = [${JSON.stringify(directory)}]\n`);
  const lines = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : []);
  return { log, lines, [Symbol.dispose]: () => rmSync(config, { force: true }) };
}

const said = (what: string) => `echo "${what}" >> $LOG`;

test("each stage in its order and its namespaces, with the container's state", async () => {
  const facts = 'echo "$0 $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/net) $(cat)"';
  using hooks = hooked(host(), {
    prestart: { stage: "prestart", script: `${facts} >> $LOG` },
    createRuntime: { stage: "createRuntime", script: `${facts} >> $LOG` },
    createContainer: { stage: "createContainer", script: `${facts} >> $LOG` },
    startContainer: { stage: "startContainer", script: `${facts} > /said` },
    poststart: { stage: "poststart", script: `${facts} >> $LOG` },
    poststop: { stage: "poststop", script: `${facts} >> $LOG` },
  });
  const flags = ["--annotation", "a=b", "--name", "hooked"];
  const inside = await host().ok([
    ...["run", ...flags, image, "sh", "-c"],
    "cat /said; echo program $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/net)",
  ]);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "hooked"])).trim();
  await host().ok(["rm", "hooked"]);
  const [started = "", program = ""] = inside.split("\n");
  const told = [...hooks.lines().slice(0, 3), started, ...hooks.lines().slice(3)].map(factsIn);
  expect(told.map(({ name }) => name)).toEqual([
    ...["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
  ]);
  const [, mount, network] = program.split(" ");
  const ours = ["mnt", "net"].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
  const theirs = [mount, network];
  // The shell of this test has a network namespace of its own, which is the host's to rt.
  expect(told.map(({ namespaces }) => namespaces)).toEqual([ours, ours, theirs, theirs, ours, ours]);
  expect(told.map(({ state }) => state.status)).toEqual([
    ...["creating", "creating", "creating", "created", "running", "stopped"],
  ]);
  for (const { state } of told) {
    expect(state).toMatchObject({ ociVersion: "1.2.0", id, annotations: { a: "b" } });
    expect(state.bundle).toBe(join(host().state, "containers", id));
  }
  const pids = told.map(({ state }) => state.pid);
  expect(pids[0]).toBeGreaterThan(1);
  expect([pids[1], pids[4]]).toEqual([pids[0], pids[0]]);
  expect([pids[2], pids[3], pids[5]]).toEqual([1, 1, undefined]);
});

function factsIn(line: string) {
  const [, name, mount, network, state] = /^(\S+) (\S+) (\S+) (.*)$/.exec(line) ?? [];
  return { name, namespaces: [mount, network], state: JSON.parse(state ?? "null") };
}

test("hooks find the container's files where the specification says, and change them, of a read-only one too", async () => {
  const root = `r=$(sed 's/.*"bundle":"\\([^"]*\\)".*/\\1/')/rootfs`;
  using hooks = hooked(host(), {
    runtime: {
      stage: "createRuntime",
      // In the mount namespace of the container's process, and nowhere else.
      script: `s=$(cat); p=$(echo "$s" | sed 's/.*"pid":\\([0-9]*\\).*/\\1/'); b=$(echo "$s" | sed 's/.*"bundle":"\\([^"]*\\)".*/\\1/')
        test ! -e $b/rootfs/bin && test -e /proc/$p/root$b/rootfs/bin/sh && grep -q '"createRuntime"' $b/config.json && ${said("runtime")}`,
    },
    container: {
      stage: "createContainer",
      script: `${root}; echo made > $r/made && mkdir -p $r/mnt && mount -t tmpfs x $r/mnt && ${said("container")}`,
    },
  });
  const program = ["sh", "-c", "cat /made; grep -c ' /mnt tmpfs' /proc/mounts; touch /new"];
  const { stdout, stderr, code } = await host().rt(["run", "--rm", "--read-only", image, ...program]);
  expect(hooks.lines()).toEqual(["runtime", "container"]);
  expect(stdout).toBe("made\n1\n");
  expect(stderr).toContain("Read-only file system");
  expect(code).toBe(1);
});

for (const stage of ["prestart", "createRuntime", "createContainer", "startContainer"]) {
  test(`a ${stage} hook that fails ends the start in one line, and nothing is left but the hooks of the end`, async () => {
    using hooks = hooked(host(), {
      "1": { stage, script: "echo out; echo first >&2; printf 'no \\033licence\\n' >&2; exit 3" },
      "2": { stage, script: "echo never >> $LOG" },
      "3": { stage: "poststop", script: said("stopped") },
    });
    const { stdout, stderr, code } = await host().rt(["run", "--name", "failing", image, "echo", "ran"]);
    expect(stdout).toBe("");
    const why = `the ${stage} hook /bin/sh failed with exit status 3: no \\x1blicence`;
    expect(oneLine(stderr)).toBe(`cannot start container failing: ${why}`);
    expect(code).toBe(125);
    expect(hooks.lines()).toEqual(["stopped"]);
  });
}

for (const stage of ["createRuntime", "createContainer", "startContainer"]) {
  test(`a ${stage} hook that takes too long goes with its process group`, async () => {
    using _ = hooked(host(), { late: { stage, script: "sleep 1007 & sleep 1007", timeout: 1 } });
    const { stderr, code } = await host().rt(["run", "--rm", "--name", "late", image, "true"]);
    expect(oneLine(stderr)).toBe(
      `cannot start container late: the ${stage} hook /bin/sh did not end within 1 s`,
    );
    expect(code).toBe(125);
    await until("the hook's processes are gone", () => !isRunning("sleep\0" + "1007\0"));
  });
}

function isRunning(words: string): boolean {
  return readdirSync("/proc").some((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1") === words;
    } catch {
      return false;
    }
  });
}

test("hooks after the start and after the end are only told of", async () => {
  using hooks = hooked(host(), {
    "1": { stage: ["poststart", "poststop"], script: "cat > /dev/null; echo why >&2; exit 4" },
    "2": { stage: ["poststart", "poststop"], script: said("second") },
  });
  const { stdout, stderr, code } = await host().rt(["run", "--rm", image, "sh", "-c", "echo ran; exit 7"]);
  expect(stdout).toBe("ran\n");
  const lines = ["poststart", "poststop"].map(
    (stage) => `rt: warning: the ${stage} hook /bin/sh failed with exit status 4: why\n`,
  );
  expect(stderr).toBe(lines.join(""));
  expect(code).toBe(7);
  expect(hooks.lines()).toEqual(["second", "second"]);
  const detached = await host().rt(["run", "-d", "--name", "told", image, "sleep", "1000"]);
  expect(detached.stderr).toBe("rt: warning: the poststart hook /bin/sh failed with exit status 4: why\n");
  await host().ok(["rm", "-f", "told"]);
});

test("while hooks after the start run, the program and all who come are served", async () => {
  const gate = join(host().dir, "gate");
  const wait = `while test ! -e ${gate}; do sleep 0.05; done`;
  using hooks = hooked(host(), {
    "1": { stage: "poststart", script: `${said("first")}; ${wait}; ${said("over")}` },
    "2": { stage: "poststart", script: said("second") },
  });
  const begun = () => until("the hook runs", () => hooks.lines().length > 0);
  const open = () => writeFileSync(gate, "");
  const program = ["sh", "-c", "echo out; exit 5"];
  const client = host().spawn(["run", "-d", "--name", "early", image, ...program]);
  await begun();
  expect(await host().ok(["wait", "early"])).toBe("5\n");
  expect(await host().ok(["logs", "early"])).toBe("out\n");
  expect(hooks.lines()).toEqual(["first"]);
  open();
  expect(await client.exited).toBe(0);
  expect(hooks.lines()).toEqual(["first", "over", "second"]);
  await host().ok(["rm", "early"]);
  for (const path of [gate, hooks.log]) rmSync(path);
  // A client that is to have all of the output has it after that.
  const attached = host().rt(["run", "--rm", image, "seq", "30000"]);
  await begun();
  open();
  const { stdout, stderr } = await attached;
  expect(stderr).toBe("");
  expect(stdout).toBe(Array.from({ length: 30_000 }, (_, index) => `${index + 1}\n`).join(""));
  rmSync(gate);
});

for (const [words, flags] of [
  [["rm", "-f"], ["-d"]],
  [["kill"], ["-d", "--rm"]],
  [["kill"], ["--rm"]],
] as const) {
  test(`rt ${words.join(" ")} of a run ${flags.join(" ")} takes the hook after the start along`, async () => {
    using hooks = hooked(host(), {
      "1": { stage: "poststart", script: `${said("first")}; sleep 1031 & sleep 1031` },
      "2": { stage: "poststart", script: said("second") },
      "3": { stage: "poststop", script: said("end") },
    });
    const client = host().spawn(["run", ...flags, "--name", "wanted", image, "sleep", "1000"]);
    await until("the hook runs", () => hooks.lines().length > 0);
    await host().ok([...words, "wanted"]);
    await until("the hook's processes are gone", () => !isRunning("sleep\0" + "1031\0"));
    expect(await client.exited).toBe(flags[0] === "-d" ? 0 : 137);
    await until("the end", () => hooks.lines().length > 1);
    expect(hooks.lines()).toEqual(["first", "end"]);
  });
}

test("a hook has its own environment, and no descriptor of ours", async () => {
  const script =
    'cat > /dev/null; echo "$0 $(env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= | sort | tr "\\n" " ")$(ls /proc/self/fd | tr "\\n" " ")$(pwd)" >> $LOG';
  const stage = ["createRuntime", "createContainer", "poststart", "poststop"];
  using hooks = hooked(host(), { all: { stage, script, env: ["A=b c"] } });
  await host().ok(["run", "--rm", image, "true"]);
  // ls has its directory open.
  const line = `all A=b c LOG=${hooks.log} 0 1 2 3 /`;
  expect(hooks.lines()).toEqual([line, line, line, line]);
});

test("a hook that does not read its state is not the end of the start", async () => {
  using _ = hooked(host(), { deaf: { stage: "createContainer", script: "exec 0<&-; exit 0" } });
  // More than a pipe holds; and a stage that is no process 1, which no signal of its own would end.
  const long = `long=${"x".repeat(100_000)}`;
  await host().ok(["run", "--rm", "--pid", "host", "--annotation", long, image, "true"]);
});

test("a startContainer hook has the program's rights and user", async () => {
  const script = "grep -e ^Cap -e ^Uid /proc/self/status > /tmp/hook";
  using _ = hooked(host(), { start: { stage: "startContainer", script } });
  const flags = ["--tmpfs", "/tmp:mode=1777", "-u", "1234:5", "--cap-drop", "ALL", "--init"];
  const program = "grep -e ^Cap -e ^Uid /proc/self/status | diff - /tmp/hook && echo same";
  expect(await host().ok(["run", "--rm", ...flags, image, "sh", "-c", program])).toBe("same\n");
});

test("in a joined pid namespace only what has no more rights than the program can be named by others", async () => {
  const facts = 'cat > /dev/null; echo "$0 $(readlink /proc/self/ns/pid)"';
  using hooks = hooked(host(), {
    createContainer: { stage: "createContainer", script: `${facts} >> $LOG` },
    startContainer: { stage: "startContainer", script: `${facts} > /said` },
  });
  await using other = await running(host());
  const theirs = readlinkSync(`/proc/${await pidOf(host(), other.name)}/ns/pid`);
  const flags = ["--rm", "--pid", `container:${other.name}`];
  expect(await host().ok(["run", ...flags, image, "cat", "/said"])).toBe(`startContainer ${theirs}\n`);
  const ours = readlinkSync("/proc/self/ns/pid");
  // That of the other container's own, and of one that joins it.
  expect(hooks.lines()).toEqual([`createContainer ${theirs}`, `createContainer ${ours}`]);
});

test("a hook finds the container's network", async () => {
  if (process.env.RT_NETWORK === "none") return;
  const script = `p=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/'); grep -q eth0 /proc/$p/net/dev && ${said("eth0")}`;
  using hooks = hooked(host(), { net: { stage: "prestart", script } });
  await host().ok(["run", "--rm", image, "true"]);
  expect(hooks.lines()).toEqual(["eth0"]);
});

test("the hooks of the end run once, whichever way that comes", async () => {
  using hooks = hooked(host(), { end: { stage: "poststop", script: said("end") } });
  const ends = async (count: number) => {
    await until(`${count} ends`, () => hooks.lines().length >= count);
    await host().ok(["ps", "-a"]);
    expect(hooks.lines().length).toBe(count);
  };
  // Attached, with --rm and without.
  await host().ok(["run", "--rm", image, "true"]);
  await ends(1);
  await host().ok(["run", "--name", "once", image, "true"]);
  await ends(2);
  await host().ok(["start", "-a", "once"]);
  await ends(3);
  await host().ok(["rm", "once"]);
  await ends(3);
  // Detached: its monitor's successor.
  await host().ok(["run", "-d", "--rm", image, "true"]);
  await ends(4);
  await host().ok(["run", "-d", "--name", "long", image, "sleep", "1000"]);
  await host().ok(["stop", "-t", "0", "long"]);
  await ends(5);
  await host().ok(["start", "long"]);
  await host().ok(["rm", "-f", "long"]);
  await ends(6);
  // A client that is killed.
  {
    await using killed = await running(host());
    killed.client.kill("SIGKILL");
    await killed.client.exited;
    await host().ok(["kill", killed.name]);
    await ends(7);
  }
  // Its monitor.
  await host().ok(["run", "-d", "--name", "lost", image, "sleep", "1000"]);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "lost"])).trim();
  const pids = readFileSync(join(host().state, "containers", id, "pid"), "utf8");
  process.kill(Number(/^monitor (\d+)/m.exec(pids)![1]), "SIGKILL");
  await until("it is seen to be over", async () => (await host().ok(["ps", "-q"])).trim() === "");
  await ends(8);
  await host().ok(["rm", "lost"]);
  // Each start of a restart policy.
  await host().ok(["run", "-d", "--name", "again", "--restart", "on-failure:2", image, "false"]);
  await ends(11);
  await host().ok(["rm", "again"]);
  await ends(11);
});

test("whoever comes meanwhile neither runs them again nor waits for them, but a start does", async () => {
  const gate = join(host().dir, "gate");
  using hooks = hooked(host(), {
    end: { stage: "poststop", script: `${said("end")}; while test ! -e ${gate}; do sleep 0.05; done` },
  });
  await host().ok(["create", "--name", "slow", image, "true"]);
  await host().ok(["start", "slow"]);
  await until("the hook runs", () => hooks.lines().length === 1);
  await host().ok(["ps", "-a"]);
  await host().ok(["inspect", "slow"]);
  const again = host().spawn(["start", "slow"]);
  await host().ok(["ps", "-a"]);
  expect(hooks.lines()).toEqual(["end"]);
  writeFileSync(gate, "");
  expect(await again.exited).toBe(0);
  await until("the second end", () => hooks.lines().length === 2);
  await until("it is over", async () => !existsSync(join(host().state, "containers", await idOf("slow"))));
  await host().ok(["rm", "slow"]);
  expect(hooks.lines()).toEqual(["end", "end"]);
  rmSync(gate);
});

async function idOf(name: string): Promise<string> {
  return (await host().ok(["inspect", "-f", "{{.Id}}", name])).trim();
}

test("a start that never ends inside goes with its client, however that goes", async () => {
  using hooks = hooked(host(), {
    // All of it is the container's: what it does, and for how long.
    start: { stage: "startContainer", script: "exec sleep 1017", timeout: 1000 },
    end: { stage: "poststop", script: said("end") },
  });
  await using client = host().spawn(["run", "--rm", "--name", "stuck", image, "true"]);
  const isThere = () => [...allProcesses().values()].some((command) => command.includes("sleep 1017"));
  await until("the hook runs", isThere);
  client.kill("SIGKILL");
  await until("it is gone", () => !isThere());
  await until("the next command sees to the end", async () => {
    await host().ok(["ps", "-a"]);
    return hooks.lines().length > 0;
  });
  await host().rt(["rm", "-f", "stuck"]);
  expect(hooks.lines()).toEqual(["end"]);
});

test("a start that is called off takes the hook that runs with it", async () => {
  using hooks = hooked(host(), {
    wait: { stage: "createRuntime", script: `echo $$ >> $LOG; exec sleep 1013` },
    end: { stage: "poststop", script: said("end") },
  });
  const client = host().spawn(["run", "--rm", image, "true"]);
  const [pid] = await until("the hook runs", () => (hooks.lines().length > 0 ? hooks.lines() : undefined));
  client.kill("SIGINT");
  expect(await client.exited).toBe(130);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(hooks.lines().slice(1)).toEqual(["end"]);
});

test("a client that is killed while a hook runs takes it along, and the next command runs those of the end", async () => {
  using hooks = hooked(host(), {
    wait: { stage: "createRuntime", script: `echo $$ >> $LOG; exec sleep 1013` },
    end: { stage: "poststop", script: said("end") },
  });
  const client = host().spawn(["run", "--rm", image, "true"]);
  const [pid] = await until("the hook runs", () => (hooks.lines().length > 0 ? hooks.lines() : undefined));
  client.kill("SIGKILL");
  await client.exited;
  await until("the hook is gone", () => !existsSync(`/proc/${pid}`));
  await until("the end", async () => {
    await host().ok(["ps", "-a"]);
    return hooks.lines().length > 1;
  });
  expect(hooks.lines().slice(1)).toEqual(["end"]);
});

test("of hooks of the end only the one is run again during which everybody was killed", async () => {
  const gate = join(host().dir, "gate");
  using hooks = hooked(host(), {
    "1": { stage: "poststop", script: said("first") },
    "2": { stage: "poststop", script: `${said("second")}; test -e ${gate} || exec sleep 1019` },
    "3": { stage: "poststop", script: said("third") },
  });
  for (const flags of [["--rm"], ["--name", "cut"]]) {
    const before = hooks.lines().length;
    const client = host().spawn(["run", ...flags, image, "true"]);
    await until("the second hook runs", () => hooks.lines().length === before + 2);
    client.kill("SIGKILL");
    await client.exited;
    await until("the hook is gone", () => !isRunning("sleep\0" + "1019\0"));
    writeFileSync(gate, "");
    await until("the end", async () => {
      await host().ok(["ps", "-a"]);
      return hooks.lines().length >= before + 4;
    });
    expect(hooks.lines().slice(before)).toEqual(["first", "second", "second", "third"]);
    rmSync(gate);
  }
  await host().ok(["rm", "cut"]);
});

test("podman's directories, where the configuration names none", async () => {
  using hooks = hooked(host(), {
    both: { stage: "prestart", script: said("etc") },
    share: { stage: "prestart", script: said("share") },
  });
  const directory = join(host().dir, "hooks.d");
  hooks[Symbol.dispose]();
  // In a mount namespace in which /etc and /usr/share can be written.
  const layers = join(host().dir, "layers");
  const lay = (place: string) => {
    const [upper, work] = [`${layers}${place}/upper`, `${layers}${place}/work`];
    const options = `lowerdir=${place},upperdir=${upper},workdir=${work}`;
    const made = `${place}/containers/oci/hooks.d`;
    return `mkdir -p ${upper} ${work}; mount -t overlay o -o ${options} ${place}; mkdir -p ${made}`;
  };
  const script = `set -e; mkdir ${layers}; mount -t tmpfs t ${layers}; ${lay("/etc")}; ${lay("/usr/share")}
    cd ${directory}; cp share.json /usr/share/containers/oci/hooks.d/both.json
    cp share.json /usr/share/containers/oci/hooks.d/; cp both.json /etc/containers/oci/hooks.d/; exec "$@"`;
  const words = ["unshare", "-m", "sh", "-c", script, "sh", rtBinary, "run", "--rm", image, "true"];
  const child = Bun.spawnSync(words, { env: host().env });
  expect(`${child.stdout}${child.stderr}`).toBe("");
  expect(hooks.lines()).toEqual(["etc", "share"]);
  rmSync(layers, { recursive: true });
});

test("of which containers, and from the configuration itself", async () => {
  using hooks = hooked(host(), {
    bind: { stage: "prestart", script: said("bind"), when: { hasBindMounts: true } },
    command: { stage: "prestart", script: said("command"), when: { commands: ["^tru"] } },
    noted: { stage: "prestart", script: said("noted"), when: { annotations: { "^x\\.y$": "^z" } } },
  });
  await host().ok(["run", "--rm", image, "echo"]);
  expect(hooks.lines()).toEqual([]);
  await host().ok(["run", "--rm", "-v", `${host().dir}:/mnt`, "--annotation", "x.y=zzz", image, "true"]);
  expect(hooks.lines()).toEqual(["bind", "command", "noted"]);
  const hook = `{ path = "/bin/sh", args = ["sh", "-c", "echo inline >> ${hooks.log}"] }`;
  const directory = join(host().dir, "hooks.d");
  userConfig(
    host(),
    `hooks-dirs = ["${directory}"]\n[[hooks]]\nwhen = { always = true }\nstages = ["prestart"]\nhook = ${hook}\n`,
  );
  await host().ok(["run", "--rm", image, "true"]);
  expect(hooks.lines().slice(3)).toEqual(["command", "inline"]);
});

test("a mistake in a hook's file keeps a container from its start, in one line", async () => {
  using _ = hooked(host(), {});
  const file = join(host().dir, "hooks.d", "bad.json");
  writeFileSync(
    file,
    JSON.stringify({ version: "1.0.0", hook: { path: "x" }, when: { always: true }, stages: [] }),
  );
  const { stderr, code } = await host().rt(["run", "--rm", "--name", "bad", image, "true"]);
  expect(oneLine(stderr)).toStartWith(
    `cannot start container bad: hook file ${file}: stages must be some of prestart`,
  );
  expect(code).toBe(125);
});
