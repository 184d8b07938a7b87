/** `rt exec`: another program in a running container. */
import { expect } from "bun:test";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { allProcesses } from "../support/leaks.ts";
import { facts, factsNamed } from "../support/probe.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, type Running, running } from "./world.ts";

/** They are shared by the tests of this file, so the check after each one must not want them gone. */
const { test, beforeAll, host } = containerTests([], { keeps: true });
const kinds = { plain: [] as string[], "with an init": ["--init"] };
const shared = new Map<string, Running>();

beforeAll(async () => {
  for (const [kind, flags] of Object.entries(kinds)) {
    const more = ["-e", "FROM=run", "-w", "/tmp", "-h", "box", "--cap-drop", "CHOWN", ...flags];
    shared.set(kind, await running(host(), ["sleep", "1000"], more));
  }
});

for (const kind of Object.keys(kinds)) {
  const name = () => shared.get(kind)!.name;
  const exec = (flags: string[], ...command: string[]) => host().ok(["exec", ...flags, name(), ...command]);

  test(`${kind}: environment, working directory and host name are the container's`, async () => {
    expect((await exec([], "sh", "-c", "echo $FROM $HOME $PWD; hostname")).split("\n")).toEqual([
      "run /root /tmp",
      "box",
      "",
    ]);
    expect(factsNamed(await exec(["-e", "FROM=exec", "-e", "MORE=1"], "probe", "env"), "env").sort()).toEqual(
      [
        "FROM=exec",
        "HOME=/root",
        "HOSTNAME=box",
        "MORE=1",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      ],
    );
    expect(await exec(["-w", "/usr/bin"], "pwd")).toBe("/usr/bin\n");
  });

  test(`${kind}: all of its namespaces, its cgroup, its root`, async () => {
    const container = shared.get(kind)!;
    const pid = Number((await host().ok(["inspect", "-f", "{{.State.Pid}}", container.name])).trim());
    const seen = factsNamed(await exec([], "probe", "namespaces"), "ns").map((line) => line.split(" "));
    for (const [space, link] of seen)
      if (!space!.endsWith("_for_children")) expect(link).toBe(readlinkSync(`/proc/${pid}/ns/${space}`));
    await using inside = host().spawn(["exec", "-i", container.name, "cat"]);
    inside.write("up\n");
    await inside.stdout.waitFor("up");
    const other = await until("its process", async () => {
      const list = await Bun.$`cat ${pidsFile(pid)}`.text();
      return list
        .trim()
        .split("\n")
        .map(Number)
        .find((each) => commandOf(each) === "cat");
    });
    expect(readFileSync(`/proc/${other}/cgroup`, "utf8")).toBe(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
    expect(readlinkSync(`/proc/${other}/root`)).toBe(readlinkSync(`/proc/${pid}/root`));
  });

  test(`${kind}: capabilities as the container's, none inheritable or ambient`, async () => {
    const caps = facts(await exec([], "probe", "caps"));
    for (const set of ["CapPrm", "CapEff", "CapBnd"]) expect(caps.get(set)).toStartWith("00000000800405fa ");
    for (const set of ["CapInh", "CapAmb"]) expect(caps.get(set)).toBe("0000000000000000 none");
  });

  test(`${kind}: --privileged has what the host gives`, async () => {
    const bounding = /CapBnd:\t(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]!;
    const caps = facts(await exec(["--privileged"], "probe", "caps"));
    expect(caps.get("CapEff")).toStartWith(bounding);
    expect(caps.get("CapInh")).toBe("0000000000000000 none");
  });

  test(`${kind}: -u`, async () => {
    expect(await exec(["-u", "app"], "sh", "-c", "id -u; id -g; id -G; echo $HOME")).toBe(
      "1000\n1000\n1000 29 50\n/home/app\n",
    );
    expect(await exec(["-u", "7:8"], "sh", "-c", "id -u; id -g; id -G")).toBe("7\n8\n8\n");
    expect(facts(await exec(["-u", "app"], "probe", "caps")).get("CapEff")).toBe("0000000000000000 none");
  });

  test(`${kind}: only 0-2 are open; stdin is the null device without -i`, async () => {
    expect(
      factsNamed(await exec([], "probe", "fds"), "fd").map((line) => line.replace(/\d{2,}/, "N")),
    ).toEqual(["0 /dev/null", "1 pipe:[N]", "2 pipe:[N]"]);
    const { stdout } = await host().rt(["exec", name(), "cat"], { stdin: "not read" });
    expect(stdout).toBe("");
  });

  test(`${kind}: -i hands on stdin to its end, exactly`, async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(65536));
    const large = Buffer.concat(Array.from({ length: 64 }, () => bytes));
    const digest = new Bun.CryptoHasher("sha256").update(large).digest("hex");
    const { stdout, code } = await host().rt(["exec", "-i", name(), "sha256sum"], { stdin: large });
    expect(stdout).toBe(`${digest}  -\n`);
    expect(code).toBe(0);
  });

  test(`${kind}: -it is a terminal of its own, with size, resize and keys`, async () => {
    await using terminal = host().pty(["exec", "-it", name(), "sh"], { rows: 20, columns: 70 });
    await terminal.screen.waitFor("# ");
    terminal.type("probe tty; echo TERM=$TERM\r");
    await terminal.screen.waitFor(/TERM=xterm/);
    const output = terminal.screen.text.replaceAll("\r\n", "\n");
    expect(factsNamed(output, "tty")).toEqual(["0 yes", "1 yes", "2 yes"]);
    expect(factsNamed(output, "winsize")).toEqual(["20 70"]);
    expect(factsNamed(output, "controlling")).toEqual(["ok"]);
    expect(factsNamed(output, "pgrp")).toEqual(factsNamed(output, "foreground"));
    terminal.resize(30, 90);
    await until("the new size", () => {
      terminal.type("stty size\r");
      return terminal.screen.text.includes("30 90");
    });
    terminal.type("exit 4\r");
    expect(await terminal.exited).toBe(4);
  });

  test(`${kind}: its exit status`, async () => {
    const cases: [string[], number][] = [
      [["true"], 0],
      [["sh", "-c", "exit 255"], 255],
      [["probe", "kill-self", "TERM"], 143],
      [["probe", "kill-self", "KILL"], 137],
      [["no-such-program"], 127],
      [["/no/such"], 127],
      [["/etc"], 126],
      [["/etc/passwd"], 126],
    ];
    for (const [command, code] of cases)
      expect([command, (await host().rt(["exec", name(), ...command])).code]).toEqual([command, code]);
  });

  test(`${kind}: -d answers at once, and the program runs on`, async () => {
    expect(await exec(["-d"], "sh", "-c", "sleep 0.2; echo done > /tmp/detached")).toBe("");
    await until(
      "it has run to its end",
      async () => (await host().rt(["exec", name(), "cat", "/tmp/detached"])).stdout === "done\n",
    );
    await exec([], "rm", "/tmp/detached");
    const { code, stderr } = await host().rt(["exec", "-d", name(), "/no/such"]);
    expect(oneLine(stderr)).toContain("/no/such");
    expect(code).toBe(127);
  });

  test(`${kind}: leaves no process behind`, async () => {
    await exec([], "sh", "-c", "true; true");
    // One that could not be executed is reaped by its monitor once its client has been told.
    await until("there is no zombie", async () => {
      const ps = await exec([], "ps", "-o", "stat,comm");
      return !ps.split("\n").some((line) => /^Z/.test(line));
    });
  });
}

