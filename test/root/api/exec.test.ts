/** Programs that are executed in containers, through the API. */
import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { framed, held, piecesOf, upgrade } from "../../support/hijack.ts";
import { needs } from "../../support/root.ts";
import { until } from "../../support/wait.ts";

const { test } = needs({ root: true });

async function serving(): Promise<ApiHost> {
  const api = await apiHost();
  await api.host.ok(["run", "-dq", "--network", "none", "--name", "stays", "embed:hello", "sleep", "600"]);
  return api;
}

const attachAll = { AttachStdin: true, AttachStdout: true, AttachStderr: true };

async function created(api: ApiHost, Cmd: string[], more: object = attachAll): Promise<string> {
  const { status, json } = await api.request("POST", "/v1.51/containers/stays/exec", { Cmd, ...more });
  expect(status).toBe(201);
  return json.Id as string;
}

async function opened(api: ApiHost, id: string, body: object = {}) {
  const answered = await api.open("POST", `/v1.51/exec/${id}/start`, { Detach: false, ...body }, upgrade);
  expect(answered.status).toBe(101);
  return held(answered);
}

async function inspected(api: ApiHost, id: string) {
  const { json } = await api.request("GET", `/v1.51/exec/${id}/json`);
  return json;
}

test("created, started, and its status", async () => {
  await using api = await serving();
  const id = await created(api, ["/probe", "stdin-sha256"]);
  expect(await inspected(api, id)).toMatchObject({
    ...{ ID: id, Running: false, ExitCode: null, Pid: 0, OpenStdin: true },
    ProcessConfig: { entrypoint: "/probe", arguments: ["stdin-sha256"], tty: false },
  });
  using client = await opened(api, id);
  await client.wire.write(Buffer.from("abc"));
  client.wire.end();
  const { stdout } = await framed(piecesOf(client.wire));
  expect(stdout).toContain("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(await inspected(api, id)).toMatchObject({ Running: false, ExitCode: 0 });
  const again = await api.request("POST", `/v1.51/exec/${id}/start`, {});
  expect([again.status, again.json.message]).toEqual([409, `exec command ${id} has already run`]);
}, 60_000);

test("exit statuses, outputs of the two kinds, and only those that were asked for", async () => {
  await using api = await serving();
  const said = async (Cmd: string[], more?: object) => {
    const id = await created(api, Cmd, more);
    using client = await opened(api, id);
    const output = await framed(piecesOf(client.wire));
    return { ...output, code: (await inspected(api, id)).ExitCode };
  };
  expect(await said(["/probe", "exit", "7"])).toEqual({ stdout: "", stderr: "", code: 7 });
  expect(await said(["/probe", "stderr", "oops"])).toEqual({ stdout: "", stderr: "oops\n", code: 0 });
  const quiet = { AttachStdout: true };
  expect(await said(["/probe", "stderr", "oops"], quiet)).toEqual({ stdout: "", stderr: "", code: 0 });
  // What cannot be executed says so on the stream, as Docker does, and in its status.
  const missing = await said(["/nothing"]);
  expect(missing).toMatchObject({ stderr: "", code: 127 });
  expect(missing.stdout).toContain("/nothing");
}, 60_000);

test("detached it goes on by itself", async () => {
  await using api = await serving();
  const id = await created(api, ["/probe", "exit", "3"]);
  const { status, text } = await api.request("POST", `/v1.51/exec/${id}/start`, { Detach: true });
  expect([status, text]).toEqual([200, ""]);
  await until("it has ended", async () => (await inspected(api, id)).ExitCode === 3);
  const missing = await created(api, ["/nothing"]);
  const refused = await api.request("POST", `/v1.51/exec/${missing}/start`, { Detach: true });
  expect([refused.status, (await inspected(api, missing)).ExitCode]).toEqual([400, 127]);
}, 60_000);

test("whether its output comes in frames is said at its start, whatever it has", async () => {
  await using api = await serving();
  const id = await created(api, ["/probe", "exit", "3"], { ...attachAll, Tty: true });
  using client = await opened(api, id);
  expect(client.fields.get("content-type")).toBe("application/vnd.docker.multiplexed-stream");
  expect(await framed(piecesOf(client.wire))).toEqual({ stdout: "", stderr: "" });
  const said = await created(api, ["/probe", "args", "word"], { ...attachAll, Tty: true });
  using other = await opened(api, said);
  expect((await framed(piecesOf(other.wire))).stdout).toContain("word\r\n");
}, 60_000);

test("a terminal has the size that it was given before, and those after", async () => {
  await using api = await serving();
  const id = await created(api, ["/probe", "winsize-wait", "1"], { ...attachAll, Tty: true });
  const resize = (h: number, w: number) => api.request("POST", `/v1.51/exec/${id}/resize?h=${h}&w=${w}`);
  expect((await resize(10, 20)).status).toBe(200);
  using client = await opened(api, id, { Tty: true });
  expect(client.fields.get("content-type")).toBe("application/vnd.docker.raw-stream");
  let text = "";
  const reading = (async () => {
    for await (const piece of piecesOf(client.wire)) text += Buffer.from(piece).toString();
  })();
  await until("its first size", () => text.includes("10 20"));
  expect((await resize(30, 40)).status).toBe(200);
  await until("its second size", () => text.includes("30 40"));
  await reading;
  expect((await resize(1, 1)).status).toBe(409);
}, 60_000);

test("a client that goes leaves its program alone, and keys do", async () => {
  await using api = await serving();
  const id = await created(api, ["/probe", "sleep", "600"]);
  (await opened(api, id)).wire.destroy();
  await until("the server has seen it go", () => api.server.connections === 0);
  expect(await inspected(api, id)).toMatchObject({ Running: true });
  const other = await created(api, ["/probe", "sleep", "600"], {
    ...{ ...attachAll, Tty: true, DetachKeys: "ctrl-x,q" },
  });
  using client = await opened(api, other);
  await client.wire.write(Buffer.from([0x18, 0x71]));
  for await (const _ of piecesOf(client.wire));
  expect(await inspected(api, other)).toMatchObject({ Running: true });
}, 60_000);

test("what has ended with its container has its status as long as that is there", async () => {
  await using api = await serving();
  const id = await created(api, ["/probe", "sleep", "600"]);
  using client = await opened(api, id);
  await until("it runs", async () => (await inspected(api, id)).Running);
  expect((await api.request("POST", "/containers/stays/stop?t=0")).status).toBe(204);
  await framed(piecesOf(client.wire));
  const states = join(api.host.state, "containers");
  await until("its container has nothing left", () => readdirSync(states).length === 0);
  expect(await inspected(api, id)).toMatchObject({ ID: id, Running: false, ExitCode: 137, OpenStdin: true });
  expect((await api.request("DELETE", "/containers/stays")).status).toBe(204);
  expect((await api.request("GET", `/exec/${id}/json`)).status).toBe(404);
}, 60_000);

test("Docker's client for Python gets no output with the head, which would be lost on it", async () => {
  await using api = await serving();
  const id = await created(api, ["/probe", "exit", "3"]);
  const fields = { ...upgrade, "User-Agent": "docker-sdk-python/7.1.0" };
  using client = held(await api.open("POST", `/v1.51/exec/${id}/start`, { Detach: false }, fields));
  const began = performance.now();
  await framed(piecesOf(client.wire));
  expect(performance.now() - began).toBeGreaterThan(40);
  expect(await inspected(api, id)).toMatchObject({ ExitCode: 3 });
}, 60_000);

test("what is wrong", async () => {
  await using api = await serving();
  const none = "0".repeat(64);
  const cases: [string, string, object | undefined, number][] = [
    ["POST", "/v1.51/containers/nobody/exec", { Cmd: ["x"] }, 404],
    ["POST", "/v1.51/containers/stays/exec", { Cmd: [] }, 400],
    ["POST", "/v1.51/containers/stays/exec", { Cmd: "sh" }, 400],
    ["POST", "/v1.51/containers/stays/exec", { Cmd: ["x"], DetachKeys: "nonsense" }, 400],
    ["POST", `/v1.51/exec/${none}/start`, {}, 404],
    ["POST", `/v1.51/exec/${none}/start`, { Detach: true }, 404],
    ["POST", `/v1.51/exec/${none}/resize?h=1&w=1`, undefined, 404],
    ["GET", `/v1.51/exec/${none}/json`, undefined, 404],
    ["GET", "/v1.51/exec/..%2f..%2fetc/json", undefined, 404],
  ];
  for (const [method, target, body, status] of cases)
    expect((await api.request(method, target, body)).status, `${method} ${target}`).toBe(status);
  await api.host.ok(["pause", "stays"]);
  expect((await api.request("POST", "/v1.51/containers/stays/exec", { Cmd: ["x"] })).status).toBe(409);
  await api.host.ok(["unpause", "stays"]);
  await api.host.ok(["kill", "stays"]);
  await until("it is over", async () => {
    const { status } = await api.request("POST", "/v1.51/containers/stays/exec", { Cmd: ["x"] });
    return status === 409;
  });
}, 60_000);
