/** `rt create`, `rt start` and `rt restart`: a container before its program runs, and again after its end. */
import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, pidOf, remains, statusOf } from "./world.ts";

const { test, host } = containerTests();
const status = (name: string) => statusOf(host(), name);
const state = async (name: string) => JSON.parse(await host().ok(["inspect", name]))[0].State;
const stateDirectories = () => readdirSync(join(host().state, "containers"));

/** Made by `rt create FLAGS IMAGE COMMAND`; gone when disposed of. */
async function created(name: string, command: string[], flags: string[] = []) {
  const id = (await host().ok(["create", "--name", name, ...flags, image, ...command])).trim();
  return {
    id,
    async [Symbol.asyncDispose]() {
      await host().rt(["rm", "-f", "-v", name]);
      await until("it is gone", () => remains(host(), [id]).length === 0);
    },
  };
}

test("create: its id, nothing runs, nothing is looked after, everything can be asked of it", async () => {
  await using made = await created("new", ["true"], ["-l", "a=b", "-v", "/data"]);
  expect(made.id).toMatch(/^[0-9a-f]{64}$/);
  expect(stateDirectories()).toEqual([]);
  expect(await host().ok(["ps", "-q"])).toBe("");
  expect(await host().ok(["ps", "-a", "--format", "{{.Names}} {{.State}} {{.Status}}"])).toBe(
    "new created Created\n",
  );
  expect(await state("new")).toMatchObject({ Status: "created", Running: false, Pid: 0, ExitCode: 0 });
  expect(await host().ok(["ps", "-aq", "-f", "exited=0"])).toBe("");
  expect(await host().ok(["wait", "new"])).toBe("0\n");
  expect(await host().ok(["stop", "new"])).toBe("new\n");
  for (const argv of [
    ["exec", "new", "true"],
    ["kill", "new"],
    ["attach", "new"],
    ["pause", "new"],
  ]) {
    const { code, stderr } = await host().rt(argv);
    oneLine(stderr);
    expect(code).toBe(1);
  }
  expect(await status("new")).toBe("created");
});

test("create: a name that is taken, an image that is not there, --cidfile; nothing is left of a failure", async () => {
  await using made = await created("new", ["true"]);
  const taken = await host().rt(["create", "--name", "new", "-v", "/data", image]);
  expect(taken.code).toBe(125);
  expect(oneLine(taken.stderr)).toContain(
    `The container name "/new" is already in use by container "${made.id}"`,
  );
  const absent = await host().rt(["create", "--pull=never", "none"]);
  expect([absent.code, absent.stdout]).toEqual([125, ""]);
  expect(await host().ok(["ps", "-aq", "--no-trunc"])).toBe(`${made.id}\n`);
  expect(remains(host()).filter((path) => !path.includes(made.id))).toEqual([]);
  const file = join(host().dir, "cid");
  const id = (await host().ok(["create", "--cidfile", file, image])).trim();
  expect(await Bun.file(file).text()).toBe(id);
  await host().ok(["rm", id]);
});

test("start: in the background, and its name is told; then it is there like any other", async () => {
  await using made = await created("job", ["sleep", "1000"]);
  expect(await host().ok(["start", "job"])).toBe("job\n");
  expect(await status("job")).toBe("running");
  expect(await host().ok(["exec", "job", "echo", "in"])).toBe("in\n");
  const pid = await pidOf(host(), "job");
  expect(await host().ok(["start", made.id])).toBe(`${made.id}\n`);
  expect(await pidOf(host(), "job")).toBe(pid);
  await host().ok(["stop", "-t", "0", "job"]);
  expect(await state("job")).toMatchObject({ Status: "exited", ExitCode: 137 });
});

test("start -a: its output and its exit status, again and again, with the files it had", async () => {
  await using _ = await created("job", ["sh", "-c", "echo x >> /count; wc -l < /count; exit 7"]);
  for (const round of [1, 2, 3]) {
    const { stdout, code } = await host().rt(["start", "-a", "job"]);
    expect([stdout, code]).toEqual([`${round}\n`, 7]);
    expect(await state("job")).toMatchObject({ Status: "exited", ExitCode: 7, Running: false });
    expect(stateDirectories()).toEqual([]);
  }
});

test("start -ai: stdin too, where the container has one", async () => {
  await using _one = await created("open", ["cat"], ["-i"]);
  expect(await host().ok(["start", "-ai", "open"], { stdin: "some words" })).toBe("some words");
  await using _two = await created("closed", ["cat"]);
  expect(await host().ok(["start", "-i", "closed"], { stdin: "some words" })).toBe("");
});

test("start: what ran with rt run runs again; volumes keep what they have", async () => {
  await host().rt([
    "run",
    "--name",
    "again",
    "-v",
    "/data",
    image,
    "sh",
    "-c",
    "echo x >> /data/n; cat /data/n",
  ]);
  expect(await host().ok(["start", "-a", "again"])).toBe("x\nx\n");
  await host().ok(["rm", "-v", "again"]);
});

