/** A container's state directory while another command takes it for one that was left behind. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openState } from "../../../../src/engine/container/build.ts";
import type { Host } from "../../../../src/engine/host.ts";
import { closeLock, holdsLock, isLocked, takeLock, tryLock } from "../../../../src/runtime/lock.ts";
import { scratchDirectory } from "../../../support/scratch.ts";

const top = mkdtempSync(join(scratchDirectory(), "rt-open-state-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

test("one that is being removed is waited for, and made again", async () => {
  const directory = join(top, "slow");
  mkdirSync(directory);
  const remove = `exec 9>"$0/lock"; flock 9; echo held; sleep 0.3; rm -rf "$0"`;
  const remover = Bun.spawn(["sh", "-c", remove, directory], { stdin: "ignore", stdout: "pipe" });
  const reader = remover.stdout.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("held\n");
  const undo = new AsyncDisposableStack();
  const state = openState({ stateOf: () => directory } as unknown as Host, "slow", undo);
  undo.move();
  expect(await remover.exited).toBe(0);
  expect(state.directory).toBe(directory);
  expect(existsSync(join(directory, "lock"))).toBe(true);
  expect(holdsLock(directory, state.lock)).toBe(true);
  closeLock(state.lock);
});

test("a lock is had by one; where there is no directory by nobody", () => {
  const directory = join(top, "one");
  expect(tryLock(directory)).toBeUndefined();
  mkdirSync(directory);
  const lock = takeLock(directory);
  expect(tryLock(directory)).toBeUndefined();
  closeLock(lock);
  const other = tryLock(directory);
  expect(other).toBeGreaterThan(2);
  expect(isLocked(join(directory, "lock"))).toBe(true);
  closeLock(other!);
});
