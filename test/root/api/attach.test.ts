/** POST /containers/X/attach, its WebSocket, and resize: what a program says comes to its clients, to the byte. */
import { expect } from "bun:test";
import type { Duplex } from "../../../src/http/duplex.ts";
import { webSocketAccept } from "../../../src/http/websocket.ts";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { framed, held, piecesOf, upgrade } from "../../support/hijack.ts";
import { needs } from "../../support/root.ts";
import { until } from "../../support/wait.ts";

const { test } = needs({ root: true });
const image = "embed:hello";
const all = "stream=1&stdin=1&stdout=1&stderr=1";

async function create(api: ApiHost, name: string, ...argv: string[]): Promise<void> {
  const at = argv.indexOf("--");
  const [flags, words] = at < 0 ? [[], argv] : [argv.slice(0, at), argv.slice(at + 1)];
  await api.host.ok(["create", "-q", "--network", "none", "--name", name, ...flags, image, ...words]);
}

async function attached(api: ApiHost, name: string, query = all, fields = upgrade) {
  return held(await api.open("POST", `/v1.51/containers/${name}/attach?${query}`, undefined, fields));
}

/** By this process, which has the callers that wait. */
function started(api: ApiHost, name: string): Promise<number> {
  return api.engine.container.start(name, { attach: false, stdin: false, sigProxy: false });
}

test("who attaches ahead of the start has the output from its first byte, however many there are", async () => {
  await using api = await apiHost();
  await create(api, "spews", "spew", "300000");
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => attached(api, "spews", "stream=1&stdout=1")),
  );
  for (const { status, fields } of clients) {
    expect(status).toBe(101);
    expect(fields.get("content-type")).toBe("application/vnd.docker.multiplexed-stream");
  }
  await started(api, "spews");
  const outputs = await Promise.all(clients.map(({ wire }) => framed(piecesOf(wire))));
  for (const { stdout } of outputs) expect(stdout.length).toBe(300_000);
  for (const { wire } of clients) wire.destroy();
}, 60_000);

test("a start of another process is seen", async () => {
  await using api = await apiHost();
  // What it says at once may be over before anybody sees the start; that it waits for somebody to speak is not.
  await create(api, "sums", "-i", "--", "stdin-sha256");
  using client = await attached(api, "sums");
  await client.wire.write(Buffer.from("hello"));
  client.wire.end();
  await api.host.ok(["start", "sums"]);
  const { stdout } = await framed(piecesOf(client.wire));
  expect(stdout).toContain(new Bun.CryptoHasher("sha256").update("hello").digest("hex"));
}, 60_000);

test("who waits for a start that fails does so no longer", async () => {
  await using api = await apiHost();
  await api.host.ok([
    "create",
    "-q",
    "--network",
    "none",
    "--name",
    "cannot",
    "--entrypoint",
    "/nothing",
    image,
  ]);
  using client = await attached(api, "cannot");
  expect(client.status).toBe(101);
  const { status } = await api.request("POST", "/v1.51/containers/cannot/start");
  expect(status).toBeGreaterThanOrEqual(400);
  expect(await framed(piecesOf(client.wire))).toEqual({ stdout: "", stderr: "" });
  await until("its request is over", () => api.server.jobs.list().length === 0);
}, 60_000);

test("stdin to its end, as a half-close says it; without an upgrade 200 and raw", async () => {
  await using api = await apiHost();
  await create(api, "sums", "-i", "--", "stdin-sha256");
  using client = await attached(api, "sums", all, {} as typeof upgrade);
  expect([client.status, client.fields.get("content-type")]).toEqual([
    200,
    "application/vnd.docker.raw-stream",
  ]);
  await started(api, "sums");
  const sent = Buffer.alloc(5_000_000, "0123456789");
  await client.wire.write(sent);
  client.wire.end();
  const { stdout } = await framed(piecesOf(client.wire));
  expect(stdout).toContain(new Bun.CryptoHasher("sha256").update(sent).digest("hex"));
}, 60_000);

test("a client that goes, or reads nothing, has no program killed", async () => {
  await using api = await apiHost();
  await create(api, "lives", "sleep", "600");
  await started(api, "lives");
  {
    using gone = await attached(api, "lives");
    expect(gone.status).toBe(101);
  }
  await until("the server has seen it go", () => api.server.connections === 0);
  const { State } = await api.engine.container.inspect("lives");
  expect(State.Running).toBe(true);
}, 60_000);

