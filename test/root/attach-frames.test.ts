/** Who may connect to a monitor's socket may say anything: the container runs on, and so do its other clients. */
import { expect } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { containerTests, running, statusOf } from "../cli/world.ts";

const { test, host } = containerTests();

/** Sends all of it, as far as the monitor takes it, and waits for the end of the connection. */
async function say(id: string, header: readonly number[], body: number): Promise<void> {
  const directory = openSync(join(host().state, "containers", id), "r");
  try {
    // A socket's address holds 107 bytes.
    const socket = connect(`/proc/self/fd/${directory}/attach.sock`);
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on("error", () => resolve()).on("close", () => resolve());
    socket.resume();
    socket.write(Buffer.from(header));
    socket.end(Buffer.alloc(body, "A"));
    await promise;
  } finally {
    closeSync(directory);
  }
}

test("frames of any length and kind leave the monitor as it was", async () => {
  await using container = await running(host(), ["cat"], ["-i"]);
  for (const length of [0xffffffff, 0xfffffff8, 0xfffffff7, 0x80000000, 32769, 32768, 65, 1]) {
    for (const kind of [0, 3, 4, 11, 12, 13, 255]) {
      if (kind === 3 && length < 65) continue; // the end of stdin is what that says
      const bytes = [24, 16, 8, 0].map((shift) => (length >>> shift) & 0xff);
      await say(container.id, [kind, 0, 0, 0, ...bytes], Math.min(length, 600_000));
      expect([kind, length, await statusOf(host(), container.name)]).toEqual([kind, length, "running"]);
    }
  }
  expect(await host().ok(["exec", container.name, "echo", "fine"])).toBe("fine\n");
  container.client.write("still\n");
  await container.client.stdout.waitFor("still\n");
}, 240_000);
