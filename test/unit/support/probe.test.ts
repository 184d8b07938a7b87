/** The prober run on the host: the tests' eyes must be trusted before what they see. */
import { expect, test } from "bun:test";
import { run } from "../../support/command.ts";
import { facts, factsNamed, probeBinary, spewPattern } from "../../support/probe.ts";
import { openPty } from "../../support/pty.ts";
import { tool } from "../../support/root.ts";
import { Transcript } from "../../support/wait.ts";

const probe = await probeBinary();

async function probed(args: string[], stdin?: Uint8Array, env: Record<string, string> = {}) {
  const child = Bun.spawn([probe, ...args], {
    stdin: stdin ? Buffer.from(stdin) : "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env,
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited]);
  return {
    stdout: new TextDecoder().decode(stdout),
    bytes: stdout,
    stderr,
    code,
    signal: child.signalCode,
    pid: child.pid,
  };
}

test("it is small and needs nothing", async () => {
  expect(Bun.file(probe).size).toBeLessThan(48 * 1024);
  const elf = Buffer.from(await Bun.file(probe).bytes());
  expect(elf.includes("PT_INTERP") || elf.includes("/ld-")).toBe(false);
});

test("it greets in about a dozen lines, with live facts", async () => {
  const { stdout, code, pid } = await probed([]);
  expect(stdout).toContain("Hello from a container made by rt.");
  expect(stdout).toContain(`pid ${pid}, uid ${process.getuid?.()}`);
  expect(stdout.trim().split("\n").length).toBeLessThanOrEqual(14);
  expect(code).toBe(0);
});

test("ids, cwd, args, env and fds are those of the process", async () => {
  const ids = await probed(["ids"]);
  expect(facts(ids.stdout).get("pid")).toBe(String(ids.pid));
  expect(facts(ids.stdout).get("ppid")).toBe(String(process.pid));
  expect(facts(ids.stdout).get("uid")).toBe(String(process.getuid?.()));
  expect(facts((await probed(["cwd"])).stdout).get("cwd")).toBe(process.cwd());
  expect((await probed(["args", "a b", "new\nline", ""])).stdout).toBe(
    `arg 0 ${probe}\narg 1 args\narg 2 a b\narg 3 new\\x0aline\narg 4 \n`,
  );
  expect((await probed(["env"], undefined, { B: "2", A: "1=x" })).stdout).toBe("env B=2\nenv A=1=x\n");
  expect(
    factsNamed((await probed(["fds"])).stdout, "fd").filter((line) => /^[012] /.test(line)),
  ).toHaveLength(3);
});

test("what it says of capabilities, limits, mounts and namespaces is what the kernel says", async () => {
  const status = await Bun.file("/proc/self/status").text();
  const caps = facts((await probed(["caps"])).stdout);
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
    expect(caps.get(set)?.split(" ")[0]).toBe(status.match(new RegExp(`${set}:\\s+(\\w+)`))![1]!);
  }
  const nofile = (await run(["sh", "-c", "ulimit -Sn; ulimit -Hn"])).trim().split("\n").join(" ");
  expect(factsNamed((await probed(["rlimits"])).stdout, "rlimit")).toContain(`nofile ${nofile}`);
  const mounts = factsNamed((await probed(["mounts"])).stdout, "mount");
  const expected = (await Bun.file("/proc/self/mountinfo").text())
    .trim()
    .split("\n")
    .map((line) => line.split(" ")[4]!);
  expect(mounts.map((line) => line.split(" ")[0]!)).toEqual(expected);
  const uts = await run(["readlink", "/proc/self/ns/uts"]);
  expect(factsNamed((await probed(["namespaces"])).stdout, "ns")).toContain(`uts ${uts.trim()}`);
});

test("streams are exact: echo, spew, stdin-sha256 at block boundaries", async () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 70_001]) {
    const bytes = spewPattern(length);
    const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    expect((await probed(["stdin-sha256"], bytes)).stdout).toBe(`bytes ${length}\nsha256 ${digest}\n`);
    expect(Buffer.compare((await probed(["echo"], bytes)).bytes, bytes)).toBe(0);
    expect(Buffer.compare((await probed(["spew", String(length)])).bytes, bytes)).toBe(0);
  }
  const { stdout, stderr } = await probed(["stderr", "to the other"]);
  expect([stdout, stderr]).toEqual(["", "to the other\n"]);
});

test("exit statuses, signals and errors", async () => {
  expect((await probed(["exit", "42"])).code).toBe(42);
  expect((await probed(["kill-self", "SEGV"])).signal).toBe("SIGSEGV");
  expect((await probed(["no-such"])).code).toBe(2);
  const missing = await probed(["cat", "/no/such"]);
  expect([missing.stdout, missing.code]).toEqual(["error ENOENT /no/such\n", 1]);
  expect((await probed(["try", "open-for-write", "/no/such"])).stdout).toBe("try open-for-write ENOENT\n");
  expect((await probed(["exec", "/no/such"])).stdout).toBe("error ENOENT /no/such\n");
  expect((await probed(["exec-self", "exit", "7"])).code).toBe(7);
});

test("signal-wait names each signal", async () => {
  const child = Bun.spawn([probe, "signal-wait", "--exit-on", "USR2", "HUP", "USR1"], { stdout: "pipe" });
  const output = new Transcript();
  const drained = output.drain(child.stdout);
  await output.waitFor("ready\n");
  for (const signal of ["HUP", "USR1", "USR2"]) {
    child.kill(`SIG${signal}` as NodeJS.Signals);
    await output.waitFor(`signal ${signal}\n`);
  }
  await drained;
  expect(await child.exited).toBe(0);
});

test("the terminal: controlling, its size, and a resize", async () => {
  await using first = openPty([probe, "tty"], { rows: 33, columns: 99 });
  expect(await first.exited).toBe(0);
  const seen = facts(first.screen.text.replaceAll("\r", ""));
  expect(seen.get("winsize")).toBe("33 99");
  expect(seen.get("controlling")).toBe("ok");
  expect(seen.get("foreground")).toBe(seen.get("pgrp")!);
  await using second = openPty([probe, "winsize-wait", "1"], { rows: 10, columns: 20 });
  await second.screen.waitFor("ready 10 20");
  second.resize(11, 21);
  await second.screen.waitFor("winsize 11 21");
});

test("stat and ls agree with coreutils", async () => {
  const file = tool("sh")!;
  const [mode, uid, gid, size, inode] = (await run(["stat", "-L", "-c", "%a %u %g %s %i", file]))
    .trim()
    .split(" ");
  const seen = facts((await probed(["stat", "-L", file])).stdout);
  expect([seen.get("mode"), seen.get("uid"), seen.get("gid"), seen.get("size"), seen.get("ino")]).toEqual([
    mode!.padStart(4, "0"),
    uid!,
    gid!,
    size!,
    inode!,
  ]);
  const listed = (await probed(["ls", "/dev"])).stdout;
  expect(listed).toContain("c 0666 0 0 1:3 null\n");
  expect(factsNamed((await probed(["devices"])).stdout, "device")).toContain("null c 1:3 0666 0:0");
});