function pidsFile(pid: number): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const line = lines.find((each) => each.includes(":pids:")) ?? lines.find((each) => each.startsWith("0::"));
  const [, controllers, path] = line!.split(":");
  return `/sys/fs/cgroup/${controllers}${path}/cgroup.procs`;
}

/** Empty for a process that has ended since it was listed. */
function commandOf(pid: number): string {
  return allProcesses().get(`${pid}`)?.split(" ")[0] ?? "";
}

test("by id and by the start of an id", async () => {
  const { id } = shared.get("plain")!;
  for (const name of [id, id.slice(0, 12), id.slice(0, 6)])
    expect(await host().ok(["exec", name, "echo", "x"])).toBe("x\n");
});

test("-u of root drops nothing of a container that runs as a user", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["-u", "app"]);
  expect(await host().ok(["exec", container.name, "id", "-u"])).toBe("1000\n");
  expect(
    facts(await host().ok(["exec", "-u", "0", container.name, "probe", "caps"])).get("CapEff"),
  ).toStartWith("00000000800405fb");
});

test("into a stopped or unknown container: exit 1, one line", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  const stopped = await host().rt(["exec", "over", "true"]);
  expect(oneLine(stopped.stderr)).toMatch(/^container [0-9a-f]{64} is not running$/);
  expect(stopped.code).toBe(1);
  await host().ok(["rm", "over"]);
  const unknown = await host().rt(["exec", "over", "true"]);
  expect(oneLine(unknown.stderr)).toBe("No such container: over");
  expect(unknown.code).toBe(1);
});

