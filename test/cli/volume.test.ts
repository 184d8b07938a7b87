/** `rt volume`: what is made, shown, in use, and removed. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostileImage } from "../root/attacks/hostile.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

const names = async (...flags: string[]) =>
  (await host().ok(["volume", "ls", "-q", ...flags])).split("\n").filter(Boolean);
const filesOf = (name: string) => join(host().root, "volumes", name, "_data");
const fails = async (...args: string[]) => {
  const { stderr, code } = await host().rt(args);
  return [code, oneLine(stderr)];
};
/** Nothing is left of those before. */
const fresh = () => host().ok(["volume", "prune", "-af"]);
const sql = (statement: string) => {
  using database = new Database(join(host().root, "db.sqlite"));
  database.run(statement);
};

test("create, ls, inspect, rm", async () => {
  expect(await host().ok(["volume", "create", "--label", "a=b", "--label", "c", "data"])).toBe("data\n");
  // One that is there is left as it is.
  writeFileSync(join(filesOf("data"), "kept"), "");
  expect(await host().ok(["volume", "create", "--label", "x=y", "data"])).toBe("data\n");
  expect(await host().ok(["volume", "create", "-d", "local", "other"])).toBe("other\n");
  expect(await host().ok(["volume", "ls"])).toBe("DRIVER    VOLUME NAME\nlocal     data\nlocal     other\n");
  const [data, other] = JSON.parse(await host().ok(["volume", "inspect", "data", "other"]));
  expect(data).toEqual({
    CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    Driver: "local",
    Labels: { a: "b", c: "" },
    Mountpoint: filesOf("data"),
    Name: "data",
    Options: null,
    Scope: "local",
  });
  expect(other.Labels).toBeNull();
  expect(await host().ok(["inspect", "-f", "{{.Mountpoint}}", "data"])).toBe(`${filesOf("data")}\n`);
  expect(await host().ok(["inspect", "--type", "volume", "-f", "{{.Scope}}", "data"])).toBe("local\n");
  expect(existsSync(join(filesOf("data"), "kept"))).toBe(true);
  expect(await host().ok(["volume", "rm", "data", "other"])).toBe("data\nother\n");
  expect(readdirSync(join(host().root, "volumes"))).toEqual([]);
  expect(await names()).toEqual([]);
});

test("fields of --format, and json", async () => {
  await host().ok(["volume", "create", "--label", "b=2", "--label", "a=1", "fields"]);
  const format = '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{.Label "b"}} {{.Mountpoint}}';
  expect(await host().ok(["volume", "ls", "--format", format])).toBe(
    `fields local local a=1,b=2 2 ${filesOf("fields")}\n`,
  );
  expect(JSON.parse(await host().ok(["volume", "ls", "--format", "json"]))).toEqual({
    ...{ Availability: "N/A", Driver: "local", Group: "N/A", Labels: "a=1,b=2", Links: "N/A" },
    ...{ Mountpoint: filesOf("fields"), Name: "fields", Scope: "local", Size: "N/A", Status: "N/A" },
  });
  await host().ok(["volume", "rm", "fields"]);
});

test("filters of ls", async () => {
  await host().ok(["volume", "create", "--label", "env=prod", "web-data"]);
  await host().ok(["volume", "create", "--label", "env=test", "web-logs"]);
  await host().ok(["volume", "create", "db"]);
  await host().ok(["run", "--name", "user", "-v", "db:/x", image, "true"]);
  for (const [filter, wanted] of [
    ["name=web", ["web-data", "web-logs"]],
    ["name=^db$", ["db"]],
    ["label=env", ["web-data", "web-logs"]],
    ["label=env=prod", ["web-data"]],
    ["label!=env=prod", ["db", "web-logs"]],
    ["driver=local", ["db", "web-data", "web-logs"]],
    ["driver=nfs", []],
    ["dangling=true", ["web-data", "web-logs"]],
    ["dangling=0", ["db"]],
  ] as const) {
    expect([filter, await names("--filter", filter)]).toEqual([filter, [...wanted]]);
  }
  expect(await fails("volume", "ls", "--filter", "dangling=maybe")).toEqual([
    125,
    'invalid --filter "dangling=maybe": want true or false',
  ]);
  expect((await fails("volume", "ls", "--filter", "size=1"))[0]).toBe(125);
  await host().ok(["rm", "user"]);
  await fresh();
});

