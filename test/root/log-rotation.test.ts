/** What the monitor keeps of a program's output: every byte, in whole lines, in so many files and no more; and it never waits. */
import { expect } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { containerTests, image, statusOf } from "../cli/world.ts";
import { run as tool } from "../support/command.ts";
import { residentKiB } from "../support/memory.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests();

interface Line {
  log: string;
  stream: string;
  time: string;
}

const directoryOf = (id: string, root = host().root) => join(root, "containers", id);

/** Oldest first. Bytes are characters of the same number. */
function linesIn(id: string, root = host().root): Line[] {
  const directory = directoryOf(id, root);
  const path = join(directory, `${id}-json.log`);
  const rotated = readdirSync(directory).length - 1;
  const paths = [...Array(rotated).keys()].map((index) => `${path}.${rotated - index}`);
  const texts = [...paths, path].map((each) => readFileSync(each, "latin1"));
  for (const text of texts) expect(text === "" || text.endsWith("\n")).toBe(true);
  return texts.flatMap((text) => text.split("\n").slice(0, -1)).map((line) => JSON.parse(line));
}

const output = (lines: readonly Line[], stream: string) =>
  lines
    .filter((line) => line.stream === stream)
    .map(({ log }) => log)
    .join("");

async function finished(...words: string[]): Promise<string> {
  const name = `log-${crypto.randomUUID()}`;
  await host().rt(["run", "--name", name, ...words], { stdin: "" });
  return (await host().ok(["inspect", "-f", "{{.Id}}", name])).trim();
}

test("lines of both streams, in Docker's form, in a directory that is root's alone", async () => {
  const id = await finished(
    image,
    "sh",
    "-c",
    'printf "one\\n\\n\\"<tw\\\\o\\t\\n"; echo bad >&2; printf last',
  );
  const lines = linesIn(id);
  expect(output(lines, "stdout")).toBe('one\n\n"<tw\\o\t\nlast');
  expect(output(lines, "stderr")).toBe("bad\n");
  for (const { time } of lines) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  const path = (await host().ok(["inspect", "-f", "{{.LogPath}}", id])).trim();
  expect(path).toBe(join(directoryOf(id), `${id}-json.log`));
  expect(readFileSync(path, "utf8")).toContain('{"log":"\\"\\u003ctw\\\\o\\t\\n","stream":"stdout","time":"');
  expect([statSync(path).mode & 0o777, statSync(directoryOf(id)).mode & 0o777]).toEqual([0o600, 0o700]);
  await host().ok(["rm", id]);
  expect(existsSync(directoryOf(id))).toBe(false);
});

test("bytes are kept exactly, and a line longer than 16 KiB in parts", async () => {
  const bytes = Buffer.concat([
    crypto.getRandomValues(new Uint8Array(60_000)),
    Buffer.alloc(16384, "a"),
    Buffer.from("\n"),
    Buffer.alloc(50_000, "\0"),
    Buffer.alloc(16383, "b"),
    Buffer.from("\né\n"),
  ]);
  const name = `log-${crypto.randomUUID()}`;
  const { stdoutBytes } = await host().rt(["run", "-i", "--name", name, image, "cat"], { stdin: bytes });
  expect(Buffer.from(stdoutBytes).equals(bytes)).toBe(true);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", name])).trim();
  const lines = linesIn(id);
  expect(Buffer.from(output(lines, "stdout"), "latin1").equals(bytes)).toBe(true);
  expect(Math.max(...lines.map(({ log }) => log.length))).toBe(16384);
  await host().ok(["rm", id]);
});

test("a terminal's output is standard output", async () => {
  const id = (
    await host().ok(["run", "-dt", "--name", "terminal", image, "sh", "-c", "echo a; echo b >&2"])
  ).trim();
  await until("it is over", async () => (await statusOf(host(), "terminal")) === "exited");
  expect(output(linesIn(id), "stdout")).toBe("a\r\nb\r\n");
  await host().ok(["rm", id]);
});

for (const count of [1, 3]) {
  test(`with max-file=${count} there are never more, and none is larger than it may be`, async () => {
    const id = await finished(
      ...["--log-opt", "max-size=4k", "--log-opt", `max-file=${count}`],
      ...[image, "sh", "-c", "seq -w 1 1000"],
    );
    const directory = directoryOf(id);
    const name = `${id}-json.log`;
    const wanted = [name, `${name}.1`, `${name}.2`].slice(0, count);
    expect(readdirSync(directory).sort()).toEqual(wanted);
    for (const file of wanted) expect(statSync(join(directory, file)).size).toBeLessThanOrEqual(4096);
    const kept = linesIn(id).map(({ log }) => Number(log));
    expect(kept.at(-1)).toBe(1000);
    expect(kept).toEqual([...kept.keys()].map((index) => kept[0]! + index));
    await host().ok(["rm", id]);
  });
}

test("--log-driver none keeps nothing, and neither does --rm", async () => {
  const id = await finished("--log-driver", "none", image, "echo", "unheard");
  expect(existsSync(directoryOf(id))).toBe(false);
  expect(await host().ok(["inspect", "-f", "{{.HostConfig.LogConfig.Type}} {{.LogPath}}", id])).toBe(
    "none \n",
  );
  await host().ok(["rm", id]);
  await host().ok(["run", "--rm", image, "echo", "heard"]);
  expect(readdirSync(join(host().root, "containers"))).toEqual([]);
});