test("keys of the client's choice leave a terminal alone, and a terminal takes sizes", async () => {
  await using api = await apiHost();
  await create(api, "sized", "-it", "--", "winsize-wait", "2");
  await started(api, "sized");
  using client = await attached(api, "sized", `${all}&detachKeys=ctrl-a,b`);
  expect(client.fields.get("content-type")).toBe("application/vnd.docker.raw-stream");
  let text = "";
  const reading = (async () => {
    for await (const piece of piecesOf(client.wire)) text += Buffer.from(piece).toString();
  })();
  const resized = await api.request("POST", "/v1.51/containers/sized/resize?h=33&w=77");
  expect([resized.status, resized.text]).toEqual([200, ""]);
  await until("the program sees its size", () => text.includes("33 77"));
  await client.wire.write(Buffer.from([1]));
  await client.wire.write(Buffer.from("b"));
  await reading;
  expect((await api.engine.container.inspect("sized")).State.Running).toBe(true);
}, 60_000);

test("a terminal has the size that its container was made with, before anybody says another", async () => {
  await using api = await apiHost();
  await api.host.ok(["pull", "-q", image]);
  const body = { Image: image, Cmd: ["winsize-wait", "0"], Tty: true, HostConfig: { ConsoleSize: [31, 91] } };
  expect((await api.request("POST", "/v1.51/containers/create?name=made", body)).status).toBe(201);
  using client = await attached(api, "made");
  await started(api, "made");
  expect(await textWith(client.wire, "31 91")).toContain("31 91");
}, 60_000);

test("through a WebSocket", async () => {
  await using api = await apiHost();
  await create(api, "echoes", "-it", "--", "echo");
  await started(api, "echoes");
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const fields = {
    ...{ Connection: "Upgrade", Upgrade: "websocket" },
    ...{ "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13" },
  };
  using client = held(await api.open("GET", `/v1.51/containers/echoes/attach/ws?${all}`, undefined, fields));
  expect(client.status).toBe(101);
  expect(client.fields.get("sec-websocket-accept")).toBe(webSocketAccept(key));
  await client.wire.write(Buffer.from([0x82, 0x83, 0, 0, 0, 0, 0x68, 0x69, 0x0a]));
  expect(await textWith(client.wire, "hi")).toContain("hi");
  const refused = await api.request("GET", `/v1.51/containers/echoes/attach/ws?${all}`);
  expect(refused.status).toBe(400);
}, 60_000);

async function textWith(wire: Duplex, wanted: string): Promise<string> {
  let text = "";
  for await (const piece of piecesOf(wire)) {
    text += Buffer.from(piece).toString("latin1");
    if (text.includes(wanted)) break;
  }
  return text;
}

test("what is wrong is said before the connection is taken", async () => {
  await using api = await apiHost();
  const cases: [string, string, number][] = [
    ["POST", `/v1.51/containers/nobody/attach?${all}`, 404],
    ["POST", "/v1.51/containers/nobody/attach?detachKeys=nonsense", 400],
    ["POST", "/v1.51/containers/nobody/resize?h=1&w=1", 404],
    ["POST", "/v1.51/containers/nobody/resize?h=x&w=1", 400],
    ["POST", "/v1.51/containers/nobody/resize?h=1&w=70000", 400],
  ];
  for (const [method, target, status] of cases)
    expect((await api.request(method, target)).status, target).toBe(status);
  await create(api, "still", "exit", "0");
  expect((await api.request("POST", "/v1.51/containers/still/resize?h=1&w=1")).status).toBe(409);
}, 60_000);

test("fifty clients that read nothing cost what fifty connections cost", async () => {
  await using api = await apiHost();
  await create(api, "pours", "--log-driver", "none", "--", "spew", "200000000");
  const clients = await Promise.all(
    Array.from({ length: 50 }, () => attached(api, "pours", "stream=1&stdout=1")),
  );
  await started(api, "pours");
  const first = await clients[0]!.wire.read();
  expect(first).toBeDefined();
  Bun.gc(true);
  expect(process.memoryUsage.rss()).toBeLessThan(600 << 20);
  for (const { wire } of clients) wire.destroy();
  await until("the server has seen them go", () => api.server.connections === 0);
  // Without a reader it goes on.
  expect(await api.engine.container.wait("pours")).toBe(0);
}, 90_000);
