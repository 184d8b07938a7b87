/** `-t`: a real terminal on both sides. */
import { expect } from "bun:test";
import { factsNamed } from "../support/probe.ts";
import { openPty, type Pty } from "../support/pty.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { containerId, containerTests, image, oneLine, statusOf } from "./world.ts";

const { test, host } = containerTests();

/** termios(3): what cfmakeraw takes away. */
const ICANON = 0o2;
const ECHO = 0o10;

function isRaw(terminal: Pty): boolean {
  return (terminal.flags().local & (ICANON | ECHO)) === 0;
}

function lines(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

test("0-2 are the container's own terminal, of the caller's size, and it controls the session", async () => {
  await using terminal = host().pty(["run", "-it", "--rm", image, "probe", "tty"], {
    rows: 33,
    columns: 111,
  });
  expect(await terminal.exited).toBe(0);
  const output = lines(terminal.screen.text);
  expect(factsNamed(output, "tty")).toEqual(["0 yes", "1 yes", "2 yes"]);
  expect(factsNamed(output, "winsize")).toEqual(["33 111"]);
  expect(factsNamed(output, "name")).toEqual(["/dev/pts/0"]);
  expect(factsNamed(output, "controlling")).toEqual(["ok"]);
  expect(factsNamed(output, "pgrp")).toEqual(factsNamed(output, "foreground"));
});

test("/dev/console is that terminal; ttyname and TERM are right", async () => {
  await using terminal = host().pty([
    "run",
    "-it",
    "--rm",
    image,
    "sh",
    "-c",
    "tty; echo $TERM; echo console > /dev/console",
  ]);
  expect(await terminal.exited).toBe(0);
  expect(lines(terminal.screen.text)).toBe("/dev/pts/0\nxterm\nconsole\n");
});

test("a user without root owns the terminal", async () => {
  await using terminal = host().pty([
    "run",
    "-it",
    "--rm",
    "-u",
    "app",
    image,
    "sh",
    "-c",
    "stat -c %U /dev/pts/0; echo x > /dev/tty",
  ]);
  expect(await terminal.exited).toBe(0);
  expect(lines(terminal.screen.text)).toBe("app\nx\n");
});

for (const init of [[], ["--init"]]) {
  test(`a resize reaches the program ${init.join("")}`, async () => {
    await using terminal = host().pty(["run", "-it", "--rm", ...init, image, "probe", "winsize-wait", "2"], {
      rows: 24,
      columns: 80,
    });
    await terminal.screen.waitFor("ready 24 80");
    terminal.resize(40, 100);
    await terminal.screen.waitFor("winsize 40 100");
    terminal.resize(41, 101);
    await terminal.screen.waitFor("winsize 41 101");
    expect(await terminal.exited).toBe(0);
  });

  test(`ctrl-C interrupts the foreground process only ${init.join("")}`, async () => {
    await using terminal = host().pty(["run", "-it", "--rm", ...init, image, "sh"]);
    await terminal.screen.waitFor("# ");
    terminal.type("echo be''fore; sleep 1000; echo af''ter $?\r");
    await terminal.screen.waitFor("before");
    // The line discipline of the container's terminal makes the signal: the sleep must be in the foreground first.
    await until("ctrl-C is heard", () => {
      terminal.type("\x03");
      return /# |after/.test(terminal.screen.text.split("before").at(-1)!);
    });
    terminal.type("exit 9\r");
    expect(await terminal.exited).toBe(9);
  });
}

test("ctrl-D ends the shell, and what is typed is echoed by the container's terminal once", async () => {
  await using terminal = host().pty(["run", "-it", "--rm", image, "cat"]);
  await until("the terminal is raw", () => isRaw(terminal));
  terminal.type("héllo\r");
  await terminal.screen.waitFor("héllo\r\nhéllo\r\n");
  terminal.type("\x04");
  expect(await terminal.exited).toBe(0);
  expect(terminal.screen.text).toBe("héllo\r\nhéllo\r\n");
});

interface End {
  name: string;
  args: string[];
  end: (terminal: Pty) => void;
  code: number;
}

const ends: End[] = [
  {
    name: "exit",
    args: ["sh", "-c", "echo up; read x; exit 3"],
    end: (terminal) => terminal.type("\r"),
    code: 3,
  },
  {
    name: "a fatal signal in the container",
    args: ["sh", "-c", "echo up; sleep 1000"],
    end: () => void host().rt(["kill", "restored"]),
    code: 137,
  },
  {
    name: "SIGTERM to the client",
    args: ["sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done"],
    end: (terminal) => terminal.kill("SIGTERM"),
    code: 5,
  },
  {
    name: "SIGHUP to the client",
    args: ["sh", "-c", "trap 'exit 6' HUP; echo up; while :; do sleep 0.01; done"],
    end: (terminal) => terminal.kill("SIGHUP"),
    code: 6,
  },
  {
    name: "detaching",
    args: ["sh", "-c", "echo up; sleep 1000"],
    end: (terminal) => terminal.type("\x10\x11"),
    code: 0,
  },
];

for (const { name, args, end, code } of ends) {
  test(`the caller's terminal is raw while it runs and restored after ${name}`, async () => {
    // A shell that lives on keeps the terminal open, to be looked at afterwards.
    const script = '"$@"; echo code $?; read x';
    await using terminal = openPty(
      ["sh", "-c", script, "sh", rtBinary, "run", "-it", "--name", "restored", image, ...args],
      {
        env: { ...host().env, TERM: "xterm" },
      },
    );
    const before = terminal.flags();
    await terminal.screen.waitFor("up");
    await until("the terminal is raw", () => isRaw(terminal));
    if (name.includes("client")) process.kill(clientOf(terminal.pid), name.split(" ")[0] as NodeJS.Signals);
    else end(terminal);
    await terminal.screen.waitFor(`code ${code}`);
    expect(terminal.flags()).toEqual(before);
    terminal.type("\r");
    await terminal.exited;
    await host().ok(["rm", "-f", "restored"]);
  });
}

/** The only child of the shell. */
function clientOf(shell: number): number {
  const { stdout } = Bun.spawnSync(["cat", `/proc/${shell}/task/${shell}/children`]);
  return Number(stdout.toString().trim().split(" ")[0]);
}

test("a run that fails leaves the terminal as it was", async () => {
  const script = '"$@"; echo code $?; read x';
  await using terminal = openPty(
    ["sh", "-c", script, "sh", rtBinary, "run", "--rm", "-it", image, "/no/such"],
    { env: host().env },
  );
  const before = terminal.flags();
  await terminal.screen.waitFor("code 127");
  expect(terminal.flags()).toEqual(before);
});

test("detach by ctrl-p ctrl-q leaves it running; attach comes back", async () => {
  await using terminal = host().pty(["run", "-it", "--name", "detached", image, "cat"]);
  await until("the terminal is raw", () => isRaw(terminal));
  terminal.type("before\r");
  await terminal.screen.waitFor("before\r\nbefore");
  terminal.type("\x10\x11");
  expect(await terminal.exited).toBe(0);
  expect(await statusOf(host(), "detached")).toBe("running");
  await using back = host().pty(["attach", "detached"]);
  await until("the terminal is raw", () => isRaw(back));
  back.type("after\r");
  await back.screen.waitFor("after\r\nafter");
  back.type("\x04");
  expect(await back.exited).toBe(0);
  expect(await statusOf(host(), "detached")).toBe("exited");
  await host().ok(["rm", "detached"]);
});

test("detach keys of one's own; the first of them alone goes to the program", async () => {
  await using terminal = host().pty(["run", "-it", "--name", "keys", "--detach-keys", "a,b,c", image, "cat"]);
  await until("the terminal is raw", () => isRaw(terminal));
  terminal.type("ax abd ab");
  terminal.type("\r");
  await terminal.screen.waitFor("ax abd ab\r\nax abd ab\r\n");
  terminal.type("\x10\x11\r"); // not the keys any more
  await terminal.screen.waitFor("^P");
  terminal.type("abc");
  expect(await terminal.exited).toBe(0);
  expect(await statusOf(host(), "keys")).toBe("running");
  await using back = host().pty(["attach", "--detach-keys", "ctrl-x", "keys"]);
  await until("the terminal is raw", () => isRaw(back));
  back.type("\x18");
  expect(await back.exited).toBe(0);
  expect(await statusOf(host(), "keys")).toBe("running");
  await host().ok(["rm", "-f", "keys"]);
});

test("much output to a terminal arrives whole", async () => {
  await using terminal = host().pty(["run", "-it", "--rm", image, "seq", "1", "20000"]);
  expect(await terminal.exited).toBe(0);
  await until("all of it is on the screen", () => terminal.screen.text.endsWith("20000\r\n"));
  const numbers = terminal.screen.text.trimEnd().split("\r\n");
  expect(numbers).toHaveLength(20_000);
  expect(numbers.every((line, index) => line === `${index + 1}`)).toBe(true);
});

test("much that is typed arrives whole", async () => {
  await using terminal = host().pty([
    "run",
    "-it",
    "--rm",
    image,
    "sh",
    "-c",
    "stty raw -echo; echo ready; head -c 200000 | sha256sum",
  ]);
  await terminal.screen.waitFor("ready");
  const text = "0123456789".repeat(20_000);
  terminal.type(text);
  await terminal.screen.waitFor(new Bun.CryptoHasher("sha256").update(text).digest("hex"));
  expect(await terminal.exited).toBe(0);
});

test("-it without a terminal is an error in Docker's words, and nothing is made", async () => {
  const { stderr, code } = await host().rt(["run", "--rm", "-it", image, "true"]);
  expect(oneLine(stderr)).toStartWith("the input device is not a TTY");
  expect(code).toBe(1);
});

test("-t with a pipe behind it: output of a terminal in a pipe", async () => {
  const { stdout, code } = await host().rt([
    "run",
    "--rm",
    "-t",
    image,
    "sh",
    "-c",
    "test -t 1 && echo yes; exit 2",
  ]);
  expect(stdout).toBe("yes\r\n");
  expect(code).toBe(2);
});

test("the caller's terminal closes: the program hears of it, or runs on without a client", async () => {
  const terminal = host().pty([
    "run",
    "-it",
    "--name",
    "closed",
    image,
    "sh",
    "-c",
    "trap '' HUP; echo up; sleep 1000",
  ]);
  await terminal.screen.waitFor("up");
  await containerId(host(), "closed");
  await terminal[Symbol.asyncDispose]();
  expect(await statusOf(host(), "closed")).toBe("running");
  await host().ok(["rm", "-f", "closed"]);
});

needs({ root: true, tools: ["busybox", "tmux"] }).test("inside tmux: type, resize, leave", async () => {
  const socket = `rt-test-${process.pid}`;
  const env = { ...host().env, TMUX_TMPDIR: host().dir };
  const tmux = (...args: string[]) => Bun.$`tmux -L ${socket} -f /dev/null ${args}`.env(env).text();
  try {
    await tmux(
      "new-session",
      "-d",
      "-x",
      "90",
      "-y",
      "20",
      "-s",
      "main",
      `${rtBinary} run --rm -it ${image} sh; sleep 1000`,
    );
    const screen = () => tmux("capture-pane", "-p", "-t", "main");
    await until("a prompt", async () => /#\s*$/m.test(await screen()));
    await tmux("send-keys", "-t", "main", "stty size; echo $((6*7))", "Enter");
    await until("its answer", async () => /20 90\n42/.test(await screen()));
    await tmux("resize-window", "-t", "main", "-x", "70", "-y", "25");
    await until("the new size", async () => {
      await tmux("send-keys", "-t", "main", "stty size", "Enter");
      return /25 70/.test(await screen());
    });
    await tmux("send-keys", "-t", "main", "exit", "Enter");
    await until("the container is gone", async () => (await host().ok(["ps", "-aq"])) === "");
  } finally {
    await tmux("kill-server");
  }
});

test("a program that closes its terminal and opens the console later is still heard", async () => {
  const script = "echo one; exec </dev/null >/dev/null 2>&1; sleep 0.2; echo two > /dev/console; exit 7";
  const terminal = host().pty(["run", "--rm", "-t", image, "sh", "-c", script]);
  expect(await terminal.exited).toBe(7);
  expect(terminal.screen.text).toContain("two");
});

test("-t without -i: the caller's terminal stays as it is, and its keys are for the client", async () => {
  await using terminal = host().pty(
    ["run", "-t", "--rm", image, "probe", "signal-wait", "--exit-on", "TERM"],
    {
      rows: 31,
      columns: 99,
    },
  );
  const before = terminal.flags();
  await terminal.screen.waitFor("ready");
  expect(terminal.flags()).toEqual(before);
  expect(isRaw(terminal)).toBe(false);
  terminal.type("\x03");
  await terminal.screen.waitFor("signal INT");
  terminal.type("\x1c");
  await terminal.screen.waitFor("signal QUIT");
  terminal.resize(40, 120);
  await terminal.screen.waitFor("signal WINCH");
  terminal.kill("SIGTERM");
  expect(await terminal.exited).toBe(0);
  expect(terminal.flags()).toEqual(before);
});

test("-t without -i under a shell: ^Z stops the client, and in the background it is not stopped", async () => {
  const rt = `${rtBinary} run -t --rm ${image}`;
  await using shell = openPty(["bash", "--norc", "--noprofile", "-i"], {
    env: { ...host().env, TERM: "xterm", PS1: "prompt> " },
  });
  await shell.screen.waitFor("prompt> ");
  shell.type(`${rt} probe signal-wait --exit-on INT\r`);
  await shell.screen.waitFor("ready");
  shell.type("\x1a");
  await shell.screen.waitFor(/\[1\]\+\s+Stopped/);
  shell.type("fg\r");
  await shell.screen.waitFor(/fg\r\n/);
  await until("the client goes on", () => !isRaw(shell));
  shell.type("\x03");
  await shell.screen.waitFor("signal INT");
  await shell.screen.waitFor(/signal INT[\s\S]*prompt> /);

  shell.type(`${rt} sh -c 'sleep 0.2; echo from the back''ground' &\r`);
  await shell.screen.waitFor("from the background");
  await until("the job is done", async () => {
    shell.type("jobs -l\r");
    await Bun.sleep(50);
    return /\[1\]\+.* Done/.test(shell.screen.text);
  });
  expect(shell.screen.text).not.toContain("Stopped (tty");
  shell.type("exit\r");
  expect(await shell.exited).toBe(0);
});

test("whoever attaches again has the screen drawn again, though the size is the same", async () => {
  await host().ok(["run", "-dit", "--name", "redrawn", image, "probe", "winsize-wait", "1000"]);
  for (let times = 0; times < 2; times++) {
    await using terminal = host().pty(["attach", "redrawn"], { rows: 24, columns: 80 });
    await terminal.screen.waitFor("winsize 24 80");
    terminal.type("\x10\x11");
    expect(await terminal.exited).toBe(0);
  }
  await host().ok(["rm", "-f", "redrawn"]);
});