test("a full disk loses lines, and neither the program nor what is whole in the log", async () => {
  // The store of the images is elsewhere: only the logs are on the small disk.
  const logs = join(host().root, "containers");
  mkdirSync(logs, { recursive: true });
  await tool(["mount", "-t", "tmpfs", "-o", "size=64k", "small", logs]);
  try {
    const id = (
      await host().ok([
        "run",
        "-d",
        "--name",
        "chatty",
        image,
        "sh",
        "-c",
        "seq -w 1 3000; echo done; sleep 1000",
      ])
    ).trim();
    const told = join(host().state, "containers", id, "log-error");
    await until("it is told", () => existsSync(told));
    expect(readFileSync(told, "utf8")).toMatch(/^errno 28\nsince \d+\n$/);
    expect(await statusOf(host(), "chatty")).toBe("running");
    const kept = linesIn(id).map(({ log }) => Number(log));
    expect(kept.slice(0, 100)).toEqual([...Array(100).keys()].map((index) => index + 1));
  } finally {
    await host().rt(["rm", "-f", "chatty"]);
    // Its monitor has the log open until it ends.
    const unmounted = () =>
      tool(["umount", logs]).then(
        () => true,
        () => false,
      );
    await until("nobody writes there", unmounted);
  }
});

/** Writes nothing before the file `name` of `signals` is there. */
function waiting(signals: string, name: string, command: string): string[] {
  mkdirSync(signals, { recursive: true });
  const script = `until test -e /signals/${name}; do sleep 0.02; done; ${command}`;
  return ["-v", `${signals}:/signals`, image, "sh", "-c", script];
}

test("a link, a file or a FIFO where the log belongs is left as it is, and the program runs", async () => {
  const canary = join(host().dir, "canary");
  mkdirSync(canary);
  writeFileSync(join(canary, "file"), "as it was");
  const signals = join(host().dir, "signals");
  const places: Record<string, (directory: string, file: string) => unknown> = {
    directory: (directory) => symlinkSync(canary, directory),
    file(directory, file) {
      mkdirSync(directory);
      symlinkSync(join(canary, "file"), file);
    },
    plain: (directory) => writeFileSync(directory, "no directory"),
    fifo(directory, file) {
      mkdirSync(directory);
      return tool(["mkfifo", file]);
    },
  };
  for (const [name, make] of Object.entries(places)) {
    const words = waiting(signals, name, "echo one; echo two");
    const id = (await host().ok(["run", "-d", "--name", `odd-${name}`, ...words])).trim();
    const directory = directoryOf(id);
    await make(directory, join(directory, `${id}-json.log`));
    writeFileSync(join(signals, name), "");
    await until("it is over", async () => (await statusOf(host(), `odd-${name}`)) === "exited");
    expect([name, await host().ok(["inspect", "-f", "{{.State.ExitCode}}", id])]).toEqual([name, "0\n"]);
    expect(readdirSync(canary)).toEqual(["file"]);
    expect(readFileSync(join(canary, "file"), "utf8")).toBe("as it was");
    await host().ok(["rm", id]);
    expect(lstatSync(directory, { throwIfNoEntry: false })).toBeUndefined();
  }
  expect(readdirSync(canary)).toEqual(["file"]);
});

test("a line that was cut short by a power failure is ended before the next", async () => {
  const signals = join(host().dir, "signals");
  const words = waiting(signals, "cut", "echo whole");
  const id = (await host().ok(["run", "-d", "--name", "cut", ...words])).trim();
  mkdirSync(directoryOf(id), { recursive: true });
  const path = join(directoryOf(id), `${id}-json.log`);
  writeFileSync(path, '{"log":"ha');
  writeFileSync(join(signals, "cut"), "");
  await until("it is over", async () => (await statusOf(host(), "cut")) === "exited");
  expect(readFileSync(path, "utf8")).toMatch(/^\{"log":"ha\n\{"log":"whole\\n","stream":"stdout",.*\}\n$/);
  await host().ok(["rm", id]);
});

test("the monitor stays below 512 KB, whatever is written and however much", async () => {
  const script =
    "seq 1 20000; head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; echo; echo over; sleep 1000";
  const id = (
    await host().ok(["run", "-d", "--name", "much", "--restart=always", image, "sh", "-c", script])
  ).trim();
  const path = join(directoryOf(id), `${id}-json.log`);
  const pid = Number(
    /^monitor (\d+)/m.exec(readFileSync(join(host().state, "containers", id, "pid"), "utf8"))![1],
  );
  const sizes: number[] = [];
  await until("it is written", () => {
    sizes.push(residentKiB(pid));
    return existsSync(path) && readFileSync(path, "latin1").includes('"log":"over');
  });
  sizes.push(residentKiB(pid));
  expect(Math.max(...sizes)).toBeLessThan(512);
  await host().ok(["rm", "-f", "much"]);
});
