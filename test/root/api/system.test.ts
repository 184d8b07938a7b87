/** What Docker's Engine API tells of the engine itself, and what there is not. */
import { describe, expect } from "bun:test";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { requireRoot } from "../../support/root.ts";
import { until } from "../../support/wait.ts";

const { test } = requireRoot();
const encode = encodeURIComponent;

test("version and info have what Docker's clients read", async () => {
  await using api = await apiHost();
  const version = (await api.request("GET", "/version")).json;
  expect(version).toMatchObject({ ApiVersion: "1.51", MinAPIVersion: "1.24", Os: "linux", GoVersion: "" });
  expect(version.Components[0]).toMatchObject({ Name: "Engine", Details: { ApiVersion: "1.51" } });
  const info = (await api.request("GET", "/info")).json;
  expect(info).toMatchObject({
    ...{ Containers: 0, Images: 0 },
    ...{ DockerRootDir: api.host.root, OSType: "linux", IPv4Forwarding: expect.any(Boolean) },
    Plugins: { Volume: ["local"], Network: expect.arrayContaining(["bridge"]), Authorization: null },
    RegistryConfig: { IndexConfigs: { "docker.io": { Official: true } } },
    Runtimes: { native: { path: expect.any(String) } },
    Swarm: { LocalNodeState: "inactive", ControlAvailable: false },
  });
  expect(info.ID).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect((await api.request("GET", "/info")).json.ID).toBe(info.ID);
});

test("what takes room, whole and by kind", async () => {
  await using api = await apiHost();
  await api.host.ok(["pull", "-q", "embed:hello"]);
  await api.host.ok(["create", "--name", "web", "--network", "none", "-v", "vol:/d", "embed:hello", "ids"]);
  const { json } = await api.request("GET", "/system/df");
  expect(json.LayersSize).toBeGreaterThan(0);
  expect(json.Images).toMatchObject([{ RepoTags: ["embed:hello"], Containers: 1 }]);
  expect(json.Containers).toMatchObject([{ Names: ["/web"], State: "created" }]);
  expect(json.Volumes).toMatchObject([{ Name: "vol", UsageData: { RefCount: 1 } }]);
  expect(json.BuildCache).toEqual([]);
  const part = (await api.request("GET", "/system/df?type=volume&type=container")).json;
  expect(part).toMatchObject({ LayersSize: 0, Images: null, BuildCache: null, Volumes: json.Volumes });
  expect((await api.request("GET", "/v1.41/system/df?type=volume")).json.Images).toHaveLength(1);
  expect((await api.request("GET", "/system/df?type=x")).json.message).toBe("unknown object type: x");
});

describe("events", () => {
  async function tag(api: ApiHost, name: string): Promise<void> {
    expect((await api.request("POST", `/images/embed:hello/tag?repo=${name}`)).status).toBe(201);
  }

  test("of what happens after the answer's head, with all that older clients read", async () => {
    await using api = await apiHost();
    await api.host.ok(["pull", "-q", "embed:hello"]);
    const filters = encode('{"type":{"image":true},"event":["tag"],"scope":["local"]}');
    const answered = await api.open("GET", `/events?filters=${filters}`);
    expect([answered.status, answered.fields.get("content-type")]).toEqual([200, "application/json"]);
    await tag(api, "one");
    const { value } = await answered.body.next();
    answered.wire.destroy();
    expect(JSON.parse(Buffer.from(value!).toString())).toEqual({
      ...{ status: "tag", id: expect.stringMatching(/^sha256:/), Type: "image", Action: "tag" },
      Actor: { ID: expect.stringMatching(/^sha256:/), Attributes: { name: "one:latest" } },
      ...{ scope: "local", time: expect.any(Number), timeNano: expect.any(Number) },
    });
  });

  test("of the past, and to an end", async () => {
    await using api = await apiHost();
    await api.host.ok(["pull", "-q", "embed:hello"]);
    await tag(api, "one");
    const now = Math.ceil(Date.now() / 1000);
    const past = async (query: string) => (await api.request("GET", `/events?${query}`)).text;
    const all = await past(`since=${now - 60}&until=${now}`);
    expect(all.split("\n").filter(Boolean).length).toBeGreaterThanOrEqual(2);
    expect(await past(`until=${now}`)).toBe(all);
    expect(await past(`since=${now - 60}&until=${now - 59}`)).toBe("");
    expect((await api.request("GET", "/events?since=x")).status).toBe(400);
    expect((await api.request("GET", "/events?filters=x")).status).toBe(400);
  });

  test("a client that goes is listened for no longer", async () => {
    await using api = await apiHost();
    const answered = await api.open("GET", "/events");
    expect(api.server.jobs.list()).toHaveLength(1);
    answered.wire.destroy();
    await until("its request is over", () => api.server.jobs.list().length === 0);
  });
});

const noManager = "This node is not a swarm manager. Use";
const absent: [string, string, number, string][] = [
  ...["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/nodes/x", "/tasks/x/logs"].map(
    (path): [string, string, number, string] => ["GET", path, 503, noManager],
  ),
  ["POST", "/services/create", 503, noManager],
  ["POST", "/secrets/create", 503, noManager],
  ["DELETE", "/configs/x", 503, noManager],
  ["POST", "/swarm/leave", 503, "This node is not part of a swarm"],
  ["POST", "/swarm/init", 501, "there is no swarm here"],
  ["GET", "/plugins/a/b/json", 404, 'plugin "a/b" not found'],
  ["POST", "/plugins/x/enable", 404, 'plugin "x" not found'],
  ["DELETE", "/plugins/x", 404, 'plugin "x" not found'],
  ["POST", "/plugins/pull", 501, "there are no plugins here"],
  ["POST", "/build", 501, "there is no builder here"],
  ["POST", "/session", 404, "page not found"],
  ["POST", "/grpc", 404, "page not found"],
];

test("a path may come with its host, as of a client that takes us for a proxy", async () => {
  await using api = await apiHost();
  expect((await api.request("GET", "http://localhost/v1.44/version?x=http://y/")).status).toBe(200);
  expect((await api.request("GET", "http://localhost")).status).toBe(400);
  expect((await api.request("GET", "ftp://localhost/version")).status).toBe(400);
});

test("what there is not, in Docker's words", async () => {
  await using api = await apiHost();
  for (const [method, path, status, words] of absent) {
    const answer = await api.request(method, path);
    expect([path, answer.status, answer.json.message]).toEqual([
      path,
      status,
      expect.stringContaining(words),
    ]);
  }
  expect((await api.request("GET", "/plugins")).json).toEqual([]);
  expect((await api.request("POST", "/build/prune")).json).toEqual({
    CachesDeleted: null,
    SpaceReclaimed: 0,
  });
});