test("-it without a terminal", async () => {
  const { stderr, code } = await host().rt(["exec", "-it", shared.get("plain")!.name, "true"]);
  expect(oneLine(stderr)).toStartWith("the input device is not a TTY");
  expect(code).toBe(1);
});

test("bad wishes: one line each", async () => {
  const { name } = shared.get("plain")!;
  const rows: [string[], RegExp][] = [
    [["-u", "nosuch"], /nosuch/],
    [["-w", "/no/such"], /\/no\/such/],
    [["-w", "relative"], /absolute/],
    [["-e", "=x"], /environment/],
    [["-w", "/proc/self/fd/3"], /\/proc\/self\/fd\/3/],
  ];
  for (const [flags, line] of rows) {
    const result = await host().rt(["exec", ...flags, name, "true"]);
    expect(oneLine(result.stderr)).toMatch(line);
    expect([125, 126]).toContain(result.code);
  }
});

test("the end of the container ends its execs", async () => {
  await using container = await running(host());
  await using exec = host().spawn(["exec", container.name, "sh", "-c", "echo up; sleep 1000"]);
  await exec.stdout.waitFor("up");
  await host().ok(["kill", container.name]);
  expect(await exec.exited).toBe(137);
});

test("kill -9 of an exec's client leaves the container as it was", async () => {
  await using container = await running(host());
  await using exec = host().spawn(["exec", "-i", container.name, "sh", "-c", "echo up; cat"]);
  await exec.stdout.waitFor("up");
  exec.kill("SIGKILL");
  await exec.exited;
  expect(await host().ok(["exec", container.name, "echo", "fine"])).toBe("fine\n");
});

test("fifty execs, four at a time", async () => {
  const { name } = shared.get("plain")!;
  for (let from = 0; from < 52; from += 4) {
    const outputs = await Promise.all(
      [0, 1, 2, 3].map((index) => host().ok(["exec", name, "echo", `${from + index}`])),
    );
    expect(outputs).toEqual([0, 1, 2, 3].map((index) => `${from + index}\n`));
  }
});

const document = async (id: string) => JSON.parse(await host().ok(["inspect", "--type", "exec", id]))[0];
const runningIn = async (name: string): Promise<string[] | null> =>
  JSON.parse(await host().ok(["inspect", "-f", "{{json .ExecIDs}}", name]));
/** Of what was executed in a container, oldest first. */
async function told(container: Running, action: string): Promise<Record<string, string>[]> {
  const lines = await host().ok(["events", "--since", "1h", "--until", "0s", "--format", "json"]);
  return lines
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line)]))
    .filter(({ Action, Actor }) => Actor.ID === container.id && Action.startsWith(action))
    .map(({ Actor }) => Actor.Attributes);
}

