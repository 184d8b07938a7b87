import { expect, test } from "bun:test";
import { RtError } from "../../src/base/errors.ts";
import { containerType } from "../../src/container/container-type.ts";
import { imageType } from "../../src/image/record.ts";
import { decodeRecord, encodeRecord, type RecordType } from "../../src/store/codec.ts";
import type { Shape } from "../../src/store/shape.ts";
import { containerRecord, imageRecord } from "../unit/store/samples.ts";

const rounds = Number(process.env.RT_FUZZ_ROUNDS || 20_000);

/** Deterministic, so that a failure can be repeated: xorshift32. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Some bits flipped, a piece cut out, doubled, or put elsewhere. */
function damage(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const copy = bytes.slice();
  const at = random(bytes.length);
  switch (random(4)) {
    case 0:
      for (let n = random(4); n >= 0; n--) copy[random(copy.length)]! ^= 1 << random(8);
      return copy;
    case 1:
      return copy.slice(0, at);
    case 2:
      return Uint8Array.from([...copy.slice(0, at), ...copy.slice(random(bytes.length))]);
    default:
      copy.set(copy.slice(at, at + random(16)), random(bytes.length - 16));
      return copy;
  }
}

/** With a checksum that is right: the decoder and the shape have to notice by themselves, or accept. */
function resealed(bytes: Uint8Array, headerLength: number): Uint8Array {
  if (bytes.length < headerLength + 5) return bytes;
  const crc = Bun.hash.crc32(bytes.subarray(headerLength + 5));
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(headerLength + 1, crc);
  return bytes;
}

function outcome<T>(type: RecordType<T>, bytes: Uint8Array): "data-loss" | "unsupported" | T {
  try {
    return decodeRecord(type, bytes, "fuzz");
  } catch (error) {
    if (error instanceof RtError && (error.code === "data-loss" || error.code === "unsupported")) {
      expect(error.message).not.toContain("\n");
      return error.code;
    }
    throw error;
  }
}

const kinds = [
  { type: imageType as RecordType<object>, good: encodeRecord(imageType, imageRecord("alpine")) },
  { type: containerType as RecordType<object>, good: encodeRecord(containerType, containerRecord()) },
];

test.each(kinds)("any damage to a record is noticed", ({ type, good }) => {
  const random = generator(1);
  const before = decodeRecord(type, good, "good");
  for (let round = 0; round < rounds; round++) {
    const bad = damage(good, random);
    const result = outcome(type, bad);
    // A move of equal bytes onto each other is no damage.
    if (typeof result === "object") expect(result).toEqual(before);
  }
});

test.each(kinds)(
  "damage under a right checksum is never more than a value of the right shape",
  ({ type, good }) => {
    const random = generator(2);
    const headerLength = good.indexOf(0x1a);
    const before = process.memoryUsage.rss();
    const shape: Shape<object> = type.shape;
    for (let round = 0; round < rounds; round++) {
      const result = outcome(type, resealed(damage(good, random), headerLength));
      if (typeof result === "object") shape(result, "");
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(300 << 20);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  },
);

test("random bytes are not a record", () => {
  const random = generator(3);
  for (let round = 0; round < rounds; round++) {
    const bytes = Uint8Array.from({ length: random(64) }, () => random(256));
    for (const { type } of kinds) expect(outcome(type, bytes)).toBe("data-loss");
  }
});
