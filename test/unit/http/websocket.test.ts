import { expect, test } from "bun:test";
import { MessageError } from "../../../src/http/head.ts";
import {
  webSocketAccept,
  webSocketClose,
  webSocketInput,
  webSocketMessage,
} from "../../../src/http/websocket.ts";
import { HeldDuplex } from "./support.ts";

const mask = [1, 2, 3, 4];

/** As a client sends it. */
function said(first: number, text: string, more: number[] = []): Buffer {
  const bytes = Buffer.from(text).map((byte, index) => byte ^ mask[index & 3]!);
  const length = more.length > 0 ? more : [bytes.length];
  return Buffer.concat([Buffer.from([first, 0x80 | length[0]!, ...length.slice(1), ...mask]), bytes]);
}

async function heard(...pieces: Buffer[]): Promise<{ text: string; wire: HeldDuplex }> {
  const wire = new HeldDuplex();
  for (const piece of pieces) wire.received(Uint8Array.from(piece));
  wire.ended();
  let text = "";
  for await (const piece of webSocketInput(wire)) text += Buffer.from(piece).toString();
  return { text, wire };
}

test("RFC 6455's own example of a handshake", () => {
  expect(webSocketAccept("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test("what a client says comes as it is, however it is cut, up to its close", async () => {
  const whole = Buffer.concat([
    said(0x02, "he"),
    said(0x80, "llo"),
    said(0x81, " there"),
    said(0x82, "x".repeat(300), [126, 1, 44]),
    said(0x88, ""),
    said(0x82, "nobody hears this"),
  ]);
  const wanted = `hello there${"x".repeat(300)}`;
  expect((await heard(whole)).text).toBe(wanted);
  expect((await heard(...[...whole].map((byte) => Buffer.of(byte)))).text).toBe(wanted);
});

test("a ping is answered with what it says", async () => {
  const { wire, text } = await heard(said(0x89, "are you there"), said(0x82, "yes"));
  expect(text).toBe("yes");
  expect(wire.text).toBe(`\u008a\u000dare you there`);
});

test("who pings and does not read the answers is not heard any further", async () => {
  const wire = new HeldDuplex(() => 0);
  let answered = 0;
  const write = wire.write.bind(wire);
  wire.write = (bytes) => {
    answered += bytes.length;
    return write(bytes);
  };
  const ping = said(0x89, "x".repeat(125));
  for (let bytes = 0; bytes < 2 << 20; bytes += ping.length) wire.received(ping);
  const hearing = webSocketInput(wire).next();
  await Bun.sleep(0);
  expect(answered).toBeLessThan(300 << 10);
  wire.ended();
  wire.closed();
  await hearing;
});

test("what is no frame of a client is refused", async () => {
  const bad = [
    Buffer.from([0x82, 0x01, 0x61]), // not masked
    Buffer.from([0xc2, 0x80, ...mask]), // an extension
    Buffer.from([0x83, 0x80, ...mask]), // no known kind
    Buffer.from([0x09, 0x80, ...mask]), // a ping in parts
    Buffer.from([0x89, 0xfe, 0, 200, ...mask]), // a long one
    Buffer.from([0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, ...mask]),
    Buffer.from([0x82, 0x85, ...mask, 1]), // cut
    Buffer.from([0x82]),
  ];
  for (const bytes of bad) expect(heard(bytes)).rejects.toThrow(MessageError);
});

test("messages of the server, by length", () => {
  const head = (length: number) => [...webSocketMessage(new Uint8Array(length), "binary").subarray(0, 4)];
  expect([...webSocketMessage(Buffer.from("a"), "text")]).toEqual([0x81, 1, 0x61]);
  expect(head(125).slice(0, 2)).toEqual([0x82, 125]);
  expect(head(126)).toEqual([0x82, 126, 0, 126]);
  expect(head(65_535)).toEqual([0x82, 126, 255, 255]);
  expect([...webSocketMessage(new Uint8Array(65_536), "binary").subarray(0, 10)]).toEqual([
    0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0,
  ]);
  expect([...webSocketClose(1000)]).toEqual([0x88, 2, 3, 232]);
});
