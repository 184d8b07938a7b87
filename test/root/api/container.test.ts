/** Containers over Docker's Engine API: what is asked, and the status, the words and the documents of the answer. */
import { expect } from "bun:test";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { requireRoot } from "../../support/root.ts";
import { until } from "../../support/wait.ts";

const { test } = requireRoot();

const image = "embed:hello";

/** With an image. */
async function serving(): Promise<ApiHost> {
  const api = await apiHost();
  await api.host.ok(["pull", "-q", image]);
  return api;
}

async function create(api: ApiHost, name: string, body: object): Promise<string> {
  const asked = { Image: image, HostConfig: { NetworkMode: "none" }, ...body };
  const { status, json } = await api.request("POST", `/v1.51/containers/create?name=${name}`, asked);
  expect([status, json]).toEqual([201, { Id: expect.stringMatching(/^[0-9a-f]{64}$/), Warnings: [] }]);
  return json.Id;
}

test("from its making to its end", async () => {
  await using api = await serving();
  const id = await create(api, "web", { Cmd: ["sleep", "600"], Labels: { a: "b" } });
  const say = async (method: string, what: string) =>
    (await api.request(method, `/v1.51/containers/web${what}`)).status;
  expect(await say("POST", "/stop")).toBe(304);
  expect(await say("POST", "/start")).toBe(204);
  expect(await say("POST", "/start")).toBe(304);
  expect((await api.request("GET", "/containers/json")).json).toMatchObject([
    { Id: id, Names: ["/web"], Image: image, State: "running", Labels: { a: "b" } },
  ]);
  expect(await say("POST", "/pause")).toBe(204);
  expect(await say("POST", "/unpause")).toBe(204);
  expect(await say("POST", "/rename?name=other")).toBe(204);
  expect(await say("GET", "/json")).toBe(404);
  const { json: inspected } = await api.request("GET", `/containers/${id.slice(0, 12)}/json`);
  expect(inspected).toMatchObject({ Id: id, Name: "/other", State: { Status: "running", Running: true } });
  const { json: top } = await api.request("GET", "/containers/other/top?ps_args=-o%20pid,comm");
  expect(top.Titles).toEqual(["PID", "COMMAND"]);
  expect(top.Processes).toHaveLength(1);
  expect((await api.request("POST", "/containers/other/restart?t=0")).status).toBe(204);
  expect((await api.request("POST", "/containers/other/stop?t=0")).status).toBe(204);
  expect((await api.request("DELETE", "/containers/other")).status).toBe(204);
  expect((await api.request("GET", "/containers/json?all=1")).json).toEqual([]);
});

test("waiting says so before it is over, and then the exit status", async () => {
  await using api = await serving();
  await create(api, "fails", { Cmd: ["exit", "7"] });
  const next = await api.open("POST", "/containers/fails/wait?condition=next-exit");
  expect([next.status, next.fields.get("content-type")]).toEqual([200, "application/json"]);
  const removed = await api.open("POST", "/containers/fails/wait?condition=removed");
  expect((await api.request("POST", "/containers/fails/start")).status).toBe(204);
  expect(await documentOf(next)).toEqual({ StatusCode: 7 });
  expect((await api.request("POST", "/containers/fails/wait")).json).toEqual({ StatusCode: 7 });
  // It runs once more before it goes.
  expect((await api.request("POST", "/containers/fails/start")).status).toBe(204);
  await api.request("POST", "/containers/fails/wait");
  expect((await api.request("DELETE", "/containers/fails")).status).toBe(204);
  expect(await documentOf(removed)).toEqual({ StatusCode: 7 });
});

test("a container that is removed by itself is waited for to the end", async () => {
  await using api = await serving();
  const HostConfig = { AutoRemove: true, NetworkMode: "none" };
  for (const condition of ["next-exit", "removed"]) {
    await create(api, condition, { Cmd: ["exit", "9"], HostConfig });
    const waiting = await api.open("POST", `/containers/${condition}/wait?condition=${condition}`);
    expect((await api.request("POST", `/containers/${condition}/start`)).status).toBe(204);
    expect([condition, await documentOf(waiting)]).toEqual([condition, { StatusCode: 9 }]);
    const isGone = async () => (await api.request("GET", `/containers/${condition}/json`)).status === 404;
    await until(`${condition} is gone`, isGone);
  }
});

