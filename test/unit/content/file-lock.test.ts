import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FileLock, isHeld } from "../../../src/content/file-lock.ts";
import { scratch } from "../store/samples.ts";

test("one exclusive holder, or many shared ones", () => {
  using dir = scratch();
  const path = join(dir.path, "lock");
  expect(isHeld(path)).toBe(false);
  expect(existsSync(path)).toBe(false);
  {
    using _ = FileLock.try(path);
    expect(FileLock.try(path)).toBeUndefined();
    expect(FileLock.try(path, "shared")).toBeUndefined();
    expect(isHeld(path)).toBe(true);
  }
  expect(isHeld(path)).toBe(false);
  using a = FileLock.try(path, "shared");
  using b = FileLock.try(path, "shared");
  expect([a, b].includes(undefined)).toBe(false);
  expect(FileLock.try(path)).toBeUndefined();
  a?.unlock();
  b?.unlock();
  FileLock.try(path)?.close();
});

test("a lock on a file that was taken away is no lock: many processes lose no count", async () => {
  using dir = scratch();
  const counter = join(dir.path, "counter");
  writeFileSync(counter, "0");
  const script = join(import.meta.dir, "count-up.ts");
  const children = Array.from({ length: 8 }, () =>
    Bun.spawn([process.execPath, script, join(dir.path, "lock"), counter, "300"], { stderr: "pipe" }),
  );
  for (const child of children) {
    expect(await child.stderr.text()).toBe("");
    expect(await child.exited).toBe(0);
  }
  expect(readFileSync(counter, "utf8")).toBe("2400");
}, 30_000);

test("a lock goes with its process", async () => {
  using dir = scratch();
  const path = join(dir.path, "lock");
  const module = JSON.stringify(join(import.meta.dir, "../../../src/content/file-lock.ts"));
  const script = `const { FileLock } = await import(${module});
    globalThis.lock = FileLock.try(${JSON.stringify(path)}); console.log("held"); await Bun.sleep(60_000);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  await child.stdout.getReader().read();
  expect(isHeld(path)).toBe(true);
  child.kill("SIGKILL");
  await child.exited;
  using lock = FileLock.try(path);
  expect(lock).toBeDefined();
});
