/** Volumes over Docker's Engine API. */
import { expect } from "bun:test";
import { apiHost } from "../../support/api.ts";
import { requireRoot } from "../../support/root.ts";

const { test } = requireRoot();
const encode = encodeURIComponent;

test("from its making to its end", async () => {
  await using api = await apiHost();
  const { request, host } = api;
  const made = await request("POST", "/v1.51/volumes/create", { Name: "data", Labels: { a: "b" } });
  const document = {
    ...{ CreatedAt: expect.any(String), Driver: "local", Labels: { a: "b" }, Name: "data" },
    ...{ Mountpoint: `${host.root}/volumes/data/_data`, Options: null, Scope: "local" },
  };
  expect([made.status, made.json]).toEqual([201, document]);
  expect((await request("GET", "/volumes/data")).json).toEqual(document);
  expect((await request("GET", "/volumes")).json).toEqual({ Volumes: [document], Warnings: null });
  const others = await request("GET", `/volumes?filters=${encode('{"label":["c"]}')}`);
  expect(others.json).toEqual({ Volumes: [], Warnings: null });
  expect(await request("PUT", "/volumes/data", {})).toMatchObject({
    status: 503,
    json: { message: "volume update only valid for cluster volumes, but swarm is unavailable" },
  });
  await host.ok(["pull", "-q", "embed:hello"]);
  await host.ok(["create", "--name", "web", "--network", "none", "-v", "data:/d", "embed:hello", "ids"]);
  const used = await request("DELETE", "/volumes/data?force=1");
  expect([used.status, used.json.message]).toEqual([
    409,
    expect.stringMatching(/^remove data: volume is in use - \[[0-9a-f]{64}\]$/),
  ]);
  await host.ok(["rm", "web"]);
  expect((await request("DELETE", "/volumes/data")).status).toBe(204);
  expect((await request("DELETE", "/volumes/data")).json.message).toBe("get data: no such volume");
  expect((await request("DELETE", "/volumes/data?force=1")).status).toBe(204);
});

const refused: [asked: object, status: number, words: string][] = [
  [{ Name: "v/1" }, 400, "invalid characters for a local volume name"],
  [{ Name: "v1", Driver: "other" }, 404, 'plugin "other" not found'],
  [{ Name: "v1", ClusterVolumeSpec: {} }, 503, "not a swarm manager"],
  [{ Name: "v1", DriverOpts: { a: 1 } }, 400, "DriverOpts.a is not text"],
];

test("what is refused, and why", async () => {
  await using api = await apiHost();
  for (const [asked, status, words] of refused) {
    const answer = await api.request("POST", "/volumes/create", asked);
    expect([asked, answer.status, answer.json.message]).toEqual([
      asked,
      status,
      expect.stringContaining(words),
    ]);
  }
});

test("of those that nobody uses the ones without a name go; before 1.42, and where it is said, all", async () => {
  await using api = await apiHost();
  const { request } = api;
  const create = async (Name?: string) => (await request("POST", "/volumes/create", { Name })).json.Name;
  const prune = async (path: string) => (await request("POST", path)).json.VolumesDeleted;
  await create("named");
  const anonymous = await create();
  expect(await prune("/v1.51/volumes/prune")).toEqual([anonymous]);
  expect(await prune("/v1.51/volumes/prune")).toEqual([]);
  expect(await prune(`/v1.51/volumes/prune?filters=${encode('{"all":["true"]}')}`)).toEqual(["named"]);
  await create("named");
  expect(await prune("/v1.41/volumes/prune")).toEqual(["named"]);
  expect((await request("POST", `/volumes/prune?filters=${encode('{"x":["y"]}')}`)).status).toBe(400);
});
