/** Images over Docker's Engine API: their ways here and away, and what is told of them meanwhile. */
import { expect } from "bun:test";
import { fileLayer, imageOf } from "../../cli/image-world.ts";
import { type ApiAnswer, apiHost } from "../../support/api.ts";
import { FakeRegistry, withIndex } from "../../support/fake-registry.ts";
import { requireRoot } from "../../support/root.ts";
import { archive } from "../../support/tar.ts";

const { test } = requireRoot();

/** Of a stream: its lines. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect, and fail where it is not there
function linesOf({ status, text }: ApiAnswer): any[] {
  expect(status).toBe(200);
  return text
    .split("\r\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const auth = (document: object) => ({
  "X-Registry-Auth": Buffer.from(JSON.stringify(document)).toString("base64url"),
});
const encode = encodeURIComponent;

test("a pull tells what docker's terminal shows; again, and by a name that is not there", async () => {
  await using registry = await FakeRegistry.start();
  const name = registry.push("team/app", "1", imageOf([fileLayer("f", 1 << 20)]));
  await using api = await apiHost();
  const pull = (image: string, tag = "1") =>
    api.request("POST", `/v1.51/images/create?fromImage=${encode(image)}&tag=${tag}`);
  const repository = name.slice(0, -2);
  const first = linesOf(await pull(repository));
  expect(first[0]).toEqual({ status: "Pulling from team/app", id: "1" });
  const words = first.map(({ status }) => status);
  for (const word of ["Pulling fs layer", "Downloading", "Download complete", "Pull complete"])
    expect(words).toContain(word);
  const bar = first.find(({ status }) => status === "Downloading");
  expect(bar).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{12}$/) });
  expect(bar.progressDetail.total).toBeGreaterThan(1 << 20);
  expect(words.at(-2)).toMatch(/^Digest: sha256:[0-9a-f]{64}$/);
  expect(words.at(-1)).toBe(`Status: Downloaded newer image for ${name}`);
  expect(linesOf(await pull(repository))).toEqual([
    first[0],
    first.at(-2),
    { status: `Status: Image is up to date for ${name}` },
  ]);
  const missing = await pull(repository, "2");
  expect(missing.status).toBe(404);
  expect(missing.json.message).toMatch(/^manifest for \S+\/team\/app:2 not found: manifest unknown: /);
  expect((await pull("Bad")).status).toBe(400);
  // Files of this host are no image of a client's.
  expect((await pull("docker-archive:/etc/passwd")).status).toBe(400);
});

test("what fails after the head is told in the stream", async () => {
  await using registry = await FakeRegistry.start();
  const layer = fileLayer("f", 100_000);
  const name = registry.push("team/app", "1", imageOf([layer]));
  registry.always(/\/blobs\//, (request, wire) => {
    const isLayer = !Buffer.from(registry.blob(request.path.split("/").at(-1)!)).includes('"rootfs"');
    if (isLayer) wire.reply(404, {}, "");
    else registry.serve(request, wire);
  });
  await using api = await apiHost();
  const lines = linesOf(await api.request("POST", `/images/create?fromImage=${encode(name)}`));
  expect(lines[0]).toEqual({ status: "Pulling from team/app", id: "1" });
  const { message } = lines.at(-1).errorDetail;
  // Besides Docker's two, for our own client: of what kind it is.
  expect(lines.at(-1)).toEqual({
    errorDetail: { message: expect.stringContaining("blob") },
    error: message,
    code: "not-found",
  });
});

test("who the client is, he says himself; this host's own credentials are not his", async () => {
  await using registry = await FakeRegistry.start();
  const name = registry.push("team/app", "1", imageOf([fileLayer("f", 1000)]));
  const wanted = `Basic ${Buffer.from("me:secret").toString("base64")}`;
  registry.always(/./, (request, wire) => {
    if (request.headers.get("authorization") === wanted) registry.serve(request, wire);
    else wire.reply(401, { "WWW-Authenticate": 'Basic realm="r"' }, "");
  });
  await using api = await apiHost();
  const pull = (fields?: Record<string, string>) =>
    api.request("POST", `/images/create?fromImage=${encode(name)}`, undefined, fields);
  const me = { username: "me", password: "secret" };
  for (const refused of [undefined, auth({}), auth({ ...me, password: "x" }), { "X-Registry-Auth": "%%%" }]) {
    const { status, json } = await pull(refused);
    expect(status).toBe(404);
    expect(json.message).toContain("repository does not exist or may require 'docker login': denied: ");
  }
  const distribution = (fields: Record<string, string>) =>
    api.request("GET", `/distribution/${name}/json`, undefined, fields);
  expect((await distribution(auth({}))).status).toBe(401);
  const { json } = await distribution(auth(me));
  expect(json.Descriptor).toMatchObject({ digest: expect.stringMatching(/^sha256:/) });
  expect(json.Platforms).toEqual([{ architecture: "amd64", os: "linux" }]);
  expect(linesOf(await pull(auth(me))).at(-1).status).toContain("Downloaded newer image");

  const login = (body: object) => api.request("POST", "/auth", { ...body, serveraddress: registry.host });
  expect((await login(me)).json).toEqual({ Status: "Login Succeeded", IdentityToken: "" });
  expect((await login({ ...me, password: "x" })).status).toBe(401);
  expect((await login({})).status).toBe(400);
  // Nothing of it is kept.
  expect((await api.host.rt(["pull", "-q", name])).code).not.toBe(0);
});

test("names, documents, an archive and back, a push", async () => {
  await using registry = await FakeRegistry.start();
  await using api = await apiHost();
  const { host, request } = api;
  await host.ok(["pull", "-q", "embed:hello"]);
  const target = encode(`${registry.host}/team/app`);
  expect((await request("POST", `/images/embed:hello/tag?repo=${target}&tag=1`)).status).toBe(201);
  expect((await request("POST", `/images/embed:hello/tag?repo=Bad`)).status).toBe(400);
  expect((await request("POST", `/images/nothing/tag?repo=x`)).status).toBe(404);
  const name = `${registry.host}/team/app:1`;
  const inspected = (await request("GET", `/images/${name}/json`)).json;
  expect(inspected.RepoTags).toContain(name);
  expect(inspected).not.toHaveProperty("VirtualSize");
  expect((await request("GET", `/v1.43/images/${name}/json`)).json).toMatchObject({
    ...{ VirtualSize: inspected.Size, ContainerConfig: { Tty: false, Cmd: null } },
    Config: { ...inspected.Config, Hostname: "", AttachStdin: false },
  });
  // It fails without, and gives a container that it makes anew new volumes.
  const compose = { "User-Agent": "docker-compose/1.29.2 docker-py/5.0.3 Linux/6.1" };
  expect((await request("GET", `/v1.51/images/${name}/json`, undefined, compose)).json).toMatchObject({
    ContainerConfig: { Volumes: inspected.Config.Volumes ?? null },
  });
  const platform = encode('{"os":"linux","architecture":"s390x"}');
  expect((await request("GET", `/images/${name}/json?platform=${platform}`)).status).toBe(404);
  const [listed] = (await request("GET", `/images/json?shared-size=1`)).json;
  expect(listed).toMatchObject({ Id: inspected.Id, SharedSize: 0, Containers: 0 });
  expect((await request("GET", `/images/json`)).json[0].SharedSize).toBe(-1);
  const [whole] = (await request("GET", "/images/json?manifests=1")).json;
  expect(whole.Manifests).toMatchObject([{ Kind: "image", Available: true, ImageData: { Containers: [] } }]);
  expect((await request("GET", `/images/json?filters=${encode('{"x":["y"]}')}`)).status).toBe(400);
  const none = encode('{"reference":["nothing*"]}');
  expect((await request("GET", `/images/json?filters=${none}`)).json).toEqual([]);
  const history = (await request("GET", `/images/${name}/history`)).json;
  expect(history[0]).toMatchObject({ Id: inspected.Id, Tags: expect.arrayContaining([name]) });

  const pushed = linesOf(await request("POST", `/images/${registry.host}/team/app/push?tag=1`));
  expect(pushed[0]).toEqual({ status: `The push refers to repository [${registry.host}/team/app]` });
  expect(pushed.map(({ status }) => status)).toContain("Pushed");
  expect(pushed.at(-1)).toEqual({
    progressDetail: {},
    aux: { Tag: "1", Digest: expect.stringMatching(/^sha256:/), Size: expect.any(Number) },
  });
  expect(linesOf(await request("POST", `/images/${registry.host}/team/other/push?tag=1`)).at(-1).error).toBe(
    `An image does not exist locally with the tag: ${registry.host}/team/other`,
  );

  const saved = await api.open("GET", `/images/get?names=${encode(name)}`);
  expect([saved.status, saved.fields.get("content-type")]).toEqual([200, "application/x-tar"]);
  const bytes = Buffer.concat(await Array.fromAsync(saved.body));
  saved.wire.destroy();
  expect((await request("GET", `/images/nothing/get`)).status).toBe(404);
  const removed = await request("DELETE", `/images/${name}?force=1`);
  expect(removed.json).toContainEqual({ Untagged: name });
  expect((await request("DELETE", `/images/${name}`)).status).toBe(404);
  const loaded = linesOf(await request("POST", "/images/load?quiet=1", new Uint8Array(bytes)));
  expect(loaded).toEqual([{ stream: `Loaded image: ${name}\n` }]);
  const cut = linesOf(await request("POST", "/images/load", new Uint8Array(bytes.subarray(0, 600))));
  expect(cut).toEqual([
    { errorDetail: { message: cut[0].error }, error: expect.any(String), code: "data-loss" },
  ]);
  await request("DELETE", `/images/${name}`);
  await request("DELETE", `/images/embed:hello`);
  const pruned = await request("POST", "/images/prune");
  expect(pruned.json).toMatchObject({ ImagesDeleted: null, SpaceReclaimed: expect.any(Number) });
});

test("an import, and a commit with a config of the client's", async () => {
  await using api = await apiHost();
  const { host, request } = api;
  const tar = archive({ name: "f", content: Buffer.from("x") });
  const changes = `changes=${encode('CMD ["a"]')}&changes=${encode("ENV A=b")}`;
  const [{ status: id }] = linesOf(
    await request("POST", `/images/create?fromSrc=-&repo=imp&tag=1&message=hi&${changes}`, tar),
  );
  const imported = (await request("GET", "/images/imp:1/json")).json;
  expect(imported).toMatchObject({ Id: id, Comment: "hi", Config: { Cmd: ["a"], Env: ["A=b"] } });
  expect((await request("POST", "/images/create?fromSrc=http://127.0.0.1:1/x")).status).toBe(501);
  expect((await request("POST", "/images/create?fromSrc=-&changes=FOO", tar)).json.message).toBe(
    "FOO is not a valid change command",
  );

  await host.ok(["create", "--name", "web", "--network", "none", "imp:1", "b"]);
  const said = { Labels: { x: "y" }, Env: ["A=c", "D=e"], Hostname: "ignored" };
  const commit = (query: string, body: object = said) => request("POST", `/commit?${query}`, body);
  const made = await commit(`container=web&repo=com&tag=1&author=me&comment=co&changes=${encode("ENV D=f")}`);
  expect([made.status, made.json]).toEqual([201, { Id: expect.stringMatching(/^sha256:/) }]);
  const { json } = await request("GET", "/images/com:1/json");
  expect(json).toMatchObject({ Id: made.json.Id, Author: "me", Comment: "co", RepoTags: ["com:1"] });
  expect(json.Config).toMatchObject({ Cmd: ["b"], Labels: { x: "y" } });
  expect(json.Config.Env.toSorted()).toEqual(expect.arrayContaining(["A=c", "D=f"]) as unknown as string[]);
  // Both have the layer that one was made of.
  const both = (await request("GET", "/images/json?shared-size=1")).json;
  expect(
    both.map(({ Size, SharedSize }: { Size: number; SharedSize: number }) => [SharedSize > 0, Size]),
  ).toEqual([
    [true, both[0].SharedSize],
    [true, both[0].SharedSize],
  ]);
  expect((await commit("container=nothing")).status).toBe(404);
  expect((await commit("repo=x")).status).toBe(400);
  expect((await commit("container=web", { Labels: 5 })).status).toBe(400);
  const inUse = await request("DELETE", "/images/imp:1");
  expect(inUse.status).toBe(409);
  expect(inUse.json.message).toContain("conflict: unable to remove repository reference");
});

test("a search", async () => {
  await using registry = await FakeRegistry.start();
  const results = [{ name: "a/b", description: "d", star_count: 3, is_official: true, is_automated: false }];
  registry.always(/\/v1\/search/, (_, wire) =>
    wire.reply(200, { "Content-Type": "application/json" }, JSON.stringify({ results })),
  );
  await using api = await apiHost();
  const search = (query: string) => api.request("GET", `/images/search?${query}`);
  const { json } = await search(`term=${encode(`${registry.host}/b`)}`);
  expect(json).toMatchObject([{ star_count: 3, is_official: true, is_automated: false, description: "d" }]);
  expect((await search("term=x&limit=101")).status).toBe(400);
  expect((await search("term=x&limit=y")).status).toBe(400);
});

test("an image of several platforms, for one that it is not for", async () => {
  await using registry = await FakeRegistry.start();
  const image = imageOf([fileLayer("f", 1000)]);
  const name = registry.push("team/app", "1", withIndex(image, ["amd64", "arm64/v8"]));
  await using api = await apiHost();
  const pull = (platform: string) =>
    api.request("POST", `/images/create?fromImage=${encode(name)}&platform=${encode(platform)}`);
  const none = await pull("linux/s390x");
  expect([none.status, none.json.message]).toEqual([
    404,
    expect.stringMatching(/^no matching manifest in the manifest list entries: .*linux\/s390x/),
  ]);
  expect((await pull("/")).status).toBe(400);
  const { json } = await api.request("GET", `/distribution/${name}/json`);
  expect(json.Platforms).toEqual([
    { architecture: "amd64", os: "linux" },
    { architecture: "arm64", os: "linux", variant: "v8" },
  ]);
});
