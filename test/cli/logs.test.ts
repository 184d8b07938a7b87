/** `rt logs`: what was written, in docker's file format, and what comes, across rotations and beside damage. */
import { expect } from "bun:test";
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

const timeOf = (n: number) =>
  new Date(Date.UTC(2024, 4, 1, 10) + n * 1000).toISOString().replace(".000Z", "Z");

function line(n: number, text = `line ${n}\n`, stream = "stdout", more = {}): string {
  return `${JSON.stringify({ log: text, stream, ...more, time: timeOf(n) })}\n`;
}

function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => line(from + index)).join("");
}

const texts = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join("");

function logFile(id: string): string {
  const path = `${host().root}/containers/${id}/${id}-json.log`;
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** A container that has ended, with these files as its log; the first one is the newest. */
async function ended(...files: (string | Uint8Array)[]): Promise<AsyncDisposable> {
  await host().ok(["run", "--name", "over", image, "true"]);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "over"])).trim();
  for (const [index, text] of files.entries()) writeFileSync(logFile(id) + (index ? `.${index}` : ""), text);
  return {
    async [Symbol.asyncDispose]() {
      await host().rt(["rm", "-f", "over"]);
      rmSync(dirname(logFile(id)), { recursive: true, force: true });
    },
  };
}

test("all files, oldest first; stdout and stderr go to ours", async () => {
  await using _ = await ended(line(4) + line(5, "oh\n", "stderr"), lines(2, 4), lines(0, 2));
  expect(await host().rt(["logs", "over"])).toMatchObject({ stdout: texts(0, 5), stderr: "oh\n", code: 0 });
  expect(await host().rt(["container", "logs", "-f", "over"])).toMatchObject({
    stdout: texts(0, 5),
    code: 0,
  });
});

test("-n counts back over the files", async () => {
  await using _ = await ended(lines(4, 6), lines(2, 4), lines(0, 2));
  for (const [n, from] of [
    ["0", 6],
    ["1", 5],
    ["2", 4],
    ["3", 3],
    ["5", 1],
    ["6", 0],
    ["99", 0],
    ["all", 0],
    ["-1", 0],
  ] as const)
    expect(await host().ok(["logs", "-n", n, "over"])).toBe(texts(from, 6));
  expect(await host().ok(["logs", "--tail=1", "over"])).toBe("line 5\n");
});

test("--since and --until", async () => {
  await using _ = await ended(lines(3, 6), lines(0, 3));
  const seconds = Date.parse(timeOf(2)) / 1000;
  for (const since of [timeOf(2), String(seconds), `${seconds}.000`, `${timeOf(2).slice(0, -1)}.0+00:00`])
    expect(await host().ok(["logs", "--since", since, "over"])).toBe(texts(2, 6));
  expect(await host().ok(["logs", "--since", "10m", "over"])).toBe("");
  expect(await host().ok(["logs", "--until", timeOf(3), "over"])).toBe(texts(0, 4));
  expect(await host().ok(["logs", "--since", timeOf(1), "--until", timeOf(1), "over"])).toBe("line 1\n");
  const bad = await host().rt(["logs", "--since", "yesterday", "over"]);
  expect(oneLine(bad.stderr)).toBe(
    'invalid value for "since": failed to parse value as time or duration: "yesterday"',
  );
  expect(bad.code).toBe(1);
});

test("-t and --details, as docker prints them", async () => {
  await using _ = await ended(line(0) + line(1, "x\n", "stdout", { attrs: { tag: "a b", env: "é=" } }));
  expect(await host().ok(["logs", "-t", "over"])).toBe(
    "2024-05-01T10:00:00.000000000Z line 0\n2024-05-01T10:00:01.000000000Z x\n",
  );
  expect(await host().ok(["logs", "--details", "over"])).toBe(" line 0\nenv=%C3%A9%3D,tag=a+b x\n");
  expect(await host().ok(["logs", "-t", "--details", "-n1", "over"])).toBe(
    "2024-05-01T10:00:01.000000000Z env=%C3%A9%3D,tag=a+b x\n",
  );
});

