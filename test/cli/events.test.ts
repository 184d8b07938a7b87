/** `rt events`: who tells what, and when; filters, formats and the past. */
import { expect } from "bun:test";
import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

const names = "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}";
/** What has happened since `since`: lines of this format. */
const past = async (since: string, format = names, ...flags: string[]) =>
  (await host().ok(["events", "--since", since, "--until", "0s", "--format", format, ...flags]))
    .split("\n")
    .filter(Boolean);
/** A moment after all that has happened. */
const now = async () => {
  await Bun.sleep(2);
  return (Date.now() / 1000).toFixed(3);
};

test("the life of a container", async () => {
  const since = await now();
  await host().ok(["run", "--name", "life", "-l", "a=b", image, "true"]);
  await host().ok(["rm", "life"]);
  expect(await past(since)).toEqual([
    ...["container create life", "container attach life", "network connect bridge", "container start life"],
    ...["network disconnect bridge", "container die life", "container destroy life"],
  ]);
  const format =
    "{{.Action}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.image}} {{.Actor.Attributes.a}} {{.From}}";
  expect((await past(since, format))[5]).toBe(`die 0 ${image} b ${image}`);
});

test("--rm: its end is told once, and before that it is gone", async () => {
  const since = await now();
  await host()
    .ok(["run", "--rm", "--name", "short", image, "sh", "-c", "exit 3"])
    .catch(() => undefined);
  const format = "{{.Action}} {{.Actor.Attributes.exitCode}}";
  const said = await past(since, format, "-f", "event=die", "-f", "event=destroy");
  expect(said).toEqual(["die 3", "destroy "]);
});

test("kill, rm -f, exec, and the end that a killed client has not seen", async () => {
  const since = await now();
  {
    await using container = await running(host());
    await host().ok(["exec", container.name, "echo", "a b"]);
    await host().ok(["kill", container.name]);
    await container.client.exited;
    await host().ok(["ps", "-a"]);
  }
  const format = "{{.Action}} {{.Actor.Attributes.signal}} {{.Actor.Attributes.exitCode}}";
  const none = "";
  expect(await past(since, format)).toEqual([
    ...["create", "attach", "connect", "start", "exec_create: echo a b", "exec_start: echo a b"].map(
      (action) => `${action} ${none} ${none}`,
    ),
    `exec_die ${none} 0`,
    `kill 9 ${none}`,
    `disconnect ${none} ${none}`,
    `die ${none} 137`,
    `destroy ${none} ${none}`,
  ]);
  const [id, same] = await past(
    since,
    "{{.Actor.Attributes.execID}}",
    "-f",
    "event=exec_create",
    "-f",
    "event=exec_die",
  );
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(same).toBe(id!);
  const forced = await now();
  {
    await using container = await running(host());
    await host().ok(["rm", "-f", container.name]);
    await container.client.exited;
  }
  const said = await past(forced, "{{.Action}}");
  expect(said.filter((action) => action === "die" || action === "destroy").sort()).toEqual([
    "destroy",
    "die",
  ]);
});

test("the life of a detached one, to whom much is done", async () => {
  const since = await now();
  await host().ok(["create", "--name", "busy", image, "sleep", "1000"]);
  await host().ok(["start", "busy"]);
  await host().ok(["pause", "busy"]);
  await host().ok(["unpause", "busy"]);
  await host().ok(["rename", "busy", "renamed"]);
  await host().ok(["update", "--restart=on-failure", "renamed"]);
  await host().ok(["restart", "-t", "0", "renamed"]);
  await host().ok(["stop", "-t", "0", "renamed"]);
  await host().ok(["rm", "renamed"]);
  const once = ["create", "start", "pause", "unpause", "rename", "update", "restart", "destroy"];
  const said = await past(since, "{{.Action}}");
  expect(said.filter((action) => once.includes(action))).toEqual([
    ...["create", "start", "pause", "unpause", "rename", "update", "start", "restart", "destroy"],
  ]);
  const count = (wanted: string) => said.filter((action) => action === wanted).length;
  expect([count("die"), count("stop")]).toEqual([2, 2]);
  const renamed = await past(
    since,
    "{{.Actor.Attributes.oldName}} {{.Actor.Attributes.name}}",
    "-f",
    "event=rename",
  );
  expect(renamed).toEqual(["/busy renamed"]);
});

test("what stop has ended has died before whatever comes next", async () => {
  const since = await now();
  for (let times = 0; times < 10; times++) {
    await host().ok(["run", "-d", "--name", "brief", image, "sleep", "1000"]);
    await host().ok(["stop", "-t", "0", "brief"]);
    await host().ok(["rename", "brief", "late"]);
    await host().ok(["rm", "late"]);
  }
  const said = await past(since, "{{.Action}}", "-f", "event=die", "-f", "event=rename");
  expect(said).toEqual(Array(10).fill(["die", "rename"]).flat());
});

