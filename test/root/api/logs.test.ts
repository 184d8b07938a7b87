/** GET /containers/X/logs. */
import { expect } from "bun:test";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { framed, held } from "../../support/hijack.ts";
import { needs } from "../../support/root.ts";
import { until } from "../../support/wait.ts";

const { test } = needs({ root: true });

async function ran(api: ApiHost, name: string, ...argv: string[]): Promise<void> {
  await api.host.ok(["run", "-dq", "--network", "none", "--name", name, ...argv]);
  await api.engine.container.wait(name);
}

test("lines, by stream, each in a frame; the last ones; those of a time; with times", async () => {
  await using api = await apiHost();
  await ran(api, "says", "embed:hello", "args", "a", "b");
  const logs = async (query: string) => {
    const answered = held(await api.open("GET", `/v1.51/containers/says/logs?${query}`));
    using _ = answered;
    expect(answered.status).toBe(200);
    expect(answered.fields.get("content-type")).toBe("application/vnd.docker.multiplexed-stream");
    return (await framed(answered.body)).stdout;
  };
  const lines = ["arg 0 /probe\n", "arg 1 args\n", "arg 2 a\n", "arg 3 b\n"];
  expect(await logs("stdout=1")).toBe(lines.join(""));
  expect(await logs("stdout=1&stderr=1&tail=2")).toBe(lines.slice(-2).join(""));
  expect(await logs("stdout=1&tail=0")).toBe("");
  expect(await logs("stdout=1&tail=all&since=0")).toBe(lines.join(""));
  expect(await logs("stderr=1")).toBe("");
  const now = Date.now() / 1000 + 1;
  expect(await logs(`stdout=1&since=${now.toFixed(9)}`)).toBe("");
  expect(await logs("stdout=1&until=1")).toBe("");
  expect(await logs("stdout=1&timestamps=1&tail=1")).toMatch(/^\d{4}-\d\d-\d\dT\S+Z arg 3 b\n$/);
  using raw = held(await api.open("GET", "/v1.41/containers/says/logs?stdout=1&tail=1"));
  expect(raw.fields.get("content-type")).toBe("application/vnd.docker.raw-stream");
  // One line, one frame: there are clients that take one for the other.
  const [piece] = await Array.fromAsync(raw.body);
  expect([...piece!.subarray(0, 8)]).toEqual([1, 0, 0, 0, 0, 0, 0, lines[3]!.length]);
}, 60_000);

test("of a terminal as it is", async () => {
  await using api = await apiHost();
  await ran(api, "typed", "-t", "embed:hello", "args");
  const { fields, text } = await api.request("GET", "/v1.51/containers/typed/logs?stdout=1");
  expect(fields.get("content-type")).toBe("application/vnd.docker.raw-stream");
  expect(text).toBe("arg 0 /probe\r\narg 1 args\r\n");
}, 60_000);

test("what comes, too, until the end; the head is sent before there is anything", async () => {
  await using api = await apiHost();
  const argv = ["run", "-dq", "--network", "none", "--name", "waits", "embed:hello"];
  await api.host.ok([...argv, "signal-wait", "--exit-on", "TERM"]);
  using client = held(await api.open("GET", "/v1.51/containers/waits/logs?stdout=1&follow=1"));
  expect(client.status).toBe(200);
  const read = framed(client.body);
  await api.host.ok(["kill", "-s", "TERM", "waits"]);
  expect((await read).stdout).toContain("TERM");
}, 60_000);

test("who has gone is not followed for any longer", async () => {
  await using api = await apiHost();
  const argv = ["run", "-dq", "--network", "none", "--name", "quiet", "embed:hello"];
  await api.host.ok([...argv, "sleep", "600"]);
  (await api.open("GET", "/v1.51/containers/quiet/logs?stdout=1&follow=1")).wire.destroy();
  await until("its request is over", () => api.server.jobs.list().length === 0);
}, 60_000);

test("what is wrong, and a driver that keeps nothing", async () => {
  await using api = await apiHost();
  await ran(api, "mute", "--log-driver", "none", "embed:hello", "args");
  const asked = async (name: string, query: string) => {
    const { status, json } = await api.request("GET", `/v1.51/containers/${name}/logs?${query}`);
    return [status, json?.message];
  };
  expect(await asked("mute", "stdout=1")).toEqual([
    501,
    "configured logging driver does not support reading",
  ]);
  expect(await asked("mute", "")).toEqual([400, "Bad parameters: you must choose at least one stream"]);
  expect((await asked("mute", "stdout=1&since=nonsense"))[0]).toBe(400);
  expect(await asked("nobody", "stdout=1")).toEqual([404, "No such container: nobody"]);
}, 60_000);