test("what is refused: one line, and nothing is changed", async () => {
  const create = (...args: string[]) => fails("volume", "create", ...args);
  expect(await create("a/b")).toEqual([
    1,
    'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  ]);
  for (const bad of ["../x", "..", ".x", "a b", "a\nb", "x".repeat(256)])
    expect((await create("--", bad))[0]).toBe(1);
  expect((await create("a"))[1]).toContain("at least two alphanumeric characters");
  expect(await create("-d", "nfs", "x1")).toEqual([
    1,
    'create x1: error looking up volume plugin nfs: plugin "nfs" not found',
  ]);
  for (const [options, why] of [
    [["type=tmpfs"], 'missing required option: "device"'],
    [["device=x"], 'missing required option: "type"'],
    [["o=ro"], 'missing required option: "device"'],
    [["size=1"], "quota size requested but no quota support"],
    [["what=1"], 'invalid option: "what"'],
    [["type=tmpfs", "device=a\nb"], 'option device "a\\nb" has a control character'],
  ] as const) {
    const said = await create(...options.flatMap((option) => ["-o", option]), "x1");
    expect([options, ...said]).toEqual([options, 1, `create x1: ${why}`]);
  }
  expect((await create("--label", "a b=c", "x1"))[0]).toBe(125);
  expect((await create("x1", "x2"))[0]).toBe(125);
  expect(await fails("volume", "rm", "nosuch")).toEqual([1, "get nosuch: no such volume"]);
  expect(await fails("volume", "rm", "../../etc")).toEqual([1, "get ../../etc: no such volume"]);
  const inspected = await host().rt(["volume", "inspect", "nosuch"]);
  expect([inspected.code, inspected.stdout, oneLine(inspected.stderr)]).toEqual([
    1,
    "[]\n",
    "get nosuch: no such volume",
  ]);
  expect(await host().ok(["volume", "rm", "-f", "nosuch"])).toBe("nosuch\n");
  expect(await names()).toEqual([]);
});

test("one that a container has is in use, whether it runs or not", async () => {
  await host().ok(["volume", "create", "free"]);
  {
    await using container = await running(host(), ["sleep", "1000"], ["-v", "busy:/x"]);
    const { code, stdout, stderr } = await host().rt(["volume", "rm", "busy", "free"]);
    expect([code, stdout]).toEqual([1, "free\n"]);
    expect(oneLine(stderr)).toBe(`remove busy: volume is in use - [${container.id}]`);
    expect((await fails("volume", "rm", "-f", "busy"))[0]).toBe(1);
    await host().ok(["kill", container.name]);
    await container.client.exited;
    expect((await fails("volume", "rm", "busy"))[0]).toBe(1);
    expect(await host().ok(["volume", "prune", "-af"])).toBe("Total reclaimed space: 0B\n");
  }
  expect(await names()).toEqual(["busy"]);
  expect(await host().ok(["volume", "rm", "busy"])).toBe("busy\n");
});

test("create makes it, one that was never started has it, and start finds it", async () => {
  await host().ok(["create", "--name", "made", "-v", "early:/x", image, "sh", "-c", "echo here > /x/file"]);
  expect(await names()).toEqual(["early"]);
  expect((await fails("volume", "rm", "early"))[0]).toBe(1);
  expect(await names("-f", "dangling=true")).toEqual([]);
  await host().ok(["start", "-a", "made"]);
  expect(await host().ok(["run", "--rm", "-v", "early:/y", image, "cat", "/y/file"])).toBe("here\n");
  await host().ok(["rm", "made"]);
  expect(await host().ok(["volume", "rm", "early"])).toBe("early\n");
});

test("run makes what it names, with labels; files live on", async () => {
  const mount = "type=volume,src=named,dst=/x,volume-label=who=me";
  await host().ok(["run", "--rm", "--mount", mount, image, "sh", "-c", "echo kept > /x/file"]);
  const [named] = JSON.parse(await host().ok(["volume", "inspect", "named"]));
  expect(named).toMatchObject({ Name: "named", Labels: { who: "me" } });
  expect(await host().ok(["run", "--rm", "-v", "named:/y", image, "cat", "/y/file"])).toBe("kept\n");
  await host().ok(["volume", "rm", "named"]);
  expect(await host().ok(["run", "--rm", "-v", "named:/y", image, "ls", "/y"])).toBe("");
  await fresh();
});

test("those that nobody named go with --rm and rm -v; those that somebody named stay", async () => {
  const withVolume = await hostileImage(host(), "one-volume", { config: { Volumes: { "/data": {} } } });
  await host().ok(["run", "--rm", "-v", "/other", "-v", "named:/x", withVolume, "true"]);
  expect(await names()).toEqual(["named"]);
  await host().ok(["run", "--name", "kept", withVolume, "sh", "-c", "echo here > /data/file"]);
  const [anonymous] = await names("--filter", "label=com.docker.volume.anonymous");
  expect(anonymous).toMatch(/^[0-9a-f]{64}$/);
  // Under its name it is another container's too, whose end is not its own.
  const read = ["run", "--rm", "-v", `${anonymous}:/y`, image, "cat", "/y/file"];
  expect(await host().ok(read)).toBe("here\n");
  expect(await host().ok(read)).toBe("here\n");
  await host().ok(["run", "--name", "second", "-v", `${anonymous}:/y`, image, "true"]);
  await host().ok(["rm", "-v", "kept"]);
  expect(await names()).toContain(anonymous!);
  await host().ok(["rm", "-v", "second"]);
  expect(await host().ok(["volume", "prune", "-f"])).toMatch(
    new RegExp(`^Deleted Volumes:\n${anonymous}\n\nTotal reclaimed space: \\S+\n$`),
  );
  expect(await names()).toEqual(["named"]);
  await host().ok(["run", "--name", "third", withVolume, "true"]);
  await host().ok(["rm", "third"]);
  expect(await names()).toHaveLength(2);
  await fresh();
});

test("create without a name; prune asks, and takes labels", async () => {
  const id = (await host().ok(["volume", "create"])).trim();
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  for (const name of ["keep", "drop"]) await host().ok(["volume", "create", "--label", name, name]);
  const asked = await host().rt(["volume", "prune"], { stdin: "n\n" });
  expect([asked.code, asked.stdout, asked.stderr]).toEqual([
    0,
    "WARNING! This will remove anonymous local volumes not used by at least one container.\nAre you sure you want to continue? [y/N] ",
    "",
  ]);
  expect((await host().rt(["volume", "prune"])).code).toBe(0);
  const yes = await host().rt(["volume", "prune", "--all", "--filter", "label!=keep"], { stdin: "y\n" });
  expect(yes.stdout).toStartWith(
    "WARNING! This will remove all local volumes not used by at least one container.\n",
  );
  expect(yes.stdout).toContain("Deleted Volumes:\n");
  expect(await names()).toEqual(["keep"]);
  expect(await host().ok(["volume", "prune", "-f", "--filter", "all=1", "--filter", "label=keep"])).toContain(
    "keep\n",
  );
  expect((await fails("volume", "prune", "-af", "--filter", "all=1"))[0]).toBe(125);
  expect(await names()).toEqual([]);
});

test("prune says what it has freed", async () => {
  await host().ok(["volume", "create", "big"]);
  writeFileSync(join(filesOf("big"), "file"), new Uint8Array(3_000_000));
  const said = await host().ok(["volume", "prune", "-af"]);
  expect(said).toMatch(/^Deleted Volumes:\nbig\n\nTotal reclaimed space: 3(\.0\d?)?MB\n$/);
});

test("a directory of before is a volume like any other; what is no volume is left alone", async () => {
  const id = "5".repeat(64);
  for (const name of ["old", id]) {
    mkdirSync(filesOf(name), { recursive: true });
    writeFileSync(join(filesOf(name), "file"), `of ${name}\n`);
  }
  mkdirSync(join(host().root, "volumes", "no-data", "x"), { recursive: true });
  writeFileSync(join(host().root, "volumes", "file"), "");
  mkdirSync(join(host().root, "volumes", "-odd", "_data"), { recursive: true });
  expect(await host().ok(["run", "--rm", "-v", "old:/x", image, "cat", "/x/file"])).toBe("of old\n");
  expect(await names()).toEqual([id, "old"]);
  expect(await host().ok(["volume", "prune", "-f"])).toContain(id);
  expect(await host().ok(["volume", "rm", "old"])).toBe("old\n");
  expect(readdirSync(join(host().root, "volumes")).sort()).toEqual(["-odd", "file", "no-data"]);
});

test("a removal that was cut short is finished by the next", async () => {
  const aside = join(host().root, "volumes", ".removed-1");
  mkdirSync(join(aside, "_data"), { recursive: true });
  expect(await names()).toEqual([]);
  await host().ok(["volume", "prune", "-f"]);
  expect(existsSync(aside)).toBe(false);
});

test("a damaged record hides nothing, and its volume can be used and removed", async () => {
  for (const name of ["bad", "good"]) {
    await host().ok(["volume", "create", "--label", "a=b", name]);
    writeFileSync(join(filesOf(name), "file"), `of ${name}\n`);
  }
  for (const record of ["x''", "x'00'", "substr(record, 1, 12)", "x'8368766f6c756d652f3200'"]) {
    sql(`UPDATE volumes SET record = ${record} WHERE name = 'bad'`);
    const listed = await host().rt(["volume", "ls", "-q"]);
    expect([listed.code, listed.stdout]).toEqual([0, "bad\ngood\n"]);
    expect(oneLine(listed.stderr)).toMatch(/record of volume bad (is damaged|was written by a newer rt)/);
    const about = await host().rt(["volume", "inspect", "bad"]);
    expect([about.code, JSON.parse(about.stdout)[0]]).toMatchObject([0, { Name: "bad", Labels: null }]);
    expect(await host().ok(["run", "--rm", "-v", "bad:/x", image, "cat", "/x/file"])).toBe("of bad\n");
    // Whether it has the label nobody knows.
    const pruned = await host().rt(["volume", "prune", "-af", "--filter", "label!=x", "--filter", "label=z"]);
    expect([pruned.code, pruned.stdout]).toEqual([0, "Total reclaimed space: 0B\n"]);
  }
  expect(await host().ok(["volume", "rm", "bad"])).toBe("bad\n");
  expect((await host().rt(["volume", "ls", "-q"])).stderr).toBe("");
  await fresh();
});

test("a container whose record is damaged keeps its volumes", async () => {
  await host().ok(["run", "--name", "damaged", "-v", "mine:/x", image, "true"]);
  sql("UPDATE containers SET record = x'00' WHERE name = 'damaged'");
  const { code, stderr } = await host().rt(["volume", "rm", "mine"]);
  expect([code, oneLine(stderr)]).toEqual([1, expect.stringContaining("volume is in use")]);
  await host().ok(["volume", "prune", "-af"]);
  expect(await names()).toEqual(["mine"]);
  await host().ok(["rm", "-f", "damaged"]);
  expect(await host().ok(["volume", "rm", "mine"])).toBe("mine\n");
});

test("a start and a removal at once: one of them wins, and nothing is half there", async () => {
  for (let round = 0; round < 5; round++) {
    await host().ok(["volume", "create", "raced"]);
    const [ran, ...removed] = await Promise.all([
      host().rt(["run", "--rm", "-v", "raced:/x", image, "sh", "-c", "echo here > /x/file && cat /x/file"]),
      ...Array.from({ length: 3 }, () => host().rt(["volume", "rm", "raced"])),
    ]);
    expect([ran!.code, ran!.stdout, ran!.stderr]).toEqual([0, "here\n", ""]);
    for (const { code, stderr } of removed) {
      if (code !== 0) expect(oneLine(stderr)).toMatch(/volume is in use|no such volume/);
    }
    expect(readdirSync(join(host().root, "volumes")).filter((name) => name.startsWith("."))).toEqual([]);
    await host().ok(["volume", "rm", "-f", "raced"]);
  }
});

test("runs that name one volume at once make it once", async () => {
  const runs = Array.from({ length: 12 }, (_, each) =>
    host().rt(["run", "--rm", "-v", "shared:/x", image, "touch", `/x/${each}`]),
  );
  for (const { code, stderr } of await Promise.all(runs)) expect([code, stderr]).toEqual([0, ""]);
  expect(await names()).toEqual(["shared"]);
  expect(readdirSync(filesOf("shared"))).toHaveLength(12);
  await fresh();
});
