import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../src/base/errors.ts";
import { ContainerStore } from "../../src/container/container-store.ts";
import { containerType } from "../../src/container/record.ts";
import { observe } from "../../src/container/state.ts";
import { recordOf } from "../../src/container/stored-container.ts";
import { ImageStore } from "../../src/image/image-store.ts";
import { imageType } from "../../src/image/record.ts";
import { decodeRecord, encodeRecord, type RecordType } from "../../src/store/codec.ts";
import { Database } from "../../src/store/database.ts";
import { containerRecord, imageRecord, newImage, scratch } from "../unit/store/samples.ts";

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

/** As a disk or a stranger would leave it: each kind of damage has its turn. */
function anyBytes(good: Uint8Array, random: (below: number) => number): Uint8Array {
  if (random(4) === 0) return Uint8Array.from({ length: random(64) }, () => random(256));
  const bad = damage(good, random);
  return random(2) === 0 ? bad : resealed(bad, good.indexOf(0x1a));
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
    for (let round = 0; round < rounds; round++) {
      const result = outcome(type, resealed(damage(good, random), headerLength));
      if (typeof result === "object") type.shape(result, "");
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

test("whatever the records hold, a store lists all of them, and the good ones as they are", () => {
  using dir = scratch();
  using database = Database.open(dir.path);
  const [images, containers] = [new ImageStore(database), new ContainerStore(database)];
  const [image, container] = [imageRecord("good"), containerRecord()];
  images.put(newImage(image, ["docker.io/library/good:1"]));
  containers.create({ ...container, image: { id: image.id, reference: "good:1" } });
  const good = kinds.map(({ good }) => good);
  const random = generator(4);
  const count = Math.min(rounds, 3000);
  database.transaction(() => {
    for (let round = 0; round < count; round++) {
      const id = round.toString(16).padStart(64, "0");
      const text = String.fromCharCode(...Array.from({ length: random(9) }, () => random(0x10000)));
      database.run(
        "INSERT INTO images (id, record) VALUES (?, ?)",
        `sha256:${id}`,
        anyBytes(good[0]!, random),
      );
      database.run("INSERT INTO tags VALUES (?, ?, ?)", `${round}${text}`, `sha256:${id}`, text);
      database.run(
        "INSERT INTO containers (id, name, image, created, record, reference, command) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ...[id, `${round}${text}`, text, text, anyBytes(good[1]!, random), text, text],
      );
    }
  });
  expect(containers.list()).toHaveLength(count + 1);
  expect(containers.get(container.name).record.env).toEqual(container.env);
  for (const each of containers.list()) {
    const record = recordOf(each);
    if (each.damage) expect(record).toBeUndefined();
    if (record) containerType.shape(record, "");
  }
  expect(images.list()).toHaveLength(count + 1);
  expect(images.get("good:1").record).toEqual(image);
  for (const { id } of images.list()) {
    expect(images.idOf(id)).toBe(id);
    images.remove(id, { force: true, isRunning: () => false });
  }
  expect(images.list()).toEqual([]);
});

test("whatever the files of a state directory hold, it is one of the three states", () => {
  using dir = scratch();
  const random = generator(5);
  const good = {
    pid: "init 4242 987654\nmonitor 4241 987650\nstarted 1735689600123456789\n",
    exit: "code 3\nfinished 1735689601000000001\nerror \n",
  };
  for (let round = 0; round < Math.min(rounds, 3000); round++) {
    for (const [name, text] of Object.entries(good)) {
      rmSync(join(dir.path, name), { force: true });
      const bytes = random(8) === 0 ? Buffer.from(text) : damage(Buffer.from(text), random);
      if (random(6) > 0) writeFileSync(join(dir.path, name), bytes);
    }
    for (const locked of [true, false]) {
      const { state } = observe(dir.path, undefined, () => locked);
      expect(["created", "running", "exited"]).toContain(state.status);
      expect(Number.isNaN(Date.parse(state.startedAt)) || Number.isNaN(Date.parse(state.finishedAt))).toBe(
        false,
      );
      expect(BigInt(state.startTime || "0")).toBeLessThan(1n << 64n);
    }
  }
});
