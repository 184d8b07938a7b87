/** Networks over Docker's Engine API. */
import { expect } from "bun:test";
import { apiHost } from "../../support/api.ts";
import { requireRoot } from "../../support/root.ts";

const { test } = requireRoot();
const encode = encodeURIComponent;

test("from its making to its end, with a container in it", async () => {
  await using api = await apiHost();
  const { request, host } = api;
  const IPAM = { Driver: "default", Config: [{ Subnet: "10.217.5.0/24", Gateway: "10.217.5.9" }] };
  const asked = { Name: "shop", CheckDuplicate: true, IPAM, Labels: { a: "b" }, EnableIPv4: null };
  const made = await request("POST", "/v1.51/networks/create", asked);
  expect([made.status, made.json]).toEqual([
    201,
    { Id: expect.stringMatching(/^[0-9a-f]{64}$/), Warning: "" },
  ]);
  expect(await request("POST", "/networks/create", asked)).toMatchObject({
    ...{ status: 409, json: { message: "network with name shop already exists" } },
  });
  const { json } = await request("GET", `/networks/${made.json.Id.slice(0, 12)}?verbose=true&scope=local`);
  expect(json).toEqual({
    ...{ Name: "shop", Id: made.json.Id, Created: expect.any(String), Scope: "local", Driver: "bridge" },
    ...{ EnableIPv4: true, EnableIPv6: false, Internal: false, Attachable: false, Ingress: false },
    ...{ ConfigFrom: { Network: "" }, ConfigOnly: false, Containers: {}, Options: {}, Labels: { a: "b" } },
    IPAM: { Options: null, ...IPAM },
  });
  expect((await request("GET", "/networks/shop?scope=swarm")).status).toBe(404);
  const labelled = (await request("GET", `/networks?filters=${encode('{"label":{"a=b":true}}')}`)).json;
  expect(labelled.map(({ Name }: { Name: string }) => Name)).toEqual(["shop"]);

  await host.ok(["pull", "-q", "embed:hello"]);
  await host.ok(["create", "--name", "web", "--network", "none", "embed:hello", "ids"]);
  await host.ok(["create", "--name", "db", "embed:hello", "ids"]);
  const connect = (container: string, EndpointConfig: unknown = null, name = "shop") =>
    request("POST", `/networks/${name}/connect`, { Container: container, EndpointConfig });
  const wish = { IPAMConfig: { IPv4Address: "10.217.5.20" }, Aliases: ["store"], MacAddress: "" };
  expect((await connect("db", wish)).status).toBe(200);
  const inspected = JSON.parse(await host.ok(["inspect", "db"]))[0].NetworkSettings.Networks.shop;
  expect(inspected).toMatchObject({ Aliases: ["store"], IPAMConfig: { IPv4Address: "10.217.5.20" } });
  expect((await connect("web")).status).toBe(400);
  expect((await connect("nobody")).json.message).toBe("No such container: nobody");
  expect((await connect("db", null, "nothing")).status).toBe(404);
  expect((await connect("")).status).toBe(400);
  const leave = (container: string) =>
    request("POST", "/networks/shop/disconnect", { Container: container, Force: false });
  expect((await leave("db")).status).toBe(200);
  expect((await leave("db")).json.message).toContain("is not connected to network shop");

  expect((await request("DELETE", "/networks/shop")).status).toBe(204);
  expect((await request("DELETE", "/networks/shop")).json.message).toBe("network shop not found");
  expect((await request("DELETE", "/networks/host")).status).toBe(403);
});

const refused: [asked: object, status: number, words: string][] = [
  [{}, 400, "invalid name: name is empty"],
  [{ Name: "host" }, 403, "operation is not permitted on predefined host network"],
  [{ Name: "x", Driver: "other" }, 404, "plugin"],
  [{ Name: "x", Scope: "swarm" }, 403, "cannot create a swarm scoped network when swarm is not active"],
  [{ Name: "x", Ingress: true }, 501, "a swarm's"],
  [{ Name: "x", Labels: [] }, 400, "Labels"],
  [{ Name: "x", IPAM: { Config: [{ Subnet: "10.1.0.0" }] } }, 400, "invalid subnet"],
];

test("what is refused, and why", async () => {
  await using api = await apiHost();
  for (const [asked, status, words] of refused) {
    const answer = await api.request("POST", "/networks/create", asked);
    expect([asked, answer.status, answer.json.message]).toEqual([
      asked,
      status,
      expect.stringContaining(words),
    ]);
  }
});

test("a document that nobody could want is a mistake of whoever sends it", async () => {
  await using api = await apiHost();
  const deep = Buffer.from(`{"Name":5,"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`);
  for (const path of ["/networks/create", "/networks/x/connect", "/volumes/create", "/commit", "/auth"])
    expect([path, (await api.request("POST", path, deep)).status]).toEqual([path, 400]);
});

test("those that nobody is in", async () => {
  await using api = await apiHost();
  await api.request("POST", "/networks/create", { Name: "one", Labels: { keep: "" } });
  const keep = encode('{"label!":["keep"]}');
  expect((await api.request("POST", `/networks/prune?filters=${keep}`)).json).toEqual({
    NetworksDeleted: null,
  });
  expect((await api.request("POST", "/networks/prune")).json).toEqual({ NetworksDeleted: ["one"] });
  expect((await api.request("POST", `/networks/prune?filters=${encode('{"x":["y"]}')}`)).status).toBe(400);
});
