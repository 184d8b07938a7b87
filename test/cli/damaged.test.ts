/**
 * Whatever has happened to a record or to a state directory: a running container is in `ps`, everything else goes on, and
 * each command does to the damaged one what is left to be done, or says in one line why not.
 */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { encodeRecord, type RecordType } from "../../src/store/codec.ts";
import { cgroupDirectories } from "../support/leaks.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, type Running, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

function sql(statement: string, ...values: (string | Uint8Array)[]): void {
  using database = new Database(join(host().root, "db.sqlite"));
  database.query(statement).run(...values);
}

function recordOf(id: string): Uint8Array {
  using database = new Database(join(host().root, "db.sqlite"));
  return (database.query("SELECT record FROM containers WHERE id = ?").get(id) as { record: Uint8Array })
    .record;
}

const forged = (version: number, body: unknown) =>
  encodeRecord(
    { kind: "container", version, remedy: "", shape: (value: unknown) => value } as RecordType<unknown>,
    body,
  );

const records: [string, (good: Uint8Array) => Uint8Array][] = [
  ["no bytes", () => new Uint8Array()],
  ["random bytes", () => crypto.getRandomValues(new Uint8Array(300))],
  ["random bytes in its body", (good) => good.map((byte, index) => (index > 40 ? byte ^ (index * 7) : byte))],
  ["its first half", (good) => good.slice(0, good.length / 2)],
  ["bytes behind it", (good) => Uint8Array.from([...good, 0])],
  ["fields of other types", () => forged(1, { id: 1, name: [], args: "sh" })],
  ["a number", () => forged(1, 5)],
  ["the record of a newer rt", () => forged(2, { id: "x" })],
  [
    "the record of an image",
    () => encodeRecord({ kind: "image", version: 1, remedy: "", shape: (value: unknown) => value }, {}),
  ],
];

/** `ps` shows it, beside one that is well. */
async function isListed(container: Running, beside: Running): Promise<void> {
  const names = (await host().rt(["ps", "--format", "{{.Names}} {{.State}}"])).stdout.split("\n");
  expect(names).toContain(`${container.name} running`);
  expect(names).toContain(`${beside.name} running`);
  const listed = await host().rt(["ps", "-a", "--no-trunc"]);
  expect(listed.code).toBe(0);
  expect(listed.stdout).toContain(container.id);
}

async function worksOnOthers(beside: Running): Promise<void> {
  expect(await host().ok(["exec", beside.name, "echo", "on"])).toBe("on\n");
  expect((await host().rt(["run", "--rm", image, "echo", "on"])).stdout).toBe("on\n");
}