test("an end is one, also where a restart policy starts it again", async () => {
  await using api = await serving();
  const HostConfig = { RestartPolicy: { Name: "always" }, NetworkMode: "none" };
  await create(api, "again", { Cmd: ["exit", "7"], HostConfig });
  await api.host.ok(["start", "again"]);
  expect((await api.request("POST", "/containers/again/wait")).json).toEqual({ StatusCode: 7 });
  expect((await api.request("DELETE", "/containers/again")).status).toBe(409);
  expect((await api.request("POST", "/containers/again/stop")).status).toBe(204);
  expect((await api.request("POST", "/containers/again/wait")).json).toEqual({ StatusCode: 7 });
});

test("who waits and goes is waited with no longer", async () => {
  await using api = await serving();
  await create(api, "stays", { Cmd: ["sleep", "600"] });
  await api.request("POST", "/containers/stays/start");
  const waiting = await Promise.all(
    ["not-running", "next-exit", "removed"].map((condition) =>
      api.open("POST", `/containers/stays/wait?condition=${condition}`),
    ),
  );
  expect(api.server.jobs.list()).toHaveLength(3);
  for (const { wire } of waiting) wire.destroy();
  await until("no job is left", () => api.server.jobs.list().length === 0);
});

test("what is changed of its files, and of its limits", async () => {
  await using api = await serving();
  await create(api, "plain", { Cmd: ["exit", "0"] });
  expect((await api.request("GET", "/containers/plain/changes")).json).toBeNull();
  const RestartPolicy = { Name: "on-failure", MaximumRetryCount: 3 };
  const changed = await api.request("POST", "/containers/plain/update", { CpuShares: 512, RestartPolicy });
  expect([changed.status, changed.json]).toEqual([200, { Warnings: null }]);
  const { json } = await api.request("GET", "/containers/plain/json");
  expect(json.HostConfig).toMatchObject({ CpuShares: 512, RestartPolicy });
});

test("stats: a document, or one after the other until the client goes", async () => {
  await using api = await serving();
  await create(api, "busy", { Cmd: ["sleep", "600"] });
  const still = await api.request("GET", "/containers/busy/stats?stream=0");
  expect(still.json).toMatchObject({ name: "/busy", memory_stats: {}, num_procs: 0 });
  await api.request("POST", "/containers/busy/start");
  const once = await api.request("GET", "/containers/busy/stats?stream=0&one-shot=1");
  expect(once.json).toMatchObject({ preread: "0001-01-01T00:00:00Z", pids_stats: { current: 1 } });
  const { body, wire } = await api.open("GET", "/containers/busy/stats");
  let text = "";
  for await (const piece of body) {
    text += Buffer.from(piece).toString();
    if (text.split("\n").length > 2) break;
  }
  wire.destroy();
  const [first, second] = text.split("\n").map((line) => (line ? JSON.parse(line) : undefined));
  expect(second.preread).toBe(first.read);
  await until("no job is left", () => api.server.jobs.list().length === 0);
});

test("prune takes what does not run", async () => {
  await using api = await serving();
  const id = await create(api, "old", { Cmd: ["exit", "0"], Labels: { of: "mine" } });
  await create(api, "kept", { Cmd: ["exit", "0"] });
  const filters = encodeURIComponent(JSON.stringify({ label: { "of=mine": true } }));
  const { json } = await api.request("POST", `/containers/prune?filters=${filters}`);
  expect(json).toMatchObject({ ContainersDeleted: [id] });
  const none = await api.request("POST", `/containers/prune?filters=${filters}`);
  expect(none.json).toEqual({ ContainersDeleted: null, SpaceReclaimed: 0 });
});