test("--rm: a created one stays until it has run", async () => {
  await using made = await created("once", ["true"], ["--rm"]);
  expect(await host().ok(["ps", "-aq", "--no-trunc"])).toBe(`${made.id}\n`);
  expect(await host().ok(["start", "-a", "once"])).toBe("");
  expect(await host().ok(["ps", "-aq"])).toBe("");
});

test("start: what cannot be executed leaves it as it was", async () => {
  await using _ = await created("bad", ["/none"]);
  for (const argv of [
    ["start", "bad"],
    ["start", "-a", "bad"],
  ]) {
    const { stdout, stderr, code } = await host().rt(argv);
    expect(stdout).toBe("");
    expect(oneLine(stderr)).toContain("cannot start container bad");
    expect(code).toBe(1);
    expect(await status("bad")).toBe("created");
    expect(await state("bad")).toMatchObject({ ExitCode: 127, Error: oneLine(stderr), Pid: 0 });
    expect(await host().ok(["wait", "bad"])).toBe("127\n");
    expect(stateDirectories()).toEqual([]);
  }
});

test("start: several, one that is not there, a paused one; two with -a", async () => {
  await using _one = await created("one", ["sleep", "1000"]);
  await using _two = await created("two", ["sleep", "1000"]);
  const { stdout, stderr, code } = await host().rt(["start", "one", "nosuch", "two"]);
  expect([stdout, code]).toEqual(["one\ntwo\n", 1]);
  expect(oneLine(stderr)).toBe("No such container: nosuch");
  await host().ok(["pause", "one"]);
  const paused = await host().rt(["start", "one"]);
  expect(oneLine(paused.stderr)).toBe("cannot start a paused container, try unpause instead");
  expect(paused.code).toBe(1);
  const both = await host().rt(["start", "-a", "one", "two"]);
  expect(oneLine(both.stderr)).toBe("you cannot start and attach multiple containers at once");
  expect(both.code).toBe(1);
});

test("start: twenty at once start it once", async () => {
  await using made = await created("job", ["sh", "-c", "echo x >> /count; sleep 1000"]);
  const results = await Promise.all(Array.from({ length: 20 }, () => host().rt(["start", "job"])));
  expect(results.map(({ stdout, stderr, code }) => [stdout, stderr, code])).toEqual(
    Array.from({ length: 20 }, () => ["job\n", "", 0]),
  );
  await until(
    "it has begun",
    async () => (await host().rt(["exec", "job", "test", "-s", "/count"])).code === 0,
  );
  expect(await host().ok(["exec", "job", "wc", "-l", "/count"])).toBe("1 /count\n");

  expect(stateDirectories()).toEqual([made.id]);
});

test("start: a client that is killed at any moment leaves it running, or to be started", async () => {
  await using made = await created("job", ["sleep", "1000"]);
  for (let round = 0; round < 12; round++) {
    await using client = host().spawn(["start", "job"]);
    await Bun.sleep(5 + round * 2);
    client.kill("SIGKILL");
    await client.exited;
    await until("it is one or the other", async () =>
      ["created", "running", "exited"].includes(await status("job")),
    );
    await host().ok(["start", "job"]);
    expect(await status("job")).toBe("running");
    await host().ok(["stop", "-t", "0", "job"]);
  }
  expect(await host().ok(["ps", "-aq", "--no-trunc"])).toBe(`${made.id}\n`);
  expect(stateDirectories()).toEqual([]);
});

test("restart: another process with the same files; one that does not run is started", async () => {
  await using _ = await created("job", ["sh", "-c", "echo x >> /count; exec sleep 1000"]);
  expect(await host().ok(["restart", "job"])).toBe("job\n");
  const counted = (count: string) =>
    until("it counts", async () => (await host().rt(["exec", "job", "cat", "/count"])).stdout === count);
  await counted("x\n");
  const first = await pidOf(host(), "job");
  expect(await host().ok(["container", "restart", "-t", "0", "job"])).toBe("job\n");
  expect(await pidOf(host(), "job")).not.toBe(first);
  await counted("x\nx\n");
  const { stderr, code } = await host().rt(["restart", "nosuch"]);
  expect([oneLine(stderr), code]).toEqual(["No such container: nosuch", 1]);
});

test("thirty rounds of start, stop and rm leave nothing", async () => {
  for (let round = 0; round < 30; round++) {
    await using _ = await created("round", ["sleep", "1000"]);
    await host().ok(["start", "round"]);
    await host().ok(["stop", "-t", "0", "round"]);
    await host().ok(["start", "round"]);
    await host().ok(["rm", "-f", "round"]);
  }
  expect(stateDirectories()).toEqual([]);
}, 240_000);

test("start: after the machine went down, when nothing of the state directory is left", async () => {
  await using _ = await created("job", ["sh", "-c", "echo x >> /count; cat /count"]);
  await host().ok(["start", "-a", "job"]);
  await Bun.$`rm -r ${host().state}`;
  expect(await host().ok(["start", "-a", "job"])).toBe("x\nx\n");
});