test("bytes that are no text, parts of lines, NUL and escapes are what they were", async () => {
  const raw = Buffer.concat([
    Buffer.from('{"log":"'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from(line(0, "").slice(8)),
  ]);
  await using _ = await ended(
    Buffer.concat([raw, Buffer.from(line(1, "\u001b[0m\0") + line(2, "x".repeat(16384)) + line(3, "y\n"))]),
  );
  const { stdoutBytes } = await host().rt(["logs", "over"]);
  const want = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`\u001b[0m\0${"x".repeat(16384)}y\n`)]);
  expect(Buffer.from(stdoutBytes).equals(want)).toBe(true);
});

test("what is damaged or cut off is told of once and left out", async () => {
  const hole = Buffer.alloc(3 << 20); // longer than a line may be
  const parts = [line(0), '{"log":"cut', `\n${line(1)}[]\n`, hole, `\n${line(2)}`, line(3).slice(0, 20)];
  await using _ = await ended(Buffer.concat(parts.map((part) => Buffer.from(part))), `${line(9)}{"log":`);
  const { stdout, stderr, code } = await host().rt(["logs", "over"]);
  expect(stdout).toBe("line 9\nline 0\nline 1\nline 2\n");
  expect(oneLine(stderr)).toBe("the log of container over is damaged: what cannot be read is left out");
  expect(code).toBe(0);
});

test("a last line without its end is a line", async () => {
  await using _ = await ended(lines(0, 2).trimEnd());
  expect(await host().rt(["logs", "over"])).toMatchObject({ stdout: texts(0, 2), stderr: "", code: 0 });
});

test("no log, no container, a reader that goes", async () => {
  await using _ = await ended();
  expect(await host().rt(["logs", "over"])).toMatchObject({ stdout: "", stderr: "", code: 0 });
  const none = await host().rt(["logs", "nosuch"]);
  expect(oneLine(none.stderr)).toBe("No such container: nosuch");
  expect(none.code).toBe(1);
});

test("the reader of our output goes: a quiet end", async () => {
  await using _ = await ended(lines(0, 50_000));
  const shell = Bun.spawn(["sh", "-c", '"$0" logs over | head -1', process.env.RT_BINARY || "dist/rt"], {
    env: host().env,
    stderr: "pipe",
  });
  expect(await shell.stdout.text()).toBe("line 0\n");
  expect(await shell.stderr.text()).toBe("");
});

test("-f: what comes, through rotations, nothing missed or repeated; it ends with the container", async () => {
  await using container = await running(host());
  const path = logFile(container.id);
  writeFileSync(path, lines(0, 10));
  await using follower = host().spawn(["logs", "-f", "-n", "3", container.name]);
  await follower.stdout.waitFor("line 9\n");
  let next = 10;
  for (let round = 0; round < 40; round++) {
    for (let count = 0; count < 50; count++) appendFileSync(path, line(next++));
    // Sometimes two at once, and the follower has seen nothing of the one between.
    for (let rotation = 0; rotation <= round % 2; rotation++) {
      rmSync(`${path}.9`, { force: true });
      for (let number = 8; number >= 1; number--) {
        try {
          renameSync(`${path}.${number}`, `${path}.${number + 1}`);
        } catch {}
      }
      renameSync(path, `${path}.1`);
      if (round % 3 === 0) await Bun.sleep(2); // between the two there is no file of this name
      appendFileSync(path, line(next++));
    }
    if (round % 5 === 0) await follower.stdout.waitFor(`line ${next - 1}\n`);
    else if (round % 7 === 0) await Bun.sleep(1);
    await until(
      "the follower is not left behind by all files",
      () => follower.stdout.text.includes(`line ${next - 200}\n`) || next < 210,
    );
  }
  // A line in two writes is one line.
  const last = line(next++);
  appendFileSync(path, last.slice(0, 20));
  await Bun.sleep(20);
  appendFileSync(path, last.slice(20));
  await follower.stdout.waitFor(`line ${next - 1}\n`);
  appendFileSync(path, line(next, "last\n", "stderr"));
  await host().ok(["kill", container.name]);
  expect(await follower.exited).toBe(0);
  expect(follower.stdout.text).toBe(texts(7, next));
  expect(follower.stderr.text).toBe("last\n");
  rmSync(dirname(path), { recursive: true });
});

