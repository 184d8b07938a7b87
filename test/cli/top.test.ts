/** `rt top`: the processes of a container, as ps(1) on the host would show them. */
import { expect } from "bun:test";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, running } from "./world.ts";

const { test, host } = containerTests();

test("Docker's columns, without asking: every process of the container and no other", async () => {
  await using container = await running(
    host(),
    ["sh", "-c", "sleep 1000 & sleep 1001; :"],
    ["--user", "1234"],
  );
  const pid = await pidOf(host(), container.name);
  const lines = await until("all are there", async () => {
    const found = (await host().ok(["top", container.name])).trimEnd().split("\n");
    return found.length === 4 && found;
  });
  expect(lines[0]).toBe(
    ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME"]
      .map((title) => title.padEnd(20))
      .join("")
      .concat("CMD"),
  );
  const rows = lines.slice(1).map((line) => line.split(/ {2,}/));
  expect(rows.map(([uid]) => uid)).toEqual(["1234", "1234", "1234"]);
  expect(rows.map((row) => row.at(-1))).toEqual([
    "sh -c sleep 1000 & sleep 1001; :",
    "sleep 1000",
    "sleep 1001",
  ]);
  expect(rows[0]![1]).toBe(String(pid));
  expect(rows[1]![2]).toBe(String(pid));
  expect(rows[0]!.slice(3, 7).join(" ")).toMatch(/^\d+ \d\d:\d\d \? \d\d:\d\d:\d\d$/);
});

test("what ps(1) says of the same process", async () => {
  await using container = await running(host(), ["probe", "signal-wait", "--exit-on", "TERM", "TERM"]);
  await container.client.stdout.waitFor("ready");
  const pid = String(await pidOf(host(), container.name));
  const fields = "pid,ppid,pgid,sid,user:20,uid,gid,group,s,stat,tname,ni,nlwp,comm,vsz,sz,rss,lstart,args";
  const ours = (await host().ok(["top", container.name, "-o", fields])).trimEnd().split("\n");
  const theirs = (await Bun.$`ps -p ${pid} -o ${fields}`.text()).trimEnd().split("\n");
  const words = (line: string | undefined) => line?.trim().split(/\s+/);
  expect(ours.map(words)).toEqual(theirs.map(words));
});

test("forms of ps: aux, -eo, titles; a field or option that there is not", async () => {
  await using container = await running(host());
  const top = async (...words: string[]) => await host().ok(["top", container.name, ...words]);
  expect(await top("aux")).toMatch(/^USER +PID +%CPU +%MEM +VSZ +RSS +TTY +STAT +START +TIME +COMMAND\n/);
  expect(await top("-eo", "pid,comm=WHAT")).toMatch(/^PID +WHAT\n\d+ +sleep\n$/);
  expect(await top("-o", "pid", "-o", "args")).toMatch(/^PID +COMMAND\n\d+ +sleep 1000\n$/);
  for (const words of [
    ["-o", "pid="],
    ["-o", "pid", "--no-headers"],
  ])
    expect(await top(...words)).toMatch(/^\d+\n$/);
  for (const words of [["-o", "nothing"], ["-o", "pid:x"], ["--forest"], ["-o"]]) {
    const { stderr, code } = await host().rt(["top", container.name, ...words]);
    oneLine(stderr);
    expect(code).toBe(1);
  }
});

test("words of a program that would act on the terminal are shown as escapes", async () => {
  await using container = await running(host(), ["sh", "-c", "sleep 1000; : \u001b[2J\nroot"]);
  const text = await host().ok(["top", container.name, "-o", "args"]);
  expect(text).toContain("\\u001b[2J\\nroot");
  expect(text.split("\n")).toHaveLength(4);
});

test("one that does not run, and none: one line, exit 1", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  for (const [name, text] of [
    ["over", /^container \w{64} is not running$/],
    ["nosuch", /^No such container: nosuch$/],
  ] as const) {
    const { stderr, code } = await host().rt(["top", name]);
    expect(oneLine(stderr)).toMatch(text);
    expect(code).toBe(1);
  }
  await host().ok(["rm", "over"]);
});

test("on a terminal it keeps to its width", async () => {
  await using one = await running(host(), [
    "sh",
    "-c",
    "sleep 1000 # and so on, and so on, and so on, and so on",
  ]);
  await using terminal = host().pty(["top", one.name], { columns: 50, rows: 10 });
  expect(await terminal.exited).toBe(0);
  const lines = terminal.screen.text.split("\r\n").filter(Boolean);
  expect(lines[0]).toMatch(/^UID +PID +PPID/);
  expect(Math.max(...lines.map((line) => [...line].length))).toBe(50);
});
