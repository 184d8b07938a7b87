/** A working directory that is a leaked descriptor of the host (CVE-2024-21626), and directories that only look like that. */
import { expect } from "bun:test";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { run } from "../../support/command.ts";
import { factsNamed } from "../../support/probe.ts";
import { rtBinary } from "../../support/rt.ts";
import { rounds, soakTimeoutMs } from "../../support/soak.ts";
import { directory, hostileImage, symlink } from "./hostile.ts";

const { test, host } = containerTests(["getfattr"]);

/** A container whose working directory cannot be entered does not start. */
const refused = 125;

/** Runs `script` for each N of 3..1023, four at a time; what they print. */
function forEachDescriptor(script: string, env: Record<string, string>, step = 1): Promise<string> {
  const command = `seq 3 ${step} 1023 | xargs -P 4 -n 1 sh -c '${script}'`;
  return run(["sh", "-c", command], {
    env: { ...host().env, RT: rtBinary, IMAGE: image, REFUSED: `${refused}`, ...env },
  });
}

test("exec -w /proc/self/fd/N is an error for every N of 3..1023", async () => {
  await using container = await running(host());
  const script =
    'timeout -s KILL 20 "$RT" exec -w /proc/self/fd/$0 "$NAME" pwd 2>/dev/null; c=$?; [ $c = "$REFUSED" ] || echo $0 $c';
  expect(await forEachDescriptor(script, { NAME: container.name })).toBe("");
}, 240_000);

test("run -w /proc/self/fd/N is an error for N of 3..1023", async () => {
  const script =
    'timeout -s KILL 20 "$RT" run --rm -w /proc/self/fd/$0 "$IMAGE" pwd 2>/dev/null; c=$?; [ $c = "$REFUSED" ] || echo $0 $c';
  expect(await forEachDescriptor(script, {}, 10)).toBe("");
}, 240_000);

for (const path of [
  "/proc/self/cwd",
  "/proc/self/root",
  "/proc/1/cwd",
  "/proc/thread-self/fd/5",
  "/dev/fd/7",
]) {
  test(`-w ${path} is an error in one line`, async () => {
    const { stdout, stderr, code } = await host().rt(["run", "--rm", "-w", path, image, "pwd"]);
    expect([stdout, code]).toEqual(["", refused]);
    oneLine(stderr);
  });
}

test("a WORKDIR of the image that is a link to a descriptor, or leads there by its parents", async () => {
  const linked = await hostileImage(host(), "linked-workdir", {
    members: [
      symlink("work", "/proc/self/fd/7"),
      symlink("parent", "/proc/self/fd"),
      symlink("up", "../../../proc/self/fd/8"),
    ],
  });
  for (const path of ["/work", "/parent/7", "/work/..", "/up", "//work/./", "/parent/7/../../.."]) {
    const { stdout, code } = await host().rt(["run", "--rm", "-w", path, linked, "probe", "cwd"]);
    if (code === 0) expect(stdout).toBe("cwd /\n");
    else expect([path, stdout, code]).toEqual([path, "", refused]);
  }
});

test("links to a directory of the host lead to the container's own", async () => {
  const canary = await plantCanary(host().dir, "workdir-canary");
  const linked = await hostileImage(host(), "workdir-out", {
    members: [
      symlink("absolute", canary.dir),
      symlink("relative", `../../../../../..${canary.dir}`),
      directory("real"),
      symlink("inside", "/real"),
    ],
    config: { WorkingDir: "/absolute/made" },
  });
  for (const [path, wanted] of [
    ["/absolute", canary.dir],
    ["/relative/new", `${canary.dir}/new`],
    ["/inside/new", "/real/new"],
    ["/../../made/../here", "/here"],
  ] as const) {
    const output = await host().ok(["run", "--rm", "-w", path, linked, "sh", "-c", "pwd -P; touch file"]);
    expect([path, output]).toEqual([path, `${wanted}\n`]);
  }
  expect(await host().ok(["run", "--rm", linked, "probe", "cwd"])).toBe(`cwd ${canary.dir}/made\n`);
  await canary.check();
});

test("a working directory that is missing is made; one that is a file, or a loop, is an error", async () => {
  expect(await host().ok(["run", "--rm", "-w", "/a/b/c", image, "pwd"])).toBe("/a/b/c\n");
  const looped = await hostileImage(host(), "workdir-loop", {
    members: [symlink("loop", "loop"), { name: "file" }],
  });
  for (const path of ["/loop", "/loop/x", "/file", "/file/x"]) {
    const { stdout, stderr, code } = await host().rt(["run", "--rm", "-w", path, looped, "pwd"]);
    expect([path, stdout, code, stderr.split("\n").length]).toEqual([path, "", refused, 2]);
  }
});

test(
  "exec into a directory that a racer swaps with a link to a descriptor",
  async () => {
    const script = "mkdir /a; ln -s /proc/self/cwd /b; exec probe racer /a /b";
    await using container = await running(host(), ["sh", "-c", script]);
    await container.client.stdout.waitFor("ready");
    const loop =
      'timeout -s KILL 20 "$RT" exec -w /a "$NAME" probe cwd 2>/dev/null || [ $? = "$REFUSED" ] || echo failed';
    for (const _ of rounds(1)) {
      const output = await forEachDescriptor(loop, { NAME: container.name }, 10);
      const odd = new Set(output.split("\n").filter((line) => !/^cwd \/[ab]$|^$/.test(line)));
      expect([...odd]).toEqual([]);
    }
  },
  soakTimeoutMs(120_000),
);

test("the program and an exec hold 0-2 and nothing else", async () => {
  const walk = "walked 1021\n";
  expect(await host().ok(["run", "--rm", image, "probe", "fchdir-walk"])).toBe(walk);
  expect(await host().ok(["run", "--rm", "-i", "--init", image, "probe", "fchdir-walk"], { stdin: "" })).toBe(
    walk,
  );
  await using container = await running(host());
  expect(await host().ok(["exec", container.name, "probe", "fchdir-walk"])).toBe(walk);
  for (const flags of [[], ["-i"]]) {
    const open = factsNamed(await host().ok(["exec", ...flags, container.name, "probe", "fds"]), "fd");
    expect(open.map((line) => Number.parseInt(line, 10))).toEqual([0, 1, 2]);
  }
});

test("descriptors of the caller do not come through", async () => {
  const script =
    '"$RT" run --rm "$IMAGE" probe fds 7</ 9</etc/passwd 200>"$LEAK"; "$RT" run --rm "$IMAGE" probe fchdir-walk 5</ 300</';
  const env = { ...host().env, RT: rtBinary, IMAGE: image, LEAK: join(host().dir, "leak") };
  const output = await run(["bash", "-c", script], { env });
  expect(factsNamed(output, "fd").map((line) => Number.parseInt(line, 10))).toEqual([0, 1, 2]);
  expect(output).toEndWith("walked 1021\n");
});