test("-f: a log that begins anew in its only file, and one that is removed with its container", async () => {
  await using container = await running(host());
  const path = logFile(container.id);
  await using follower = host().spawn(["logs", "--follow", container.name]);
  writeFileSync(path, lines(0, 5));
  await follower.stdout.waitFor("line 4\n");
  writeFileSync(path, line(5));
  await follower.stdout.waitFor("line 5\n");
  await host().ok(["rm", "-f", container.name]);
  expect(await follower.exited).toBe(0);
  expect(follower.stdout.text).toBe(texts(0, 6));
  rmSync(dirname(path), { recursive: true, force: true });
});

test("-f: a killed monitor is noticed", async () => {
  await using container = await running(host());
  await using follower = host().spawn(["logs", "-f", container.name]);
  writeFileSync(logFile(container.id), lines(0, 1));
  await follower.stdout.waitFor("line 0\n");
  const pid = /^monitor (\d+)/m.exec(
    await Bun.file(`${host().state}/containers/${container.id}/pid`).text(),
  )![1];
  process.kill(Number(pid), "SIGKILL");
  expect(await follower.exited).toBe(0);
  rmSync(dirname(logFile(container.id)), { recursive: true, force: true });
});

test("-f: an --until that comes is the end", async () => {
  await using container = await running(host());
  const soon = new Date(Date.now() + 1500).toISOString();
  expect(await host().ok(["logs", "-f", "--until", soon, container.name])).toBe("");
});

test("what the monitor writes, byte for byte, and each stream to its own", async () => {
  const script =
    "printf 'a\\377\\000b\\033['; echo; head -c 100000 /dev/zero | tr '\\0' x; echo; echo oh >&2; printf end";
  const ran = await host().rt(["run", "--name", "over", image, "sh", "-c", script]);
  const read = await host().rt(["logs", "over"]);
  expect(read.code).toBe(0);
  expect(Buffer.from(read.stdoutBytes).equals(Buffer.from(ran.stdoutBytes))).toBe(true);
  expect(read.stderr).toBe("oh\n");
  await host().ok(["rm", "over"]);
});

test("-f through the monitor's own rotations, to the program's end", async () => {
  const script =
    "echo up; read go; n=0; while [ $n -lt 3000 ]; do echo line $n; n=$((n+1)); [ $((n % 50)) = 0 ] && sleep 0.02; done";
  const flags = ["-i", "--log-opt", "max-size=8k", "--log-opt", "max-file=4"];
  await using container = await running(host(), ["sh", "-c", script], flags);
  await container.client.stdout.waitFor("up");
  await using follower = host().spawn(["logs", "-f", container.name]);
  await follower.stdout.waitFor("up");
  container.client.write("go\n");
  expect(await follower.exited).toBe(0);
  expect(follower.stdout.text).toBe(`up\n${texts(0, 3000)}`);
  expect(follower.stderr.text).toBe("");
});

test("a driver that keeps nothing has nothing to read, in docker's words", async () => {
  await host().ok(["run", "--name", "over", "--log-driver", "none", image, "echo", "x"]);
  const { stdout, stderr, code } = await host().rt(["logs", "over"]);
  expect([stdout, oneLine(stderr), code]).toEqual([
    "",
    "configured logging driver does not support reading",
    1,
  ]);
  await host().ok(["rm", "over"]);
});
