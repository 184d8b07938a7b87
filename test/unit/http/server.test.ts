import { expect, test } from "bun:test";
import { type HttpExchange, serveConnection } from "../../../src/http/server.ts";
import { HeldDuplex } from "./support.ts";

interface Served {
  wire: HeldDuplex;
  over: Promise<void>;
}

/** A connection on which each request is told of, and answered with its body. */
function served(handle: (exchange: HttpExchange) => Promise<void>): Served {
  const wire = new HeldDuplex();
  const over = serveConnection({
    wire,
    handle,
    refuse: (exchange, error) => exchange.answer(400, [], error.message),
    headWithin_ms: 10_000,
  });
  return { wire, over };
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(body)).toString();
}

const echo = async (exchange: HttpExchange) =>
  exchange.answer(200, [["X-Method", exchange.head.method]], await textOf(exchange.body));

async function answerTo(...pieces: string[]): Promise<string> {
  const { wire, over } = served(echo);
  wire.says(...pieces).ended();
  await over;
  return wire.text;
}

test("requests on one connection are answered one after the other, however they are cut", async () => {
  const first = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  const second =
    "POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
  const whole = await answerTo(first + second);
  expect(whole).toBe(
    "HTTP/1.1 200 OK\r\nX-Method: POST\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nX-Method: POST\r\nContent-Length: 5\r\n\r\nabcde",
  );
  expect(await answerTo(...(first + second))).toBe(whole);
});

test.each([
  ["no HTTP at all", "\x16\x03\x01 hello\r\n\r\n"],
  ["HTTP of another major version", "GET / HTTP/2.0\r\n\r\n"],
  ["two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
  [
    "a length and chunks",
    "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["a length that is none", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"],
  ["a field with a NUL", "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"],
  ["a field that goes on in the next line", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"],
  ["a space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"],
  ["a head of 10 MB", `GET / HTTP/1.1\r\n${"A: b\r\n".repeat(1_700_000)}`],
  ["more fields than anybody has", `GET / HTTP/1.1\r\n${"A: b\r\n".repeat(200)}\r\n`],
  ["half a request", "GET / HTTP/1.1\r\nHost"],
])("%s is answered with 400, and the connection ends", async (_, text) => {
  expect(await answerTo(text)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
});

test("a body that ends too early, or whose chunks are none, is an error for whoever reads it", async () => {
  for (const text of [
    "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n",
  ]) {
    let error: unknown;
    const { wire, over } = served(async (exchange) => {
      error = await textOf(exchange.body).catch((caught: unknown) => caught);
    });
    wire.says(text).ended();
    await over;
    expect(error).toMatchObject({ code: "invalid-argument" });
  }
});

test.each([
  ["whose chunks are none", "Transfer-Encoding: chunked", "zz\r\n"],
  ["whose chunks end with a line feed alone", "Transfer-Encoding: chunked", "1\nx\n0\n\n"],
  ["that is not wanted to its end", "Content-Length: 100", "stop"],
])("what follows a body %s is no request", async (_, field, body) => {
  const targets: string[] = [];
  const { wire, over } = served(async (exchange) => {
    targets.push(exchange.head.target);
    try {
      for await (const piece of exchange.body)
        if (Buffer.from(piece).toString().startsWith("stop")) throw new Error("it is too long");
    } catch (error) {
      return exchange.answer(400, [], (error as Error).message);
    }
    exchange.answer(200, []);
  });
  wire.says(`POST /a HTTP/1.1\r\n${field}\r\n\r\n${body}`, "GET /b HTTP/1.1\r\n\r\n").ended();
  await over;
  expect(targets).toEqual(["/a"]);
  expect(wire.text).toMatch(/^HTTP\/1.1 400 Bad Request\r\n.*Connection: close\r\n/s);
});

test("after a body in chunks of HTTP/1.0 there is no other request", async () => {
  const head = "POST /a HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
  const text = await answerTo(`${head}0\r\n\r\n`, "GET /b HTTP/1.1\r\n\r\n");
  expect(text.match(/HTTP\/1.1 200/g)).toHaveLength(1);
});

test("a stream is chunks, and bytes until the end to a client of HTTP/1.0; HEAD has no body", async () => {
  const stream = async (exchange: HttpExchange) => {
    const writer = exchange.stream(200, []);
    await writer.write(Buffer.from("ab"));
    await writer.write(Buffer.from(""));
    await writer.write(Buffer.from("c"));
    writer.end();
  };
  const over11 = served(stream);
  over11.wire.says("GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n").ended();
  await over11.over;
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  expect(over11.wire.text).toBe(`${head}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n${head}`);
  const over10 = served(stream);
  over10.wire.says("GET / HTTP/1.0\r\n\r\n").ended();
  await over10.over;
  expect(over10.wire.text).toBe("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
});

test("a client that goes is told of while its request is at work", async () => {
  const left = Promise.withResolvers<void>();
  const { wire, over } = served(async (exchange) => {
    exchange.gone.addEventListener("abort", () => left.resolve());
    await left.promise;
  });
  wire.says("GET /wait HTTP/1.1\r\n\r\n");
  await Bun.sleep(1);
  wire.ended();
  await left.promise;
  await over;
});

test("a hijacked connection is the handler's, with what follows the request's body", async () => {
  const { wire, over } = served(async (exchange) => {
    await textOf(exchange.body);
    const raw = exchange.hijack([["Content-Type", "x/y"]]);
    const said = await raw.read();
    await raw.write(Buffer.from(`got ${Buffer.from(said!)}`));
    raw.destroy();
  });
  wire.says("POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}hello");
  await over;
  expect(wire.text).toBe(
    "HTTP/1.1 101 UPGRADED\r\nContent-Type: x/y\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\ngot hello",
  );
});

test("a body is asked for where the client waits to be, and one that nobody read ends the connection then", async () => {
  const asks = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  const { wire, over } = served(echo);
  wire.says(asks);
  await Bun.sleep(1);
  expect(wire.text).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  wire.says("ok").ended();
  await over;
  expect(wire.text).toEndWith("\r\n\r\nok");
  const refused = served(async (exchange) => exchange.answer(403, []));
  refused.wire.says(asks).ended();
  await refused.over;
  expect(refused.wire.text).toBe("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
});