test("a session can be inspected while it runs, and after its end; its container and the events know it", async () => {
  await using container = await running(host());
  expect(await runningIn(container.name)).toBeNull();
  const words = ["sh", "-c", "read x; exit 6"];
  await using inside = host().spawn(["exec", "-i", "-u", "app", container.name, ...words]);
  const [id] = await until("it runs", () => runningIn(container.name));
  expect(await document(id!)).toMatchObject({
    ...{
      ID: id,
      ContainerID: container.id,
      Running: true,
      ExitCode: null,
      OpenStdin: true,
      CanRemove: false,
    },
    ProcessConfig: {
      ...{
        entrypoint: "sh",
        arguments: ["-c", "read x; exit 6"],
        tty: false,
        privileged: false,
        user: "app",
      },
    },
  });
  // Its id alone will do.
  expect(await host().ok(["inspect", "-f", "{{.Running}}", id!])).toBe("true\n");
  const { Pid } = await document(id!);
  expect(commandOf(Pid)).toBe("sh");
  inside.write("now\n");
  expect(await inside.exited).toBe(6);
  expect(await document(id!)).toMatchObject({ Running: false, ExitCode: 6, Pid });
  expect(await runningIn(container.name)).toBeNull();
  const [create, start, die] = await Promise.all(
    ["exec_create: sh -c", "exec_start: sh -c", "exec_die"].map((action) => told(container, action)),
  );
  expect(create).toEqual([{ image, name: container.name, execID: id! }]);
  expect(start).toEqual(create!);
  expect(die).toEqual([{ image, name: container.name, execID: id!, exitCode: "6" }]);
  await host().ok(["kill", container.name]);
  await container.client.exited;
  const gone = await host().rt(["inspect", "--type", "exec", id!]);
  expect([oneLine(gone.stderr), gone.code]).toEqual([`No such exec instance: ${id}`, 1]);
});

test("how one ends that nobody stays with, or that was left: its monitor tells", async () => {
  await using container = await running(host());
  await host().ok(["exec", "-d", container.name, "sh", "-c", "exit 9"]);
  await until("its end is told", async () => (await told(container, "exec_die")).length === 1);
  const [first] = await told(container, "exec_die");
  expect(first!.exitCode).toBe("9");
  expect(await document(first!.execID!)).toMatchObject({ Running: false, ExitCode: 9 });
  const flags = ["exec", "-it", "--detach-keys", "ctrl-x", container.name, "cat"];
  await using terminal = host().pty(flags);
  await until("it runs", async () => (await runningIn(container.name))?.length === 1);
  terminal.type("\x18");
  await terminal.exited;
  const [id] = (await runningIn(container.name))!;
  expect(await document(id!)).toMatchObject({ Running: true, ProcessConfig: { tty: true } });
  process.kill((await document(id!)).Pid, "SIGKILL");
  await until("its end is told", async () => (await told(container, "exec_die")).length === 2);
  expect(await document(id!)).toMatchObject({ Running: false, ExitCode: 137 });
});

test("--env-file, and -e over it", async () => {
  const file = join(host().dir, "exec.env");
  writeFileSync(file, "# a comment\nA=of the file\nB=of the file\nFROM=the file\n");
  const words = ["exec", "--env-file", file, "-e", "B=of the flag", shared.get("plain")!.name];
  expect(await host().ok([...words, "sh", "-c", "echo $A, $B, $FROM"])).toBe(
    "of the file, of the flag, the file\n",
  );
  const { stderr, code } = await host().rt([
    "exec",
    "--env-file",
    "/no/such",
    shared.get("plain")!.name,
    "true",
  ]);
  expect(oneLine(stderr)).toContain("/no/such");
  expect(code).toBe(125);
});
