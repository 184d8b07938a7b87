import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { flock } from "../../../src/native/system.ts";
import { removeUnsyncedOfLastBoot, syncCommitted } from "../../../src/snapshot/boot.ts";
import { SnapshotDirectory } from "../../../src/snapshot/directory.ts";
import { scratchDirectory } from "../../support/scratch.ts";

const [first, second] = ["a".repeat(64), "b".repeat(64)] as const;
const thisBoot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
let snapshots = "";
let directory: SnapshotDirectory;

beforeEach(() => {
  snapshots = mkdtempSync(join(scratchDirectory(), "rt-boot-"));
  directory = new SnapshotDirectory(join(snapshots, "overlay"));
  directory.ensure();
});

afterEach(() => rmSync(snapshots, { recursive: true }));

function commit(hex: string): void {
  mkdirSync(join(directory.committed, hex, "diff/usr"), { recursive: true });
  writeFileSync(join(directory.committed, hex, "diff/usr/file"), "x");
}

const committed = () => readdirSync(directory.committed).sort();
const look = () => removeUnsyncedOfLastBoot(snapshots, ["overlay", "copy"]);

test("after a crash of the machine only what was settled is believed", async () => {
  commit(first);
  await syncCommitted(directory);
  commit(second);
  writeFileSync(join(snapshots, "boot"), "another boot\n");
  await look();
  expect(committed()).toEqual([first]);
  expect(readdirSync(directory.tmp)).toEqual([]);
  expect(readFileSync(join(snapshots, "boot"), "utf8")).toBe(thisBoot);
});

test("within one boot nothing is dropped", async () => {
  writeFileSync(join(snapshots, "boot"), thisBoot);
  commit(first);
  await look();
  expect(committed()).toEqual([first]);
});

test("a directory that knows of no boot came from somewhere: it is not believed either", async () => {
  commit(first);
  await look();
  expect(committed()).toEqual([]);
});

test("settling marks what is there, once, beside the tree and not in it", async () => {
  commit(first);
  await syncCommitted(directory);
  await syncCommitted(directory);
  expect(readdirSync(join(directory.committed, first)).sort()).toEqual(["diff", "durable"]);
  expect(readdirSync(join(directory.committed, first, "diff"))).toEqual(["usr"]);
});

test("a sweep removes what nobody holds, and leaves what somebody does", async () => {
  const [dead, alive] = [join(directory.tmp, "dead"), join(directory.tmp, "alive")];
  mkdirSync(join(dead, "diff"), { recursive: true });
  mkdirSync(join(alive, "diff"), { recursive: true });
  const fd = openSync(alive, "r");
  flock(fd, "exclusive", true);
  await directory.removeAbandoned();
  expect([existsSync(dead), existsSync(alive)]).toEqual([false, true]);
  closeSync(fd);
  await directory.removeAbandoned();
  expect(existsSync(alive)).toBe(false);
});