test("lists: a limit and a state mean all, and the documents are whole", async () => {
  await using api = await serving();
  await create(api, "over", { Cmd: ["exit", "3"] });
  await create(api, "fresh", { Cmd: ["exit", "0"] });
  await api.request("POST", "/containers/over/start");
  await api.request("POST", "/containers/over/wait");
  const names = async (query: string): Promise<string[]> =>
    (await api.request("GET", `/v1.51/containers/json${query}`)).json.map(
      ({ Names }: { Names: string[] }) => Names[0],
    );
  const filtered = (filters: object) => `?filters=${encodeURIComponent(JSON.stringify(filters))}`;
  expect(await names("")).toEqual([]);
  expect(await names("?limit=1")).toEqual(["/fresh"]);
  expect(await names("?limit=-1")).toEqual([]);
  expect(await names(filtered({ status: ["exited"] }))).toEqual(["/over"]);
  expect(await names(`${filtered({ exited: ["3"] })}&all=true`)).toEqual(["/over"]);
  const { json } = await api.request("GET", "/v1.51/containers/json?all=1&size=1");
  expect(json[0]).toMatchObject({
    ...{ Names: ["/fresh"], ImageID: expect.stringMatching(/^sha256:/), Ports: [], Labels: {}, Mounts: [] },
    ...{ State: "created", Status: "Created", HostConfig: { NetworkMode: "none" } },
    NetworkSettings: { Networks: { none: { EndpointID: "", IPAddress: "", DNSNames: null } } },
    SizeRootFs: expect.any(Number),
  });
});

test("in the host's network host-gateway is the host itself", async () => {
  await using api = await serving();
  const HostConfig = { NetworkMode: "host", ExtraHosts: ["host.docker.internal:host-gateway"] };
  await create(api, "web", { Cmd: ["cat", "/etc/hosts"], HostConfig });
  expect(await api.host.ok(["start", "-a", "web"])).toEndWith("127.0.0.1\thost.docker.internal\n");
});