for (const [what, damage] of records) {
  test(`a running container whose record is ${what}: its second copy serves`, async () => {
    await using beside = await running(host());
    await using container = await running(host(), ["sleep", "1000"], ["-e", "WHO=me"]);
    sql("UPDATE containers SET record = ? WHERE id = ?", damage(recordOf(container.id)), container.id);
    const entered = await host().rt(["exec", container.name, "sh", "-c", "echo $WHO"]);
    if (what.includes("newer")) expect(oneLine(entered.stderr)).toContain("newer rt");
    else expect(entered.stdout).toBe("me\n");
    await isListed(container, beside);
    await worksOnOthers(beside);
    const [about] = JSON.parse((await host().rt(["inspect", container.id])).stdout);
    expect(about).toMatchObject({ Id: container.id, Name: `/${container.name}`, State: { Running: true } });
    expect(await host().ok(["kill", container.id.slice(0, 12)])).toBe(`${container.id.slice(0, 12)}\n`);
    expect(await container.client.exited).toBe(137);
    expect(await statusOf(host(), container.name)).toBe("exited");
  });

  test(`a running container whose record is ${what}, the copy too`, async () => {
    await using beside = await running(host());
    await using container = await running(host());
    const bytes = damage(recordOf(container.id));
    sql("UPDATE containers SET record = ? WHERE id = ?", bytes, container.id);
    writeFileSync(join(host().state, "containers", container.id, "record"), bytes);
    await isListed(container, beside);
    await worksOnOthers(beside);
    const entered = await host().rt(["exec", container.name, "true"]);
    expect([entered.code, oneLine(entered.stderr)]).toEqual([125, expect.stringMatching(/damaged|newer rt/)]);
    expect((await host().rt(["inspect", "-f", "{{.State.Status}}", container.name])).stdout).toBe(
      "running\n",
    );
    expect(await host().ok(["rm", "-f", container.id])).toBe(`${container.id}\n`);
    expect(await container.client.exited).toBe(137);
  });

  test(`a container that is over and whose record is ${what}`, async () => {
    await host().ok(["run", "--name", "other", image, "true"]);
    await host()
      .ok(["run", "--name", "over", image, "sh", "-c", "exit 3"])
      .catch(() => undefined);
    const id = (await host().ok(["inspect", "-f", "{{.Id}}", "over"])).trim();
    sql("UPDATE containers SET record = ? WHERE id = ?", damage(recordOf(id)), id);
    const listed = await host().rt([
      "ps",
      "-a",
      "--format",
      "{{.Names}} {{.Image}} {{.Status}} [{{.Labels}}]",
    ]);
    expect(listed.code).toBe(0);
    expect(listed.stdout).toMatch(/^over localhost\/layout Exited \(3\) /m);
    expect(listed.stdout).toMatch(/^other localhost\/layout Exited \(0\) /m);
    // What header and checksum do not tell shows when the record is asked for.
    if (/bytes|half|newer|image/.test(what)) expect(listed.stdout).toMatch(/^over .* \(damaged\) \[\]$/m);
    const about = await host().rt(["inspect", "-f", "{{.Name}} {{.State.ExitCode}}", "over"]);
    expect(about.stdout).toBe("/over 3\n");
    expect(oneLine(about.stderr)).toMatch(/container over (is damaged|was written by a newer rt)/);
    expect(oneLine((await host().rt(["kill", "over"])).stderr)).toContain("is not running");
    expect(oneLine((await host().rt(["exec", "over", "true"])).stderr)).toContain("is not running");
    expect(await host().ok(["rm", "other"])).toBe("other\n");
    expect(await host().ok(["rm", id.slice(0, 20)])).toBe(`${id.slice(0, 20)}\n`);
  });
}

const states: [string, (directory: string) => void][] = [
  [
    "a pid file of random bytes",
    (dir) => writeFileSync(join(dir, "pid"), crypto.getRandomValues(new Uint8Array(99))),
  ],
  ["an empty pid file", (dir) => writeFileSync(join(dir, "pid"), "")],
  ["an endless pid file", (dir) => appendFileSync(join(dir, "pid"), "x".repeat(1 << 20))],
  ["a pid file that is a directory", (dir) => replace(dir, "pid")],
  ["no pid file", (dir) => rmSync(join(dir, "pid"))],
  [
    "an exit file of random bytes",
    (dir) => writeFileSync(join(dir, "exit"), crypto.getRandomValues(new Uint8Array(99))),
  ],
  ["an exit file that is a directory", (dir) => mkdirSync(join(dir, "exit"))],
  ["no lock", (dir) => rmSync(join(dir, "lock"))],
  ["no record", (dir) => rmSync(join(dir, "record"))],
];

function replace(directory: string, name: string): void {
  rmSync(join(directory, name));
  mkdirSync(join(directory, name));
}

/** Nobody has made it just now, nor started a container there. */
function age(path: string): void {
  const record = join(path, "record");
  if (existsSync(record)) utimesSync(record, 1, 1);
  utimesSync(path, 1, 1);
}

const inCgroup = (id: string) => cgroupDirectories().some((path) => path.endsWith(id));

for (const [what, damage] of states) {
  for (const end of ["kill", "rm"] as const) {
    test(`a running container whose state directory has ${what}: ps, exec, ${end}`, async () => {
      await using container = await running(host());
      const directory = join(host().state, "containers", container.id);
      damage(directory);
      age(directory);
      expect(inCgroup(container.id)).toBe(true);
      expect(await host().ok(["ps", "-q", "--no-trunc"])).toBe(`${container.id}\n`);
      expect(await host().ok(["exec", container.name, "echo", "on"])).toBe("on\n");
      if (end === "kill") await host().ok(["kill", container.name]);
      else await host().ok(["rm", "-f", container.name]);
      expect(await container.client.exited).toBe(137);
      if (end === "kill")
        await until("it is over", async () => (await statusOf(host(), container.name)) === "exited");
    });
  }
}

