/** One request and its answer, with engines that are none, stop in the middle, or are gone. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { connectDuplex } from "../../../src/http/socket.ts";
import { Api, pathOf } from "../../../src/remote/api.ts";

/** Answers each request, in turn, with the next of these texts; after the last it closes. */
function engineThatSays(...answers: string[]) {
  const directory = mkdtempSync(join(tmpdir(), "rt-api-"));
  const path = join(directory, "x.sock");
  const asked: string[] = [];
  let connections = 0;
  const listener = Bun.listen({
    unix: path,
    socket: {
      open: () => void connections++,
      data(socket, bytes) {
        asked.push(bytes.toString("latin1").split("\r\n")[0]!);
        const answer = answers.shift();
        if (answer !== undefined) socket.write(answer);
        if (answer === undefined || answer.endsWith("…")) socket.end();
      },
    },
  });
  const api = new Api({ dial: () => connectDuplex({ unix: path }), address: `unix://${path}` });
  return {
    api,
    asked,
    connections: () => connections,
    [Symbol.dispose]() {
      api[Symbol.dispose]();
      listener.stop(true);
      rmSync(directory, { recursive: true });
    },
  };
}

const ping = (version: string) =>
  `HTTP/1.1 200 OK\r\nApi-Version: ${version}\r\nServer: rt/1 (linux)\r\nContent-Length: 2\r\n\r\nOK`;
const json = (status: number, text: string) =>
  `HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
const get = (path: string) => ({ method: "GET", path }) as const;

test("the version is negotiated once, and a connection serves one request after the other", async () => {
  using engine = engineThatSays(ping("1.99"), json(200, '{"a":1}'), json(200, "[]"));
  expect(await engine.api.json(get("/x"))).toEqual({ a: 1 });
  expect(
    await engine.api.json({ ...get("/y"), query: { all: true, no: false, n: 0, t: ["a", "b c"] } }),
  ).toEqual([]);
  expect(engine.asked).toEqual([
    "GET /_ping HTTP/1.1",
    "GET /v1.51/x HTTP/1.1",
    "GET /v1.51/y?all=1&n=0&t=a&t=b+c HTTP/1.1",
  ]);
  expect(engine.connections()).toBe(1);
  expect(await engine.api.isOurs()).toBe(true);
});

test("an older engine is spoken to in its own version; one that is too old, or none, not at all", async () => {
  using older = engineThatSays(ping("1.41"), json(200, "1"));
  await older.api.json(get("/x"));
  expect(older.asked[1]).toBe("GET /v1.41/x HTTP/1.1");
  for (const answer of [ping("1.12"), ping("x"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]) {
    using wrong = engineThatSays(answer);
    await expect(wrong.api.json(get("/x"))).rejects.toMatchObject({ code: "unsupported" });
  }
});

test("what goes wrong is told by its class", async () => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab…";
  const cases: [answer: string | undefined, expected: object][] = [
    [
      json(404, '{"message":"No such container: x"}'),
      { code: "not-found", exitCode: 1, message: "No such container: x" },
    ],
    [json(409, '{"message":"in use","code":"conflict"}'), { code: "conflict", exitCode: 125 }],
    [json(409, '{"message":"in use","code":"conflict","exitCode":3}'), { code: "conflict", exitCode: 3 }],
    [json(409, '{"message":"in use","code":"conflict","exitCode":-3}'), { code: "conflict", exitCode: 125 }],
    [json(500, "<html>"), { code: "internal", message: "<html>" }],
    [json(301, ""), { code: "internal" }],
    [json(200, "no json"), { code: "data-loss" }],
    [chunked, { code: "data-loss", message: expect.stringContaining("stopped in the middle") }],
    ["220 smtp ready\r\n\r\n", { code: "unavailable", message: expect.stringContaining("speaks no HTTP") }],
    [
      undefined,
      { code: "unavailable", message: expect.stringContaining("closed the connection without an answer") },
    ],
  ];
  for (const [answer, expected] of cases) {
    using engine = engineThatSays(ping("1.51"), ...(answer === undefined ? [] : [answer]));
    await expect(engine.api.json({ method: "POST", path: "/x" })).rejects.toMatchObject(expected);
  }
});

test("nobody is there: the address, and why", async () => {
  const address = "unix:///nosuch/rt.sock";
  const api = new Api({ dial: () => connectDuplex({ unix: "/nosuch/rt.sock" }), address });
  await expect(api.json(get("/x"))).rejects.toMatchObject({
    code: "unavailable",
    message: `cannot connect to the engine at ${address}: is it running? (ENOENT)`,
  });
});

test("who wants no more is told his own reason", async () => {
  using engine = engineThatSays(ping("1.51"), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123");
  await engine.api.version();
  const abort = new AbortController();
  const { body } = await engine.api.send({ ...get("/x"), abort: abort.signal });
  const reading = Array.fromAsync(body);
  abort.abort(new RtError("cancelled", "enough"));
  await expect(reading).rejects.toMatchObject({ code: "cancelled", message: "enough" });
});

test("a name is a part of a path, and leads nowhere else", () => {
  expect(pathOf`/containers/${"a b?"}/json`).toBe("/containers/a%20b%3F/json");
  expect(pathOf`/images/${"team/web:1"}/json`).toBe("/images/team/web%3A1/json");
  expect(pathOf`/containers/${".."}/json`).toBe("/containers/%2E%2E/json");
  expect(() => pathOf`/containers/${""}/json`).toThrow("a name is missing");
});
