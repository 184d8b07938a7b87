/** `rt system check`: every damage that is made here is found and named, and nothing else. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { containerTests, image } from "./world.ts";

const { test, host } = containerTests([], { keeps: true });

async function problems(): Promise<string[]> {
  const { stdout, stderr, code } = await host().rt(["system", "check"]);
  expect(stderr).toBe("");
  const lines = stdout.split("\n").slice(0, -1);
  const last = lines.pop();
  expect([code, last]).toEqual(
    lines.length === 0
      ? [0, "all is as it was written"]
      : [1, `${lines.length} ${lines.length === 1 ? "problem" : "problems"}`],
  );
  return lines;
}

/** One bit of a file is another; its times are as before. */
function flip(path: string, at: number): () => void {
  const { mode, atime, mtime } = statSync(path);
  const before = readFileSync(path);
  const bytes = Buffer.from(before);
  bytes[at]! ^= 0x10;
  const put = (content: Uint8Array) => {
    chmodSync(path, 0o600);
    writeFileSync(path, content);
    chmodSync(path, mode);
    utimesSync(path, atime, mtime);
  };
  put(bytes);
  return () => put(before);
}

const blobs = () => join(host().root, "content/blobs/sha256");
const committed = () => join(host().root, "snapshots", driver(), "committed");
const driver = () => (existsSync(join(host().root, "snapshots/overlay/committed")) ? "overlay" : "copy");
const leaf = () => (driver() === "overlay" ? "diff" : "rootfs");

test("a sound store", async () => {
  await host().ok([
    "run",
    "--name",
    "kept",
    "-v",
    "data:/data",
    image,
    "sh",
    "-c",
    "rm /bin/vi; echo x > /new",
  ]);
  await host().ok(["commit", "kept", "team/kept"]);
  await host().ok(["run", "-d", "--name", "runs", "team/kept", "sleep", "1000"]);
  await host().ok(["create", "--name", "never", image, "true"]);
  expect(await problems()).toEqual([]);
});

test("blobs: a flipped bit anywhere, one that is shorter, longer, gone", async () => {
  const names = readdirSync(blobs());
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    const path = join(blobs(), name);
    const size = statSync(path).size;
    for (const at of [0, size >> 1, size - 1]) {
      const undo = flip(path, at);
      const found = await problems();
      expect(found).toContainEqual(
        expect.stringMatching(
          new RegExp(`^blob sha256:${name}: its bytes have another digest: remove .* with rt rmi`),
        ),
      );
      undo();
      if (size > 100_000) break;
    }
  }
  const path = join(blobs(), names[0]!);
  const aside = `${path}.aside`;
  const original = readFileSync(path);
  chmodSync(path, 0o600);
  truncateSync(path, original.length - 1);
  expect(await problems()).toContainEqual(
    expect.stringContaining(`it has ${original.length - 1} bytes instead of`),
  );
  writeFileSync(path, original);
  appendFileSync(path, "x");
  expect(await problems()).toContainEqual(
    expect.stringContaining(`it has ${original.length + 1} bytes instead of`),
  );
  writeFileSync(path, original);
  renameSync(path, aside);
  expect(await problems()).toContainEqual(
    expect.stringMatching(new RegExp(`^blob sha256:${names[0]}: it is missing: `)),
  );
  renameSync(aside, path);
  expect(await problems()).toEqual([]);
}, 240_000);

test("snapshots: a flipped bit, another mode, a file too much or too few, a tree that is gone", async () => {
  const base = readdirSync(committed()).find((hex) =>
    existsSync(join(committed(), hex, leaf(), "bin/busybox")),
  )!;
  const tree = join(committed(), base, leaf());
  const told = (what: string) => [
    expect.stringMatching(
      new RegExp(`^snapshot ${driver()} sha256:${base}: ${what}: remove .*localhost/layout`),
    ),
  ];
  const undo = flip(join(tree, "bin/busybox"), 1_000_000);
  expect(await problems()).toEqual(told("/bin is not as in its layer, /bin/busybox is not as in its layer"));
  undo();
  chmodSync(join(tree, "etc/passwd"), 0o666);
  expect(await problems()).toEqual(told("/etc is not as in its layer, /etc/passwd is not as in its layer"));
  chmodSync(join(tree, "etc/passwd"), 0o644);
  writeFileSync(join(tree, "extra"), "");
  expect(await problems()).toEqual(told("/extra is in no layer"));
  rmSync(join(tree, "extra"));
  renameSync(join(tree, "etc/group"), join(tree, "../group"));
  expect(await problems()).toEqual(told("/etc is not as in its layer, /etc/group is missing"));
  renameSync(join(tree, "../group"), join(tree, "etc/group"));
  expect(await problems()).toEqual([]);
  const above = readdirSync(committed()).find((hex) => existsSync(join(committed(), hex, leaf(), "new")))!;
  renameSync(join(committed(), above), join(committed(), "../aside"));
  expect(await problems()).toEqual([
    expect.stringMatching(
      new RegExp(`^snapshot ${driver()} sha256:${above}: it is missing: remove team/kept`),
    ),
    expect.stringMatching(/^container runs: the snapshot .* is missing: /),
  ]);
  renameSync(join(committed(), "../aside"), join(committed(), above));
  expect(readdirSync(join(committed(), "../tmp"))).toEqual([]);
}, 120_000);

test("records that do not decode, containers without files, volumes by halves", async () => {
  const change = (sql: string, ...values: (string | Uint8Array)[]) => {
    using database = new Database(join(host().root, "db.sqlite"));
    database.run(sql, values);
  };
  const record = (table: string, where: string): Uint8Array => {
    using database = new Database(join(host().root, "db.sqlite"));
    return (database.query(`SELECT record FROM ${table} WHERE ${where}`).get() as { record: Uint8Array })
      .record;
  };
  for (const [table, where, what] of [
    ["images", `id = (SELECT image FROM tags WHERE name LIKE '%team/kept%')`, "image team/kept:latest"],
    ["containers", "name = 'never'", "container never"],
    ["volumes", "name = 'data'", "volume data"],
  ] as const) {
    const before = record(table, where);
    const bytes = Uint8Array.from(before);
    bytes[bytes.length - 5]! ^= 1;
    change(`UPDATE ${table} SET record = ? WHERE ${where}`, bytes);
    expect(await problems()).toContainEqual(
      expect.stringMatching(new RegExp(`^${what}: .*(damaged|checksum)`)),
    );
    change(`UPDATE ${table} SET record = ? WHERE ${where}`, before);
  }
  const volumes = join(host().root, "volumes");
  renameSync(join(volumes, "data"), join(host().dir, "aside"));
  mkdirSync(join(volumes, "stray/_data"), { recursive: true });
  expect(await problems()).toEqual([
    expect.stringMatching(/^volume data: its directory is missing: /),
    expect.stringMatching(/^volume stray: its record is missing: /),
  ]);
  renameSync(join(host().dir, "aside"), join(volumes, "data"));
  rmSync(join(volumes, "stray"), { recursive: true });
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "kept"])).trim();
  const top = join(committed(), "../active", id);
  renameSync(top, join(host().dir, "aside"));
  expect(await problems()).toEqual([expect.stringMatching(/^container kept: its files are missing: /)]);
  renameSync(join(host().dir, "aside"), top);
  expect(await problems()).toEqual([]);
  await host().ok(["rm", "-f", "kept", "runs", "never"]);
  await host().ok(["rmi", "team/kept"]);
  await host().ok(["volume", "rm", "data"]);
}, 120_000);
