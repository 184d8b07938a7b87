/** --time-offset: the clocks of a container's own time namespace, in run, exec, a health check and after a restart. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

const hour = 3600;
const uptimeIn = (text: string) => Number(text.split(" ")[0]);
const hostUptime = () => uptimeIn(readFileSync("/proc/uptime", "latin1"));

/** How far the boottime clock inside is ahead of the host's, in whole hours. */
async function hoursAhead(read: () => Promise<string>): Promise<number> {
  return Math.round((uptimeIn(await read()) - hostUptime()) / hour) + 0; // not -0
}

test("run and exec have the clocks that were asked for, and a restart keeps them", async () => {
  const flags = ["--time-offset", `boottime=${10 * hour}`, "--time-offset", `monotonic=${20 * hour}.5`];
  await using container = await running(host(), ["sleep", "1000"], flags);
  const { name } = container;
  const uptime = () => host().ok(["exec", name, "cat", "/proc/uptime"]);
  expect(await hoursAhead(uptime)).toBe(10);
  const offsets = await host().ok(["exec", name, "cat", "/proc/self/timens_offsets"]);
  expect(offsets.trim().split(/\s+/)).toEqual(["monotonic", "72000", "500000000", "boottime", "36000", "0"]);
  const inside = (file: string) => host().ok(["exec", name, "readlink", `/proc/${file}/ns/time`]);
  expect(await inside("self")).toBe(await inside("1"));
  const document = JSON.parse(await host().ok(["inspect", "-f", "{{json .HostConfig.TimeOffsets}}", name]));
  expect(document).toEqual({ boottime: "36000", monotonic: "72000.5" });
  await host().ok(["restart", "-t", "0", name]);
  expect(await hoursAhead(uptime)).toBe(10);
  // It is signalled by its start time, which is another one inside.
  await host().ok(["kill", name]);
});

test("a health check and a container of a joined pid namespace have theirs", async () => {
  const offset = ["--time-offset", `boottime=${5 * hour}`];
  const check = ["--health-cmd", "cat /proc/uptime", "--health-interval", "100ms"];
  await using container = await running(host(), ["sleep", "1000"], [...offset, ...check]);
  const output = ["inspect", "-f", "{{with index .State.Health.Log 0}}{{.Output}}{{end}}", container.name];
  const first = await until("a check", async () => {
    const { stdout, code } = await host().rt(output);
    return code === 0 && stdout.trim() !== "" ? stdout : undefined;
  });
  expect(await hoursAhead(() => Promise.resolve(first))).toBe(5);
  const more = ["--time-offset", `boottime=${7 * hour}`];
  const joined = [
    "run",
    "--rm",
    ...more,
    "--pid",
    `container:${container.name}`,
    image,
    "cat",
    "/proc/uptime",
  ];
  expect(await hoursAhead(() => host().ok(joined))).toBe(7);
});

test("without it the clocks are the host's, and their namespace too", async () => {
  expect(await host().ok(["run", "--rm", image, "readlink", "/proc/self/ns/time"])).toBe(
    await host().ok(["run", "--rm", "--pid", "host", image, "readlink", "/proc/self/ns/time"]),
  );
  expect(await hoursAhead(() => host().ok(["run", "--rm", image, "cat", "/proc/uptime"]))).toBe(0);
});

const mistakes: [string, string][] = [
  [
    "realtime=1",
    'invalid --time-offset "realtime=1": the clocks are monotonic and boottime; the time of day is',
  ],
  ["monotonic", 'invalid --time-offset "monotonic": want CLOCK=SECONDS'],
  ["monotonic=soon", 'invalid --time-offset "monotonic=soon": want a number of seconds, as -3600 or 1.5'],
  [
    "boottime=-9999999999",
    "--time-offset: the boottime clock cannot be put forward by -9999999999 s: it would be below zero, or too far ahead",
  ],
];
for (const [text, why] of mistakes) {
  test(`one line: --time-offset ${text}`, async () => {
    const { stdout, stderr, code } = await host().rt(["run", "--rm", "--time-offset", text, image, "true"]);
    expect([stdout, code]).toEqual(["", 125]);
    expect(oneLine(stderr)).toContain(why);
  });
}
