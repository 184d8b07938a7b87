/** Bytes between the caller and the program: exact, in order, without deadlock, and ended as a pipe ends. */
import { expect } from "bun:test";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { spewPattern } from "../support/probe.ts";
import { rtBinary } from "../support/rt.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();
const large = 64 << 20;

function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536)
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, size)));
  return bytes;
}

function sha256(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

test("64 MiB in, exact", async () => {
  const bytes = randomBytes(large);
  const { stdout, code } = await host().rt(["run", "--rm", "-i", image, "probe", "stdin-sha256"], {
    stdin: bytes,
  });
  expect(stdout).toBe(`bytes ${large}\nsha256 ${sha256(bytes)}\n`);
  expect(code).toBe(0);
});

test("cat | rt run -i sha256sum, from a file and through a pipe of the shell", async () => {
  const bytes = randomBytes((8 << 20) + 12345);
  const file = join(host().dir, "random");
  await Bun.write(file, bytes);
  const command = `${rtBinary} run --rm -i ${image} sha256sum`;
  for (const script of [`cat ${file} | ${command}`, `${command} < ${file}`]) {
    const child = Bun.spawn(["sh", "-c", script], { env: host().env, stdout: "pipe", stderr: "inherit" });
    expect(await child.stdout.text()).toBe(`${sha256(bytes)}  -\n`);
    expect(await child.exited).toBe(0);
  }
});

test("64 MiB out, exact", async () => {
  const { stdoutBytes, code } = await host().rt(["run", "--rm", image, "probe", "spew", `${large}`]);
  expect(stdoutBytes.length).toBe(large);
  expect(sha256(stdoutBytes)).toBe(sha256(spewPattern(large)));
  expect(code).toBe(0);
});

test("both ways at once, with a fast writer and a slow reader", async () => {
  const bytes = randomBytes(16 << 20);
  const child = Bun.spawn([rtBinary, "run", "--rm", "-i", image, "cat"], {
    env: host().env,
    stdin: bytes,
    stdout: "pipe",
    stderr: "inherit",
  });
  const hasher = new Bun.CryptoHasher("sha256");
  let length = 0;
  let turns = 0;
  for await (const chunk of child.stdout) {
    hasher.update(chunk);
    length += chunk.length;
    // Slow: let everything in front of us fill up now and then.
    if (turns++ % 64 === 0) await Bun.sleep(2);
  }
  expect(length).toBe(bytes.length);
  expect(hasher.digest("hex")).toBe(sha256(bytes));
  expect(await child.exited).toBe(0);
});

test("half-close: the program sees the end of its input, and writes on for a while", async () => {
  const script = "n=$(wc -c); for i in 1 2 3 4 5; do echo $n $i; sleep 0.02; done";
  const { stdout, code } = await host().rt(["run", "--rm", "-i", image, "sh", "-c", script], {
    stdin: "12345",
  });
  expect(stdout).toBe("5 1\n5 2\n5 3\n5 4\n5 5\n");
  expect(code).toBe(0);
});

test("an empty stdin with -i is an end at once", async () => {
  expect(await host().ok(["run", "--rm", "-i", image, "wc", "-c"], { stdin: "" })).toBe("0\n");
});

test("the program may close its output and go on reading", async () => {
  const script = "exec >&- 2>&-; sha256sum > /dev/null; exit 4";
  const { stdout, code } = await host().rt(["run", "--rm", "-i", image, "sh", "-c", script], {
    stdin: randomBytes(1 << 20),
  });
  expect(stdout).toBe("");
  expect(code).toBe(4);
});

test("a program that does not read ends the run, however much the caller would send", async () => {
  const { stdout, code } = await host().rt(["run", "--rm", "-i", image, "echo", "done"], {
    stdin: randomBytes(4 << 20),
  });
  expect(stdout).toBe("done\n");
  expect(code).toBe(0);
});

test("without -i stdin is the null device, and what the caller sends is left alone", async () => {
  expect(
    await host().ok(["run", "--rm", image, "sh", "-c", "readlink /proc/self/fd/0; cat"], {
      stdin: "not read",
    }),
  ).toBe("/dev/null\n");
  const script = `${rtBinary} run --rm ${image} true; cat`;
  const child = Bun.spawn(["sh", "-c", script], {
    env: host().env,
    stdin: Buffer.from("still here"),
    stdout: "pipe",
  });
  expect(await child.stdout.text()).toBe("still here");
});

test("stdout and stderr stay apart, each in order", async () => {
  const script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 3";
  const { stdout, stderr, code } = await host().rt(["run", "--rm", image, "sh", "-c", script]);
  expect(stdout).toBe("out 1\nout 2\nout 3\n");
  expect(stderr).toBe("err 1\nerr 2\nerr 3\n");
  expect(code).toBe(3);
});

test("much on stdout and on stderr at once", async () => {
  const size = 4 << 20;
  const script = `probe spew ${size} 2 & probe spew ${size} 1; wait`;
  const child = Bun.spawn([rtBinary, "run", "--rm", image, "sh", "-c", script], {
    env: host().env,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.bytes(), child.stderr.bytes()]);
  const digest = sha256(spewPattern(size));
  expect([sha256(stdout), sha256(stderr), await child.exited]).toEqual([digest, digest, 0]);
});

test("what the program wrote last is not lost at its end", async () => {
  for (let round = 0; round < 10; round++) {
    const { stdout } = await host().rt([
      "run",
      "--rm",
      image,
      "sh",
      "-c",
      "probe spew 60000; echo; echo end >&2",
    ]);
    expect(stdout.length).toBeGreaterThan(60000 / 2);
    expect(stdout.endsWith("\n")).toBe(true);
  }
});

test("what a background process writes after the program's end does not hold up the run", async () => {
  const started = Date.now();
  const { stdout, code } = await host().rt(["run", "--rm", image, "sh", "-c", "sleep 1000 & echo end"]);
  expect(stdout).toBe("end\n");
  expect(code).toBe(0);
  expect(Date.now() - started).toBeLessThan(20_000);
});

test("a reader that goes away ends the run: the program sees a broken pipe", async () => {
  // As pid 1 it survives SIGPIPE and gets EPIPE; under an init the signal ends it.
  for (const [flags, words] of [
    ["", "yes: (null): Broken pipe\n"],
    ["--init", ""],
  ]) {
    const script = `${rtBinary} run --rm ${flags} ${image} yes | head -1`;
    const child = Bun.spawn(["sh", "-c", script], { env: host().env, stdout: "pipe", stderr: "pipe" });
    expect(await child.stdout.text()).toBe("y\n");
    expect(await child.stderr.text()).toBe(words!);
    expect(await child.exited).toBe(0);
  }
});

test("a reader of stderr that goes away does not take stdout along", async () => {
  const script = `{ ${rtBinary} run --rm ${image} sh -c 'echo first >&2; sleep 0.1; echo second >&2; echo out' 2>&1 >&3 | head -1 >&2; } 3>&1`;
  const child = Bun.spawn(["sh", "-c", script], { env: host().env, stdout: "pipe", stderr: "pipe" });
  expect(await child.stdout.text()).toBe("out\n");
  expect(await child.stderr.text()).toBe("first\n");
});

test("stdout to a file, truncated and appended", async () => {
  const file = join(host().dir, "output");
  for (const mode of ["w", "a"]) {
    const fd = openSync(file, mode);
    const child = Bun.spawn([rtBinary, "run", "--rm", image, "probe", "spew", "100000"], {
      env: host().env,
      stdout: fd,
    });
    expect(await child.exited).toBe(0);
    closeSync(fd);
  }
  const once = spewPattern(100_000);
  expect(sha256(readFileSync(file))).toBe(sha256(Buffer.concat([once, once])));
});

test("stdout and stderr closed by the caller", async () => {
  for (const closed of ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]) {
    const script = `${rtBinary} run --rm -i ${image} sh -c 'echo out; exit 5' ${closed}`;
    const child = Bun.spawn(["sh", "-c", script], { env: host().env, stdout: "pipe", stderr: "pipe" });
    expect([closed, await child.exited]).toEqual([closed, 5]);
  }
});