for (const end of ["kill", "rm"] as const) {
  test(`a running container whose state directory is gone: ps, exec, ${end}`, async () => {
    await using container = await running(host());
    rmSync(join(host().state, "containers", container.id), { recursive: true });
    expect(await host().ok(["ps", "-q", "--no-trunc"])).toBe(`${container.id}\n`);
    expect(await host().ok(["exec", container.name, "echo", "on"])).toBe("on\n");
    if (end === "kill") await host().ok(["kill", container.name]);
    else await host().ok(["rm", "-f", container.name]);
    await container.client.exited;
    expect(await host().ok(["ps", "-q"])).toBe("");
  });

  test(`a running container whose row is lost gets it back: ${end}`, async () => {
    await using container = await running(host());
    sql("DELETE FROM containers");
    age(join(host().state, "containers", container.id));
    // Whichever command comes first.
    const first = await host().rt([
      end === "kill" ? "exec" : "ps",
      ...(end === "kill" ? [container.name, "true"] : []),
    ]);
    expect(first.code).toBe(0);
    expect(oneLine(first.stderr)).toBe(
      `container ${container.name} runs, and was not in the database: now it is there again`,
    );
    expect(await host().ok(["ps", "--format", "{{.Names}} {{.Image}}"])).toBe(`${container.name} ${image}\n`);
    if (end === "kill") await host().ok(["kill", container.id]);
    else await host().ok(["rm", "-f", container.id]);
    expect(await container.client.exited).toBe(137);
  });
}

test("a running container whose row is lost, and the copy of its record with it", async () => {
  await using container = await running(host());
  sql("DELETE FROM containers");
  const directory = join(host().state, "containers", container.id);
  rmSync(join(directory, "record"));
  age(directory);
  expect((await host().rt(["ps", "-q", "--no-trunc"])).stdout).toBe(`${container.id}\n`);
  expect(oneLine((await host().rt(["exec", container.id, "true"])).stderr)).toContain("is damaged");
  expect(await host().ok(["rm", "-f", container.id])).toBe(`${container.id}\n`);
  expect(await container.client.exited).toBe(137);
});

test("a row that says how it ended, of a container that runs", async () => {
  await using container = await running(host());
  sql("UPDATE containers SET exit_code = 0, finished_at = 'x' WHERE id = ?", container.id);
  expect(await host().ok(["ps", "-q", "--no-trunc"])).toBe(`${container.id}\n`);
  expect(await host().ok(["exec", container.name, "echo", "on"])).toBe("on\n");
});

test("columns with NULs, escapes, half characters and no time in them are shown escaped", async () => {
  await host().ok(["run", "--name", "plain", image, "true"]);
  await host().ok(["run", "--name", "strange", image, "true"]);
  const strange = "CAST(x'1b5b33316dedb2800a00e280ae' AS TEXT)";
  sql(`UPDATE containers SET name = ${strange}, created = ${strange}, reference = ${strange}, command = ${strange},
       finished_at = ${strange}, error = ${strange} WHERE name = 'strange'`);
  const { stdout, stderr, code } = await host().rt(["ps", "-a"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.split("\n")).toHaveLength(4);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(stdout).toContain("plain");
  const ids = (await host().ok(["ps", "-aq", "--no-trunc"])).trim().split("\n");
  await host().ok(["rm", ...ids]);
});

test("a row whose id is none is listed, and goes by its name", async () => {
  await host().ok(["run", "--name", "lost", image, "true"]);
  await using beside = await running(host());
  sql("UPDATE containers SET id = '../../..' WHERE name = 'lost'");
  writeFileSync(join(host().dir, "canary"), "");
  const listed = await host().rt(["ps", "-a", "--format", "{{.Names}}"]);
  expect(listed.stdout.split("\n").sort()).toEqual(["", beside.name, "lost"].sort());
  expect(await host().ok(["rm", "-f", "lost"])).toBe("lost\n");
  expect(readFileSync(join(host().dir, "canary"), "utf8")).toBe("");
  // Its writable top is nobody's now: it goes when images are collected.
  rmSync(join(host().root, "snapshots/overlay/active"), { recursive: true });
  mkdirSync(join(host().root, "snapshots/overlay/active"));
});

const files: [string, (path: string) => void, RegExp][] = [
  [
    "is no database",
    (path) => writeFileSync(path, "text ".repeat(999)),
    /is not a database; move it \(and its -wal/,
  ],
  [
    "is cut short",
    (path) => writeFileSync(path, readFileSync(path).subarray(0, 9000)),
    /is damaged; move it/,
  ],
  ["has pages of random bytes", (path) => scribble(path), /is damaged; move it/],
];

function scribble(path: string): void {
  const bytes = readFileSync(path);
  for (let at = 4096; at < bytes.length; at += 65536)
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, bytes.length)));
  writeFileSync(path, bytes);
}

