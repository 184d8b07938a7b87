import { describe, expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { Channel, type ChannelOptions } from "../../../src/peer/channel.ts";
import { dataBytesMax, type PeerFrame, PeerReader } from "../../../src/peer/frames.ts";
import { frame, hello, MemoryPipe, pair } from "./pipes.ts";

const options: ChannelOptions = { who: "box: ", role: "take", patience_ms: 5000 };

async function failure(promise: Promise<unknown>): Promise<RtError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (error instanceof RtError) return error;
  throw new Error(`expected an RtError, got ${error}`);
}

async function opened(parts: Partial<ChannelOptions> = {}): Promise<{ other: MemoryPipe; channel: Channel }> {
  const other = new MemoryPipe();
  other.come(hello());
  return { other, channel: await Channel.open(other.pipe(), { ...options, ...parts }) };
}

describe("frames", () => {
  test("come back as they went, in pieces of any size", async () => {
    const bytes = Buffer.concat([
      frame("want", 7, { digest: "x" }),
      frame("ping", 0),
      frame("data", 0xffff_ffff, new Uint8Array(3000).fill(5)),
    ]);
    for (const size of [1, 2, 11, 12, 13, 1000, bytes.length]) {
      async function* pieces() {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      }
      const reader = new PeerReader(pieces(), "");
      const frames: PeerFrame[] = [];
      for (let each = await reader.next(); each; each = await reader.next()) frames.push(each);
      expect(frames.map(({ kind, id, payload }) => [kind, id, payload.length])).toEqual([
        ["want", 7, 14],
        ["ping", 0, 0],
        ["data", 0xffff_ffff, 3000],
      ]);
    }
  });

  test("a length is refused before anything is made for it", async () => {
    for (const [kind, length] of [
      [7, 2 ** 32 - 1],
      [7, dataBytesMax + 1],
      [6, 65_537],
    ] as const) {
      const header = new Uint8Array(12);
      const view = new DataView(header.buffer);
      view.setUint32(0, kind);
      view.setUint32(8, length);
      async function* pieces() {
        yield header;
        throw new Error("more was read");
      }
      const error = await failure(new PeerReader(pieces(), "box: ").next());
      expect([error.code, error.message]).toEqual([
        "data-loss",
        expect.stringMatching(/^box: it announces \d+ bytes/),
      ]);
    }
  });

  test("a kind that nobody knows is refused", async () => {
    for (const kind of [0, 12, 0xffff_ffff]) {
      const header = new Uint8Array(12);
      new DataView(header.buffer).setUint32(0, kind);
      async function* pieces() {
        yield header;
      }
      const error = await failure(new PeerReader(pieces(), "").next());
      expect([error.code, error.message]).toEqual(["unsupported", expect.stringContaining(`(${kind})`)]);
    }
  });
});

describe("hello", () => {
  test("two who speak the same understand each other, and a text is exact", async () => {
    const [a, b] = pair();
    const [taker, giver] = await Promise.all([
      Channel.open(a, options),
      Channel.open(b, { ...options, role: "give" }),
    ]);
    await taker.tell("ask", 0, { image: 'a\n"b" ü' });
    const { kind, payload } = await giver.receive();
    expect([kind, JSON.parse(new TextDecoder().decode(payload))]).toEqual(["ask", { image: 'a\n"b" ü' }]);
    await Promise.all([taker.close(true), giver.close(true)]);
  });

  const refused: [string, Uint8Array, string, RegExp][] = [
    [
      "something else",
      Buffer.from("Welcome to box!\r\n\u001b[2J"),
      "data-loss",
      /answers Welcome to box!.*shell/,
    ],
    ["a shorter word that begins alike", Buffer.from("rt peev\n"), "data-loss", /rt peev/],
    ["no version in common", hello({ speaks: [2, 3] }), "unsupported", /rt 9\.9.*speaks 2, 3, this one 1/],
    ["no versions", hello({ speaks: "1" }), "data-loss", /speaks/],
    ["the same role", hello({ role: "take" }), "conflict", /both sides want to take/],
    ["no patience", hello({ patience_ms: -1 }), "data-loss", /patience_ms/],
    ["no hello", Buffer.concat([Buffer.from("rt peer\n"), frame("done", 0, {})]), "data-loss", /"done"/],
    [
      "no JSON",
      Buffer.concat([Buffer.from("rt peer\n"), frame("hello", 0, Buffer.from("{"))]),
      "data-loss",
      /JSON/,
    ],
    [
      "deep JSON",
      Buffer.concat([Buffer.from("rt peer\n"), frame("hello", 0, Buffer.from("[".repeat(60_000)))]),
      "exhausted",
      /nested/,
    ],
  ];
  for (const [what, bytes, code, message] of refused)
    test(`${what}: refused in one line`, async () => {
      const other = new MemoryPipe();
      other.come(bytes);
      const error = await failure(Channel.open(other.pipe(), options));
      expect([error.code, error.message]).toEqual([code as RtError["code"], expect.stringMatching(message)]);
      expect(error.message).toMatch(/^box: [\x20-\x7e]*$/);
    });

  test("a newer one that also speaks ours is understood", async () => {
    const other = new MemoryPipe();
    other.come(hello({ speaks: [1, 2, 99], more: {} }));
    await (await Channel.open(other.pipe(), options)).close(true);
  });

  test("an end without a word, or in the middle of one", async () => {
    for (const piece of [undefined, Buffer.from("rt"), hello().subarray(0, 15)]) {
      const other = new MemoryPipe();
      other.come(piece);
      other.come(undefined);
      const error = await failure(Channel.open(other.pipe(), options));
      expect([error.code, error.message]).toEqual(["unavailable", "box: the connection broke off"]);
    }
  });
});

