import { afterEach, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConsoleOutput } from "../../../../src/engine/machine/console.ts";
import { scratchDirectory } from "../../../support/scratch.ts";
import { until } from "../../../support/wait.ts";

const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0).reverse()) each();
});

/** A pipe that nobody reads until `read` does. */
function pipe() {
  const dir = mkdtempSync(join(scratchDirectory(), "rt-console-"));
  undo.push(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "pipe");
  Bun.spawnSync(["mkfifo", path]);
  const open = (flags: number) => {
    const fd = openSync(path, flags | constants.O_NONBLOCK);
    undo.push(() => closeSync(fd));
    return fd;
  };
  const reader = open(constants.O_RDONLY);
  const output = new ConsoleOutput(open(constants.O_WRONLY));
  undo.push(() => output[Symbol.dispose]());
  const buffer = Buffer.alloc(1 << 16);
  const read = () => {
    try {
      return buffer.toString("latin1", 0, readSync(reader, buffer));
    } catch {
      return ""; // empty
    }
  };
  return { output, read };
}

const line = (index: number) => `line ${index} ${"x".repeat(1000)}\n`;

test("what a reader takes at once leaves nobody waiting", () => {
  const { output, read } = pipe();
  for (let index = 0; index < 100; index++) {
    expect(output.write(Buffer.from(line(index)))).toBe(undefined);
    expect(read()).toBe(line(index));
  }
});

test("where nobody reads, the writer is asked to wait, and everything comes in its order once somebody does", async () => {
  const { output, read } = pipe();
  let room: Promise<void> | undefined;
  let written = 0;
  while (room === undefined) room = output.write(Buffer.from(line(written++)));
  let got = "";
  await until("all of it", () => {
    got += read();
    return got.length >= Array.from({ length: written }, (_, index) => line(index)).join("").length;
  });
  await room;
  expect(got).toBe(Array.from({ length: written }, (_, index) => line(index)).join(""));
});

test("in a hurry nobody waits, memory has a bound, and the end comes although nobody reads", async () => {
  const { output } = pipe();
  let room: Promise<void> | undefined;
  while (room === undefined) room = output.write(Buffer.from(line(0)));
  output.hurry();
  await room;
  for (let index = 0; index < 1000; index++) expect(output.write(Buffer.from(line(index)))).toBe(undefined);
  const began = performance.now();
  await output.drain();
  expect(performance.now() - began).toBeLessThan(2500);
});