for (const [what, damage, says] of files) {
  test(`a database that ${what}: one line that says what to do, and doing it brings back what runs`, async () => {
    await using container = await running(host());
    const path = join(host().root, "db.sqlite");
    const parts = [path, `${path}-wal`, `${path}-shm`];
    const away = () => {
      for (const part of parts) rmSync(part, { force: true });
    };
    const kept = folded(path);
    try {
      away();
      writeFileSync(path, kept);
      damage(path);
      const { name } = container;
      for (const args of [["ps"], ["ps", "-a"], ["kill", name], ["rm", "-f", name], ["images"]]) {
        const { stderr, code } = await host().rt(args);
        expect(oneLine(stderr)).toMatch(says);
        expect(code).toBeGreaterThan(0);
      }
      away();
      age(join(host().state, "containers", container.id));
      expect((await host().rt(["ps", "--format", "{{.Names}}"])).stdout).toBe(`${name}\n`);
      await host().ok(["rm", "-f", name]);
      // Its client has the old one open, and cannot write down how it ended.
      await container.client.exited;
    } finally {
      away();
      writeFileSync(path, kept);
      await host().rt(["rm", "-f", container.name]);
    }
  });
}

for (const [what, damage] of records) {
  const damaged = what.includes("of an image") ? () => forged(1, {}) : damage;
  test(`an image whose record is ${what}: images, inspect, run, pull, rmi`, async () => {
    const name = "embed:hello";
    await host().ok(["pull", "-q", name]);
    const id = (await host().ok(["inspect", "-f", "{{.Id}}", name])).trim();
    const spoil = () => {
      using database = new Database(join(host().root, "db.sqlite"));
      const row = database.query("SELECT record FROM images WHERE id = ?").get(id) as { record: Uint8Array };
      database.query("UPDATE images SET record = ? WHERE id = ?").run(damaged(row.record), id);
    };
    spoil();
    const listed = await host().rt(["images", "--no-trunc"]);
    expect([listed.code, oneLine(listed.stderr)]).toEqual([
      0,
      expect.stringMatching(/image sha256:\w+ (is|was) /),
    ]);
    expect(listed.stdout).toMatch(new RegExp(`^embed +hello +${id} .*\\(damaged\\)$`, "m"));
    expect(listed.stdout).toContain(image);
    expect((await host().rt(["inspect", "-f", "{{.Id}} {{.RepoTags}}", name])).stdout).toContain(id);
    expect(await host().ok(["run", "--rm", image, "echo", "on"])).toBe("on\n");
    const refused = await host().rt(["run", "--rm", name]);
    expect([refused.code, oneLine(refused.stderr)]).toEqual([125, expect.stringMatching(/rmi -f|newer rt/)]);
    await host().ok(["pull", "-q", name]);
    expect((await host().rt(["images"])).stderr).toBe("");
    spoil();
    expect(await host().ok(["rmi", what.length % 2 ? name : id.slice(7, 30)])).toContain(`Deleted: ${id}`);
    expect((await host().rt(["images"])).stderr).toBe("");
  });
}

test("an image whose name is none is listed, and goes by its id", async () => {
  await host().ok(["pull", "-q", "embed:hello"]);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "embed:hello"])).trim();
  sql("UPDATE tags SET name = CAST(x'1b5b00eda080' AS TEXT), target = '?' WHERE image = ?", id);
  const { stdout, stderr } = await host().rt(["images", "--no-trunc"]);
  expect([stdout.includes(id), stdout.includes("\x1b"), stderr]).toEqual([true, false, ""]);
  expect(await host().ok(["rmi", id])).toContain(`Deleted: ${id}`);
});

/** The database's bytes, with all of its log in them. */
function folded(path: string): Buffer {
  using database = new Database(path);
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return readFileSync(path);
}