test("whoever looks into one is told of, too", async () => {
  const since = await now();
  await host().ok(["run", "-d", "--name", "seen", image, "sleep", "1000"]);
  await host().ok(["cp", "seen:/etc/passwd", "-"]);
  await host().ok(["cp", "/etc/hostname", "seen:/tmp"]);
  await host().ok(["export", "seen"]);
  await host().ok(["top", "seen"]);
  await host().ok(["rm", "-f", "seen"]);
  const said = await past(since, "{{.Action}}");
  expect(said.slice(0, -4)).toEqual([
    "create",
    "connect",
    "start",
    "archive-path",
    "extract-to-dir",
    "export",
    "top",
  ]);
});

test("volumes and images", async () => {
  const since = await now();
  await host().ok(["volume", "create", "data"]);
  await host().ok(["volume", "create", "data"]);
  await host().ok(["run", "--rm", "-v", "other:/x", "-v", "data:/y", "-v", "/z", image, "true"]);
  await host().ok(["volume", "rm", "data"]);
  const volumes = await past(
    since,
    "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.driver}}",
    "-f",
    "type=volume",
  );
  expect(volumes.filter((line) => !/[0-9a-f]{64}/.test(line))).toEqual([
    "create data local",
    "create other local",
    "mount other local",
    "mount data local",
    "unmount other local",
    "unmount data local",
    "destroy data local",
  ]);
  expect(
    volumes
      .filter((line) => /[0-9a-f]{64}/.test(line))
      .map((line) => line.split(" ")[0])
      .sort(),
  ).toEqual([...["create", "destroy", "mount", "unmount"]]);
  await host().ok(["volume", "rm", "other"]);
  const pulled = await now();
  await host().ok(["rmi", "embed:hello"]);
  await host().ok(["pull", "-q", "embed:hello"]);
  const said = await past(pulled, "{{.Action}} {{.Actor.ID}}", "-f", "type=image");
  expect(said.at(-1)).toBe("pull embed:hello");
  expect(said.map((line) => line.split(" ")[0])).toEqual(expect.arrayContaining(["untag", "delete", "pull"]));
});

test("what happens is told as it happens, until ctrl-c", async () => {
  const follower = host().spawn(["events", "-f", "event=start", "-f", "event=die", "--format", names]);
  await using _ = follower;
  // It is there once it tells of something.
  for (let count = 0; follower.stdout.text === "" && count < 100; count++)
    await host().ok(["run", "--rm", "--name", "first", image, "true"]);
  await host().ok(["run", "--rm", "--name", "seen", image, "true"]);
  await follower.stdout.waitFor("container die seen");
  expect(follower.stdout.text).toContain("container start seen\ncontainer die seen\n");
  follower.kill("SIGINT");
  expect(await follower.exited).toBe(130);
  expect(follower.stderr.text).toBe("");
});

test("filters, formats, --until", async () => {
  const since = await now();
  await host().ok(["run", "--rm", "--name", "one", "-l", "k=1", image, "true"]);
  await host().ok(["run", "--rm", "--name", "two", "-l", "k=2", image, "true"]);
  for (const [flags, wanted] of [
    [["container=one", "event=start"], ["container start one"]],
    [["label=k=2", "event=start"], ["container start two"]],
    [
      ["label=k", "event=start"],
      ["container start one", "container start two"],
    ],
    [
      [`image=${image}`, "event=create"],
      ["container create one", "container create two"],
    ],
    [["type=volume"], []],
    [["container=none"], []],
  ] as const) {
    expect([flags, await past(since, names, ...flags.flatMap((flag) => ["-f", flag]))]).toEqual([
      flags,
      [...wanted],
    ]);
  }
  const [json] = await past(since, "json", "-f", "event=die");
  expect(JSON.parse(json!)).toMatchObject({
    ...{ status: "die", from: image, Type: "container", Action: "die", scope: "local" },
    Actor: { Attributes: { name: "one", exitCode: "0", execDuration: "0", k: "1" } },
  });
  expect(json).toMatch(/"time":\d{10},"timeNano":\d{19}\}$/);
  const text = await host().ok([
    "events",
    "--since",
    since,
    "--until",
    "0s",
    "-f",
    "event=start",
    "-f",
    "container=two",
  ]);
  expect(text).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z container start [0-9a-f]{64} \(image=localhost\/layout, k=2, name=two\)\n$/,
  );
  expect(await host().ok(["events", "--until", "1s"])).toBe("");
  expect(await host().ok(["events", "--since", "0", "--until", since, "-f", "container=one"])).toBe("");
});

test("a damaged line hides none beside it", async () => {
  const since = await now();
  await host().ok(["run", "--rm", "--name", "before", image, "true"]);
  const directory = join(host().state, "events");
  for (const file of readdirSync(directory))
    appendFileSync(join(directory, file), 'half a line {"Type":\n\n\0\n');
  await host().ok(["run", "--rm", "--name", "after", image, "true"]);
  expect(await past(since, names, "-f", "event=start")).toEqual([
    "container start before",
    "container start after",
  ]);
});

test("words that are wrong: one line", async () => {
  for (const [flags, code] of [
    [["--since", "yesterday"], 1],
    [["--until", "x"], 1],
    [["-f", "none=1"], 125],
    [["-f", "container"], 125],
    [["--format", "{{.X"], 1],
  ] as const) {
    const { stderr, ...said } = await host().rt(["events", ...flags]);
    oneLine(stderr);
    expect([flags, said.code]).toEqual([flags, code]);
  }
});
