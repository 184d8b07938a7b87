import { expect, test } from "bun:test";
import { HeldDuplex } from "./support.ts";

test("what is not taken is sent when there is room, in order, and a writer waits for it", async () => {
  let room = 3;
  const wire = new HeldDuplex((bytes) => {
    const taken = Math.min(room, bytes.length);
    room -= taken;
    return taken;
  });
  expect(wire.write(Buffer.from("abcde"))).toBeUndefined();
  const waiting = wire.write(Buffer.alloc(300 << 10, "x"));
  wire.end();
  expect(wire.calls).toEqual([]);
  room = Number.POSITIVE_INFINITY;
  wire.drained();
  await waiting;
  expect(wire.text).toBe(`abcde${"x".repeat(300 << 10)}`);
  expect(wire.calls).toEqual(["end"]);
  expect(wire.write(Buffer.from("more"))).toBeUndefined();
  expect(wire.text).toHaveLength(5 + (300 << 10));
});

test("whoever sends more than is read is told to wait, and to go on", async () => {
  const wire = new HeldDuplex();
  for (let count = 0; count < 3; count++) wire.received(Buffer.alloc(40 << 10));
  expect(wire.calls).toEqual(["pause"]);
  await wire.read();
  expect(wire.calls).toEqual(["pause"]);
  await wire.read();
  await wire.read();
  expect(wire.calls).toEqual(["pause", "resume"]);
});

test("a close wakes whoever waits, reading or writing", async () => {
  const wire = new HeldDuplex(() => 0);
  const waiting = wire.write(Buffer.alloc(1 << 20));
  const reading = wire.read();
  wire.closed();
  await waiting;
  expect(await reading).toBeUndefined();
  expect(wire.gone.aborted).toBe(true);
});
