/** What comes over a connection and is no request of anybody's: it is answered or closed, and nobody else waits for it. */
import { expect } from "bun:test";
import type { Duplex } from "../../../src/http/duplex.ts";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { requireRoot } from "../../support/root.ts";
import { until } from "../../support/wait.ts";

const { test } = requireRoot();

/** @returns all that is answered, as text */
async function answerTo(api: ApiHost, ...pieces: (string | Uint8Array)[]): Promise<string> {
  const wire = await api.connect();
  try {
    for (const piece of pieces) {
      if (wire.gone.aborted) break;
      await wire.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
    }
    wire.end();
    return await restOf(wire);
  } finally {
    wire.destroy();
  }
}

async function restOf(wire: Duplex): Promise<string> {
  let text = "";
  for (let piece = await wire.read(); piece; piece = await wire.read())
    text += Buffer.from(piece).toString("latin1");
  return text;
}

const post = (target: string, body: string, length = Buffer.byteLength(body)) =>
  `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;

test("what is no request is 400, and the next client is answered", async () => {
  await using api = await apiHost();
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const deepObject = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  for (const [what, pieces] of [
    ["garbage", ["\x00\x01\x02\x03 nonsense\r\n\r\n"]],
    ["a greeting of TLS", ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"]],
    ["half a request", ["GET /_ping HTTP/1.1\r\nHost"]],
    [
      "10 MB of fields",
      ["GET /_ping HTTP/1.1\r\n", ...Array<string>(160).fill(`A: ${"b".repeat(65_500)}\r\n`)],
    ],
    ["a path with ..", ["GET /containers/../version HTTP/1.1\r\nHost: x\r\n\r\n"]],
    ["one that is encoded", ["GET /containers/%00/json HTTP/1.1\r\nHost: x\r\n\r\n"]],
    ["a NUL in a field", ["GET /_ping HTTP/1.1\r\nHost: x\0y\r\n\r\n"]],
    ["text that is none", ["GET /containers/%ff%fe/json HTTP/1.1\r\nHost: x\r\n\r\n"]],
    ["lists 100,000 deep", [post("/containers/create", deep)]],
    ["objects 100,000 deep", [post("/containers/create", deepObject)]],
    [
      "filters 100,000 deep",
      [`GET /containers/json?filters=${"[".repeat(15_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ],
    ["a body that is no document", [post("/containers/create", "{")]],
    ["one that is shorter than it says", [post("/containers/create", "{}", 100)]],
    [
      "a size that is none",
      ["POST /containers/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    ],
    ["one of another protocol", ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]],
  ] as const) {
    const text = await answerTo(api, ...pieces);
    expect(`${what}: ${text.split("\r\n", 1)[0]}`).toBe(`${what}: HTTP/1.1 400 Bad Request`);
    expect((await api.request("GET", "/_ping")).status).toBe(200);
  }
});

test("a document that is larger than any is refused before it is read", async () => {
  await using api = await apiHost();
  const piece = Buffer.alloc(1 << 20, " ");
  async function* body() {
    for (let count = 0; count < 64; count++) yield piece;
  }
  const { status, json } = await api.request("POST", "/containers/create", body());
  expect([status, json.message]).toEqual([400, "the document is larger than 4 MiB"]);
});

test("a thousand connections that say nothing, and others that say it slowly, keep nobody waiting", async () => {
  await using api = await apiHost();
  const before = api.server.connections;
  const wires: Duplex[] = [];
  try {
    // No more at once than the queue of a socket takes.
    while (wires.length < 1000)
      wires.push(...(await Promise.all(Array.from({ length: 50 }, () => api.connect()))));
    for (const wire of wires.slice(0, 300)) await wire.write(Buffer.from("GET /_ping HT"));
    const start = performance.now();
    expect((await api.request("GET", "/_ping")).status).toBe(200);
    expect((await api.request("GET", "/containers/json")).status).toBe(200);
    expect(performance.now() - start).toBeLessThan(2000);
  } finally {
    for (const wire of wires) wire.destroy();
  }
  await until("they are forgotten", () => api.server.connections === before);
});

test("a client that asks and never reads is not kept in memory", async () => {
  await using api = await apiHost();
  const wire = await api.connect();
  const request = Buffer.from("GET /version HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000));
  let sent = 0;
  try {
    // Until nothing more is taken: the requests wait where they are.
    for (; sent < 100_000; sent += 1000) {
      const full = wire.write(request);
      if (full && (await Promise.race([full.then(() => false), Bun.sleep(500).then(() => true)]))) break;
    }
    // What the kernel and both ends keep of it are some hundred KiB.
    expect(sent).toBeLessThan(50_000);
    expect((await api.request("GET", "/_ping")).status).toBe(200);
  } finally {
    wire.destroy();
  }
  await until("it is forgotten", () => api.server.connections === 0);
});

test("a client that goes with more sent than anybody reads is forgotten", async () => {
  await using api = await apiHost();
  for (let round = 0; round < 5; round++) {
    const { wire } = await api.open("GET", "/events");
    // All of it, and the end, are there when the server next looks.
    void wire.write(new Uint8Array(150_000));
    wire.destroy();
  }
  await until("they have gone", () => api.server.connections === 0);
});

test("a job goes with its client", async () => {
  await using api = await apiHost();
  const { server } = api;
  const { wire } = await api.open("GET", "/rt/jobs");
  wire.destroy();
  await until("it has gone", () => server.jobs.list().length === 0);
  const { status, json } = await api.request("GET", "/v1.51/rt/jobs");
  expect(status).toBe(200);
  expect(json).toEqual([
    { ID: expect.any(Number), Name: "GET /rt/jobs", Target: "/v1.51/rt/jobs", Since: expect.any(String) },
  ]);
});