test("what cannot be is told in Docker's words, with Docker's status", async () => {
  await using api = await serving();
  const id = await create(api, "web", { Cmd: ["sleep", "600"] });
  const told = async (method: string, path: string, body?: object) => {
    const { status, json, fields } = await api.request(method, `/v1.51${path}`, body);
    return [status, json?.message, fields.get("content-type")];
  };
  const type = "application/json";
  const taken = `Conflict. The container name "/web" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`;
  const rows: [method: string, path: string, body: object | undefined, status: number, message: string][] = [
    ["POST", "/containers/create", { Image: "none:1" }, 404, "No such image: none:1"],
    ["POST", "/containers/create?name=web", { Image: image }, 409, taken],
    [
      "POST",
      "/containers/create?name=a%20b",
      { Image: image },
      400,
      "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    ],
    ["POST", "/containers/create", [], 400, "invalid container: record is not a map"],
    ["POST", "/containers/create", { Image: image, Cmd: 1 }, 400, "invalid container: Cmd is not a list"],
    [
      "POST",
      "/containers/create",
      { Image: image, HostConfig: { NetworkMode: "x1" } },
      400,
      "network x1 not found",
    ],
    // Clients would take what is not found for the image, and pull it.
    ...(
      [
        [{ VolumesFrom: ["none"] }, "No such container: none"],
        [{ NetworkMode: "container:none" }, "No such container: none"],
        [{ Devices: [{ PathOnHost: "/dev/none" }] }, "no such device /dev/none on the host"],
        [
          { Mounts: [{ Type: "bind", Source: "/none/1", Target: "/x" }] },
          'invalid mount config for type "bind": bind source path does not exist: /none/1',
        ],
      ] as const
    ).map(([HostConfig, message]): [string, string, object, number, string] => [
      "POST",
      "/containers/create",
      { Image: image, HostConfig: { NetworkMode: "none", ...HostConfig } },
      400,
      message,
    ]),
    [
      "POST",
      "/containers/web/kill",
      undefined,
      409,
      `cannot kill container: web: container ${id} is not running`,
    ],
    ["POST", "/containers/web/pause", undefined, 409, `container ${id} is not running`],
    ["POST", "/containers/web/wait?condition=x", undefined, 400, 'invalid condition: "x"'],
    ["POST", "/containers/web/stop?t=x", undefined, 400, 'invalid t "x": want an integer'],
    ["POST", "/containers/web/rename", undefined, 400, "Neither old nor new names may be empty"],
    [
      "POST",
      "/containers/web/update",
      { Memory: 1 },
      400,
      "invalid Memory 1: Minimum memory limit allowed is 6MB",
    ],
    ["POST", "/containers/web/update", { Memory: "a" }, 400, "invalid update: Memory is not an integer"],
    ["GET", "/containers/web/top", undefined, 409, `container ${id} is not running`],
    ["GET", "/containers/web/stats?one-shot=1", undefined, 400, "cannot have stream=true and one-shot=true"],
    ["GET", "/containers/json?limit=x", undefined, 400, 'invalid limit "x": want an integer'],
    ["POST", "/containers/none/start", undefined, 404, "No such container: none"],
    ["POST", "/containers/none/stop", undefined, 404, "No such container: none"],
    ["POST", "/containers/none/restart", undefined, 404, "No such container: none"],
    ["POST", "/containers/none/kill", undefined, 404, "cannot kill container: none: No such container: none"],
    ["POST", "/containers/none/pause", undefined, 404, "No such container: none"],
    ["POST", "/containers/none/unpause", undefined, 404, "No such container: none"],
    ["POST", "/containers/none/wait", undefined, 404, "No such container: none"],
    ["POST", "/containers/none/wait?condition=removed", undefined, 404, "No such container: none"],
    ["POST", "/containers/none/update", {}, 404, "No such container: none"],
    ["POST", "/containers/none/rename?name=other", undefined, 404, "No such container: none"],
    ["GET", "/containers/none/json", undefined, 404, "No such container: none"],
    ["GET", "/containers/none/top", undefined, 404, "No such container: none"],
    ["GET", "/containers/none/changes", undefined, 404, "No such container: none"],
    ["GET", "/containers/none/stats", undefined, 404, "No such container: none"],
    ["DELETE", "/containers/none?force=1", undefined, 404, "No such container: none"],
  ];
  for (const [method, path, body, status, message] of rows)
    expect([method, path, ...(await told(method, path, body))]).toEqual([
      method,
      path,
      status,
      message,
      type,
    ]);
  await api.request("POST", "/containers/web/start");
  expect(await told("DELETE", "/containers/web")).toEqual([
    409,
    'cannot remove container "web": container is running: stop the container before removing or force remove',
    type,
  ]);
  const plain = { "Content-Type": "text/plain" };
  const { json } = await api.request("POST", "/containers/create", Buffer.from("{}"), plain);
  expect(json.message).toBe("unsupported Content-Type header (text/plain): must be 'application/json'");
});

test("a program that is not there is a mistake of who asked for it", async () => {
  await using api = await serving();
  await create(api, "nothing", { Entrypoint: ["/nosuch"], Cmd: [] });
  const { status, json } = await api.request("POST", "/containers/nothing/start");
  expect([status, json.message]).toEqual([400, expect.stringContaining("/nosuch")]);
  await create(api, "once", {
    Entrypoint: ["/nosuch"],
    HostConfig: { AutoRemove: true, NetworkMode: "none" },
  });
  const removed = await api.open("POST", "/containers/once/wait?condition=removed");
  expect((await api.request("POST", "/containers/once/start")).status).toBe(400);
  expect(await documentOf(removed)).toMatchObject({ StatusCode: expect.any(Number) });
  expect((await api.request("GET", "/containers/once/json")).status).toBe(404);
});

async function documentOf({ body, wire }: Awaited<ReturnType<ApiHost["open"]>>): Promise<unknown> {
  let text = "";
  for await (const piece of body) text += Buffer.from(piece).toString();
  wire.destroy();
  return JSON.parse(text);
}