describe("patience", () => {
  test("has an end, before hello and after", async () => {
    const mute = failure(Channel.open(new MemoryPipe().pipe(), { ...options, patience_ms: 100 }));
    expect((await mute).message).toBe("box: nothing has come for 1 s");
    const { channel } = await opened({ patience_ms: 100 });
    expect((await failure(channel.receive())).message).toBe("box: nothing has come for 1 s");
    await channel.close(false);
  });

  test("has an end behind a ping too, and there whoever waits is told that the caller wants no more", async () => {
    const silent = await opened({ patience_ms: 100 });
    const waiting = failure(silent.channel.receive());
    silent.other.come(frame("ping", 0));
    expect((await waiting).message).toBe("box: nothing has come for 1 s");
    await silent.channel.close(false);
    const stop = new AbortController();
    const { other, channel } = await opened({ signal: stop.signal });
    const received = failure(channel.receive());
    other.come(frame("ping", 0));
    await Bun.sleep(20);
    stop.abort(new RtError("cancelled", "interrupted", { exitCode: 143 }));
    expect(await received).toMatchObject({ code: "cancelled", exitCode: 143 });
    await channel.close(false);
  });

  test("is not spent while a large frame comes over a slow line", async () => {
    const { other, channel } = await opened({ patience_ms: 200 });
    const said = channel.receive();
    const data = frame("data", 1, new Uint8Array(100));
    for (let at = 0; at < data.length; at += 10) {
      other.come(data.subarray(at, at + 10));
      await Bun.sleep(60);
    }
    expect((await said).payload.length).toBe(100);
    await channel.close(false);
  });

  test("is not spent while pings come, nor while nobody waits", async () => {
    const [a, b] = pair();
    const [taker, giver] = await Promise.all([
      Channel.open(a, { ...options, patience_ms: 200 }),
      Channel.open(b, { ...options, role: "give", patience_ms: 200 }),
    ]);
    const said = taker.receive();
    await Bun.sleep(700);
    await giver.tell("have", 0, {});
    expect((await said).kind).toBe("have");
    await Promise.all([taker.close(true), giver.close(true)]);
  });
});

describe("failures", () => {
  test("arrive with their class, in one visible line", async () => {
    const { other, channel } = await opened();
    other.come(frame("fail", 0, { code: "exhausted", message: "no space left\n\u001b[2Jrt: fine" }));
    const error = await failure(channel.receive());
    expect([error.code, error.message]).toEqual(["exhausted", "box: no space left\\n\\u001b[2Jrt: fine"]);
    await channel.close(false);
  });

  test("of a class that there is not", async () => {
    const { other, channel } = await opened();
    other.come(frame("fail", 0, { code: "constructor", message: "x" }));
    expect((await failure(channel.receive())).code).toBe("unavailable");
    await channel.close(false);
  });

  test("of the caller, who wants no more", async () => {
    const stop = new AbortController();
    const { channel } = await opened({ signal: stop.signal });
    const received = failure(channel.receive());
    stop.abort(new RtError("cancelled", "interrupted", { exitCode: 143 }));
    expect(await received).toMatchObject({ code: "cancelled", exitCode: 143 });
    await channel.close(false);
  });
});
