import { expect, test } from "bun:test";
import { GrowingFile } from "../../../src/content/growing-file.ts";

test("a reader is told of every growth, and of the end", async () => {
  const file = new GrowingFile(3);
  expect(await file.more(0)).toEqual({ size: 3, done: false });
  const [a, b] = [file.more(3), file.more(3)];
  file.grow(10);
  expect(await a).toEqual({ size: 10, done: false });
  expect(await b).toEqual({ size: 10, done: false });
  const last = file.more(10);
  file.finish(10);
  expect(await last).toEqual({ size: 10, done: true });
  expect(await file.more(10)).toEqual({ size: 10, done: true });
});

test("a failure reaches who waits and who comes later", async () => {
  const file = new GrowingFile();
  const waiting = file.more(0);
  file.fail(new Error("broken"));
  await expect(waiting).rejects.toThrow("broken");
  await expect(file.more(0)).rejects.toThrow("broken");
});

test("after the end nothing can fail any more", async () => {
  const file = new GrowingFile();
  file.finish(5);
  file.fail(new Error("late"));
  expect(await file.more(0)).toEqual({ size: 5, done: true });
});
