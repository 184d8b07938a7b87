/** Exit statuses as scripts rely on them, and that a run which fails leaves nothing behind. */
import { expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cgroupDirectories } from "../support/leaks.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, nothingLeft, oneLine, statusOf } from "./world.ts";

const { test, host } = containerTests();

function run(flags: string[], ...command: string[]) {
  return host().rt(["run", "--rm", ...flags, image, ...command]);
}

test("the program's own status, for every one that there is", async () => {
  const wrong: string[] = [];
  const check = async (status: number) => {
    const { code } = await host().rt(["run", "--rm", "embed:hello", "exit", `${status}`]);
    if (code !== status) wrong.push(`${status} became ${code}`);
  };
  for (let from = 0; from < 256; from += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, index) => check(from + index)));
  }
  expect(wrong).toEqual([]);
});

const signals: [string, number][] = [
  ["HUP", 1],
  ["INT", 2],
  ["QUIT", 3],
  ["ABRT", 6],
  ["KILL", 9],
  ["USR1", 10],
  ["SEGV", 11],
  ["PIPE", 13],
  ["TERM", 15],
];

for (const [name, number] of signals) {
  test(`128+${number} when SIG${name} ends the program under an init`, async () => {
    const { stderr, code } = await run(["--init"], "probe", "kill-self", name);
    expect(stderr).toBe("");
    expect(code).toBe(128 + number);
  });
}

test("128+n when pid 1 itself is ended by a signal from outside", async () => {
  const client = host().spawn(["run", "--rm", "--name", "victim", image, "sleep", "1000"]);
  await until("it runs", async () => (await statusOf(host(), "victim")) === "running");
  expect(await host().ok(["kill", "victim"])).toBe("victim\n");
  expect(await client.exited).toBe(137);
});

interface Failure {
  name: string;
  flags?: string[];
  command: string[];
  code: number;
  line: RegExp;
}

const failures: Failure[] = [
  {
    name: "not found on PATH",
    command: ["no-such-program"],
    code: 127,
    line: /exec: "no-such-program": executable file not found in \$PATH$/,
  },
  {
    name: "not found by path",
    command: ["/no/such"],
    code: 127,
    line: /exec: "\/no\/such": .*no such file or directory$/,
  },
  { name: "a directory", command: ["/etc"], code: 126, line: /exec: "\/etc": is a directory/ },
  {
    name: "not executable",
    command: ["/etc/passwd"],
    code: 126,
    line: /exec: "\/etc\/passwd": permission denied$/,
  },
  { name: "below a file", command: ["/etc/passwd/x"], code: 126, line: /not a directory/ },
  {
    name: "our own helper by /proc/self/exe",
    command: ["/proc/self/exe"],
    code: 126,
    line: /permission denied/,
  },
  {
    name: "PATH without it",
    flags: ["-e", "PATH=/nowhere"],
    command: ["sh"],
    code: 127,
    line: /not found in \$PATH/,
  },
  { name: "empty entrypoint word", command: [""], code: 125, line: /no command specified/ },
  { name: "unknown user", flags: ["-u", "nosuch"], command: ["id"], code: 125, line: /nosuch/ },
  {
    name: "working directory is a file",
    flags: ["-w", "/etc/passwd"],
    command: ["pwd"],
    code: 125,
    line: /\/etc\/passwd/,
  },
  {
    name: "working directory out of the container",
    flags: ["-w", "/proc/self/fd/3"],
    command: ["pwd"],
    code: 125,
    line: /\/proc\/self\/fd\/3/,
  },
  {
    name: "bad sysctl value",
    flags: ["--sysctl", "kernel.msgmax=lots"],
    command: ["true"],
    code: 125,
    line: /kernel[./]msgmax/,
  },
  {
    name: "a mount over a file that is a directory",
    flags: ["--tmpfs", "/etc/passwd"],
    command: ["true"],
    code: 125,
    line: /\/etc\/passwd/,
  },
];

for (const { name, flags = [], command, code, line } of failures) {
  test(`${code}: ${name}`, async () => {
    const before = new Set(cgroupDirectories());
    const result = await run(flags, ...command);
    expect(oneLine(result.stderr)).toMatch(line);
    expect(result.code).toBe(code);
    expect(result.stdout).toBe("");
    await nothingLeft(host());
    await ownCgroupsGone(before);
  });
}

/** Other tests run beside us: theirs hold processes, or vanish soon. */
async function ownCgroupsGone(before: ReadonlySet<string>): Promise<void> {
  const started = cgroupDirectories().filter((path) => !before.has(path) && /\/rt\/[0-9a-f]{64}$/.test(path));
  for (const path of started) {
    await until(`${path} is gone or in use`, async () => {
      if (!existsSync(path)) return true;
      return (
        (await Bun.file(join(path, "cgroup.procs"))
          .text()
          .catch(() => "gone")) !== ""
      );
    });
  }
}

test("126: not for this machine", async () => {
  const dir = join(host().dir, "exec");
  await Bun.write(join(dir, "text"), "neither ELF nor script");
  await Bun.write(join(dir, "script"), "#!/no/such/interpreter\n");
  await Bun.$`chmod 755 ${join(dir, "text")} ${join(dir, "script")}`;
  const text = await run(["-v", `${dir}:/x`], "/x/text");
  expect(oneLine(text.stderr)).toContain("exec format error");
  expect(text.code).toBe(126);
  const script = await run(["-v", `${dir}:/x`], "/x/script");
  expect(oneLine(script.stderr)).toContain("no such file or directory");
  expect(script.code).toBe(127);
});

test("a failed run without --rm leaves no container either", async () => {
  const { code } = await host().rt(["run", "--name", "never", image, "/no/such"]);
  expect(code).toBe(127);
  expect(await host().ok(["ps", "-aq"])).toBe("");
  expect(
    existsSync(join(host().state, "containers")) ? readdirSync(join(host().state, "containers")) : [],
  ).toEqual([]);
});

test("125: an image that is not here, with --pull never", async () => {
  const { stderr, code, stdout } = await host().rt([
    "run",
    "--rm",
    "--pull",
    "never",
    "nosuch:image",
    "true",
  ]);
  expect(oneLine(stderr)).toContain("nosuch:image");
  expect(stdout).toBe("");
  expect(code).toBe(125);
});

test("the whole argument vector arrives, odd words too", async () => {
  const words = ["", " ", "a b", "'\"$x`", "*", "\\n", "-x", "--", "ü", "\n"];
  const { stdout } = await run([], "probe", "args", ...words);
  const seen = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^arg \d+ ?/, ""));
  expect(seen).toEqual(
    ["probe", "args", ...words].map((word) => word.replaceAll("\\", "\\x5c").replaceAll("\n", "\\x0a")),
  );
});
