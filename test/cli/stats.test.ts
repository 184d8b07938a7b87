/** `rt stats`: what containers use by the kernel's counts, on cgroup v1, v2 and both, as docker shows it. */
import { expect } from "bun:test";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

const busy = [
  "sh",
  "-c",
  "dd if=/dev/zero of=/held bs=1M count=8 2>/dev/null; sleep 1000 & while :; do :; done",
];

interface Line {
  Name: string;
  ID: string;
  Container: string;
  CPUPerc: string;
  MemUsage: string;
  MemPerc: string;
  PIDs: string;
}

async function stats(...args: string[]): Promise<Line[]> {
  const text = await host().ok(["stats", "--no-stream", "--format", "json", ...args]);
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const megabytes = ({ MemUsage }: Line) => {
  const [, number, unit] = /^([\d.]+)(\w+) \/ /.exec(MemUsage)!;
  return Number(number) * { B: 1 / 2 ** 20, KiB: 1 / 1024, MiB: 1, GiB: 1024 }[unit!]!;
};

test("docker's columns and fields: processor, memory, processes; those that do not run with -a", async () => {
  await using one = await running(host(), busy);
  await using two = await running(host());
  const table = await host().ok(["stats", "--no-stream"]);
  expect(table.split("\n")[0]).toMatch(
    /^CONTAINER ID {3}NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/,
  );
  expect(table.split("\n").length).toBe(4);
  const [hard] = await stats(one.name);
  expect(hard).toMatchObject({ Name: one.name, Container: one.name, ID: one.id.slice(0, 12), PIDs: "2" });
  expect(Number.parseFloat(hard!.CPUPerc)).toBeGreaterThan(1);
  expect(megabytes(hard!)).toBeGreaterThan(0.01);
  expect(megabytes(hard!)).toBeLessThan(64);
  const [idle] = await stats("--no-trunc", two.id.slice(0, 20));
  expect(idle).toMatchObject({ ID: two.id, Container: two.id.slice(0, 20), PIDs: "1" });
  expect(Number.parseFloat(idle!.CPUPerc)).toBeLessThan(Number.parseFloat(hard!.CPUPerc));
  await host().ok(["create", "--name", "never", image, "true"]);
  expect((await stats()).map(({ Name }) => Name).sort()).toEqual([one.name, two.name].sort());
  const all = await stats("-a");
  expect(all.find(({ Name }) => Name === "never")).toMatchObject({ CPUPerc: "0.00%", MemUsage: "0B / 0B" });
  await host().ok(["rm", "never"]);
});

test("as a stream: again each second, without control sequences where nobody looks at a screen", async () => {
  await using one = await running(host());
  await using client = host().spawn(["stats", "--format", "{{.Name}} {{.PIDs}}"]);
  await client.stdout.waitFor(`${one.name} 1\n${one.name} 1\n`);
  expect(client.stdout.text).not.toContain("\u001b");
  client.kill("SIGINT");
  expect(await client.exited).toBe(130);
});

test("on a terminal it is drawn anew, with its history, and no wider than that", async () => {
  await using one = await running(host(), busy);
  for (const [columns, history] of [
    [160, true],
    [100, false],
    [40, false],
  ] as const) {
    await using terminal = host().pty(["stats", one.name], { columns, rows: 10 });
    await terminal.screen.waitFor("\u001b[J\u001b[H");
    terminal.type("\u0003");
    expect(await terminal.exited).toBe(130);
    const { text } = terminal.screen;
    expect(text.includes("CPU HISTORY")).toBe(history);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken away
    const lines = text.replace(/\u001b\[[HJK]/g, "").split("\r\n");
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(columns);
  }
});

test("one that has gone, and one that never was", async () => {
  const { stderr, code } = await host().rt(["stats", "--no-stream", "nosuch"]);
  expect({ line: oneLine(stderr), code }).toEqual({ line: "No such container: nosuch", code: 1 });
  await using one = await running(host());
  await using client = host().spawn(["stats", "--format", "{{.Name}}", one.name]);
  await client.stdout.waitFor(one.name);
  await host().ok(["rm", "-f", one.name]);
  expect(await client.exited).toBe(0);
  const wrong = await host().rt(["stats", "--no-stream", "--format", "{{.Nothing"]);
  expect(wrong.code).not.toBe(0);
  expect(oneLine(wrong.stderr)).toContain("template");
});

test("a paused container answers at once", async () => {
  await using one = await running(host(), busy);
  await host().ok(["pause", one.name]);
  const start = performance.now();
  expect(await stats(one.name)).toMatchObject([{ CPUPerc: "0.00%", PIDs: "2" }]);
  expect(performance.now() - start).toBeLessThan(5000);
  await host().ok(["unpause", one.name]);
});
