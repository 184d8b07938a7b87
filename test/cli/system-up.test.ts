/** `rt system up` and `down`: what runs after a start of the machine. A boot is another boot id and no state, or stale state. */
import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { powerFails } from "../support/power.ts";
import { patience, until } from "../support/wait.ts";
import { containerTests, image, oneLine, statusOf } from "./world.ts";

const { test, host } = containerTests();
const ok = async (...argv: string[]) => (await host().ok(argv)).trim();
const directoryOf = (id: string) => join(host().state, "containers", id);
const obedient = ["sh", "-c", "trap 'exit 0' TERM; echo up; sleep 1000 & wait"];

async function run(name: string, policy: string, ...more: string[]): Promise<string> {
  const command = more.length > 0 ? more : [image, ...obedient];
  const id = await ok("run", "-d", "--name", name, "--restart", policy, ...command);
  if (more.length === 0) await until(`${name} obeys`, async () => (await ok("logs", name)) === "up");
  return id;
}

async function statuses(names: readonly string[]): Promise<Record<string, string>> {
  const entries = names.map(async (name) => [name, await statusOf(host(), name)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

const removeAll = async (...names: string[]) => void (await ok("rm", "-f", ...names));

const startTime = (pid: number) => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!;
};

test("down stops all that run, and up starts what its policy says, in the order of making", async () => {
  const kept = ["a-always", "b-unless", "c-no", "d-stopped", "e-stopped-always"];
  await run("a-always", "always");
  await run("b-unless", "unless-stopped");
  await run("c-no", "no");
  await run("d-stopped", "unless-stopped");
  await run("e-stopped-always", "always");
  await ok("create", "--name", "f-never", "--restart", "always", image, "true");
  await ok("stop", "d-stopped", "e-stopped-always");
  // The last that was started first.
  expect((await ok("system", "down")).split("\n").sort()).toEqual(["a-always", "b-unless", "c-no"]);
  expect(await statuses(kept)).toEqual(Object.fromEntries(kept.map((name) => [name, "exited"])));
  expect(await ok("system", "down")).toBe("");
  expect(await ok("system", "up")).toBe("a-always\nb-unless\ne-stopped-always");
  expect(await ok("system", "up")).toBe("");
  expect(await statuses([...kept, "f-never"])).toMatchObject({
    "a-always": "running",
    "c-no": "exited",
    "d-stopped": "exited",
    "f-never": "created",
  });
  // Whoever starts it by hand takes back that it was stopped.
  await ok("start", "d-stopped");
  await ok("system", "down");
  expect(await ok("system", "up")).toBe("a-always\nb-unless\nd-stopped\ne-stopped-always");
  await removeAll(...kept, "f-never");
}, 240_000);

test("on-failure: what failed is tried again, as often as it may, and what ended well is not", async () => {
  await run("well", "on-failure", image, "true");
  await run("worn", "on-failure:1", image, "false");
  await run("killed", "on-failure:1");
  const names = ["well", "worn", "killed"];
  await until("two are over", async () => {
    const { well, worn } = await statuses(names);
    return well === "exited" && worn === "exited";
  });
  expect(await ok("inspect", "-f", "{{.RestartCount}}", "worn")).toBe("1");
  await ok("kill", "killed");
  await ok("wait", "killed");
  expect(await ok("system", "up")).toBe("killed");
  await removeAll(...names);
});

for (const state of ["lost", "kept"] as const) {
  test(`the power fails, and the state is ${state}: what ran counts as running, what was stopped as stopped`, async () => {
    const ids = [
      await run("web", "unless-stopped"),
      await run("job", "on-failure:3"),
      await run("once", "no"),
    ];
    await run("idle", "unless-stopped");
    await ok("stop", "idle");
    await powerFails(host(), ids, state);
    // Any command may be the first of the new boot.
    expect(await ok("ps", "-q")).toBe("");
    expect(await ok("system", "up")).toBe("web\njob");
    expect(await statuses(["web", "job", "once", "idle"])).toEqual({
      web: "running",
      job: "running",
      once: "exited",
      idle: "exited",
    });
    await removeAll("web", "job", "once", "idle");
  });
}

test("a process of this boot that has a number and a start time of the last one's is left alone", async () => {
  await using bystander = Bun.spawn(["sleep", "1000"]);
  const id = await run("web", "always");
  await powerFails(host(), [id], "kept");
  const file = join(directoryOf(id), "pid");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/^init .*$/m, `init ${bystander.pid} ${startTime(bystander.pid)}`));
  expect(await ok("system", "up")).toBe("web");
  expect(bystander.exitCode).toBeNull();
  expect(existsSync(`/proc/${bystander.pid}`)).toBe(true);
  await removeAll("web");
  bystander.kill();
});

test("those that others need are started before them, and stopped after them", async () => {
  await run("net", "always");
  await run("guest", "always", "--network=container:net", image, ...obedient);
  await run("more", "always", "--volumes-from", "guest", image, ...obedient);
  expect(await ok("system", "down")).toBe("more\nguest\nnet");
  expect(await ok("system", "up")).toBe("net\nguest\nmore");
  await removeAll("more", "guest", "net");
});

test("one that fails is told of in one line, and the others come up", async () => {
  await run("net", "no");
  await run("guest", "always", "--network=container:net", image, ...obedient);
  await run("other", "always");
  await ok("system", "down");
  const { code, stdout, stderr } = await host().rt(["system", "up"]);
  expect([code, stdout]).toEqual([1, "other\n"]);
  expect(oneLine(stderr)).toStartWith("cannot start container guest: cannot join network of a non running");
  await removeAll("guest", "net", "other");
});

test("down keeps to each one's timeout, and stops what is paused or waits to be started again", async () => {
  await ok("run", "-d", "--name", "deaf", "--stop-timeout", "1", "--restart=always", image, "sleep", "1000");
  await run("still", "always");
  await ok("pause", "still");
  await run("loop", "always", image, "false");
  await until("it waits", async () => (await statusOf(host(), "loop")) === "restarting");
  const before = performance.now();
  expect((await ok("system", "down")).split("\n").sort()).toEqual(["deaf", "loop", "still"]);
  expect(performance.now() - before).toBeLessThan(9000 * patience);
  expect(await ok("inspect", "-f", "{{.State.ExitCode}}", "deaf")).toBe("137");
  expect(await ok("ps", "-q")).toBe("");
  expect((await ok("system", "up")).split("\n")).toEqual(["deaf", "still", "loop"]);
  await removeAll("deaf", "still", "loop");
});