test("a full disk under stdout is the caller's: the run ends", async () => {
  const fd = openSync("/dev/full", "w");
  const child = Bun.spawn([rtBinary, "run", "--rm", image, "yes"], {
    env: host().env,
    stdout: fd,
    stderr: "pipe",
  });
  await child.exited;
  closeSync(fd);
  expect(child.exitCode).not.toBe(0);
});

test("a client that was stopped and continued loses nothing", async () => {
  const size = 8 << 20;
  const child = Bun.spawn([rtBinary, "run", "--rm", image, "probe", "spew", `${size}`], {
    env: host().env,
    stdout: "pipe",
  });
  const reader = child.stdout.getReader();
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update((await reader.read()).value!);
  for (let round = 0; round < 5; round++) {
    child.kill("SIGSTOP");
    await until("it is stopped", () => stateOf(child.pid) === "T");
    child.kill("SIGCONT");
    const { value } = await reader.read();
    if (value) hasher.update(value);
  }
  for (let part = await reader.read(); part.value; part = await reader.read()) hasher.update(part.value);
  expect(hasher.digest("hex")).toBe(sha256(spewPattern(size)));
  expect(await child.exited).toBe(0);
});

function stateOf(pid: number): string | undefined {
  return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
}

test("two clients: both see the output; what one types the program gets", async () => {
  await using container = await running(host(), ["cat"], ["-i"]);
  await using second = host().spawn(["attach", container.name]);
  second.write("from the second\n");
  await container.client.stdout.waitFor("from the second");
  await second.stdout.waitFor("from the second");
  container.client.write("from the first\n");
  await second.stdout.waitFor("from the first");
  await container.client.stdout.waitFor("from the first");
});

test("two clients that send more than the program takes: every byte of both arrives", async () => {
  const half = 4 << 20;
  const script = `sleep 0.2; head -c ${2 * half} > /in; tr -dc a < /in | wc -c; tr -dc b < /in | wc -c`;
  await using container = await running(host(), ["sh", "-c", script], ["-i"]);
  await using second = host().spawn(["attach", container.name]);
  container.client.write(new Uint8Array(half).fill(0x61));
  second.write(new Uint8Array(half).fill(0x62));
  expect(await container.client.exited).toBe(0);
  expect(container.client.stdout.text).toBe(`${half}\n${half}\n`);
});

test("a reader that goes while stdin is backed up ends the run too", async () => {
  const script = 'yes | "$1" run -i --rm "$2" yes | head -1';
  const child = Bun.spawn(["sh", "-c", script, "sh", rtBinary, image], {
    env: host().env,
    stdout: "pipe",
    stderr: "ignore",
  });
  expect(await child.stdout.text()).toBe("y\n");
  expect(await child.exited).toBe(0);
});

test("output that cannot be written is an error, not a success", async () => {
  const child = Bun.spawn(["sh", "-c", '"$1" run --rm "$2" echo hi > /dev/full', "sh", rtBinary, image], {
    env: host().env,
    stderr: "pipe",
  });
  expect(oneLine(await child.stderr.text())).toContain("No space left on device");
  expect(await child.exited).toBe(125);
});
