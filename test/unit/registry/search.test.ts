/** Search: a registry's own, else its catalog; both bounded, and neither believed. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { type FoundRepository, searchRegistry } from "../../../src/registry/search.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";

let registry: FakeRegistry;
beforeEach(async () => {
  registry = await FakeRegistry.start();
});
afterEach(async () => registry[Symbol.asyncDispose]());

const signal = new AbortController().signal;
function search(term: string, countMax = 25, password?: string): Promise<FoundRepository[]> {
  const find = async () =>
    password === undefined ? undefined : { kind: "basic" as const, username: "me", password };
  const limits = { attemptsMax: 1 };
  return searchRegistry(registry.host, term, countMax, {
    config: { registries: new Map() },
    limits,
    find,
    signal,
  });
}

async function refused(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    (value) => new Error(`it was taken: ${JSON.stringify(value)}`),
    (caught: unknown) => caught,
  );
  if (!(error instanceof RtError)) throw error;
  return `${error.code}: ${error.message}`;
}

const jsonType = { "Content-Type": "application/json" };
const found = (name: string) => ({ name, description: "", stars: 0, isOfficial: false, isAutomated: false });

function answer(value: unknown, pattern = /\/v1\/search/): void {
  registry.always(pattern, (_, wire) => wire.reply(200, jsonType, JSON.stringify(value)));
}

test("the first API: what it is asked, what is taken of its answer", async () => {
  answer({
    results: [
      { name: "a/b", description: "d\u001b", star_count: 3, is_official: true, is_automated: "yes", more: 1 },
      { name: "c", description: null },
      { name: "one too many" },
    ],
  });
  expect(await search("x y&n=9", 2)).toEqual([
    { name: `${registry.host}/a/b`, description: "d\u001b", stars: 3, isOfficial: true, isAutomated: false },
    found(`${registry.host}/c`),
  ]);
  expect(registry.seen(/v1/).map(({ path }) => path)).toEqual(["/v1/search?q=x+y%26n%3D9&n=2"]);
});

test("the first API as Docker Hub answers it: what it says besides is nobody's business", async () => {
  const said = { pull_count: 3_282_532_963, is_trusted: false, is_automated: false };
  const results = [
    { name: "mysql", description: "A database.", star_count: 0, is_official: true, ...said },
    { name: "team/mysql", description: "", star_count: 7, is_official: false, ...said },
  ];
  answer({ num_pages: 1237, num_results: 30_925, page_size: 25, page: 1, query: "mysql", results });
  expect(await search("mysql", 25)).toEqual([
    { ...found(`${registry.host}/mysql`), description: "A database.", isOfficial: true },
    { ...found(`${registry.host}/team/mysql`), stars: 7 },
  ]);
});

const lies: [string, unknown, RegExp][] = [
  ["no object", [], /^data-loss: .* is an array: want an object$/],
  ["odd results", { results: 5 }, /^data-loss: .*want an array$/],
  ["an odd name", { results: [{ name: 5 }] }, /^data-loss: .*name is number: want a string$/],
  ["stars that are none", { results: [{ name: "a", star_count: "9" }] }, /^data-loss: .*star_count/],
  ["a long name", { results: [{ name: "a".repeat(1000) }] }, /^data-loss: .*1000 characters$/],
  ["a large answer", { results: ["x".repeat(5 << 20)] }, /^exhausted: /],
];
for (const [what, value, message] of lies) {
  test(`the first API with ${what}`, async () => {
    answer(value);
    expect(await refused(search("x"))).toMatch(message);
  });
}

test("the catalog: names with the term in them, over all pages, up to as many as are wanted", async () => {
  registry.always(/_catalog\?n=1000$/, (_, wire) =>
    wire.reply(
      200,
      { ...jsonType, Link: '</v2/_catalog?last=b&n=1000>; rel="next"' },
      JSON.stringify({ repositories: ["team/WEB", "other"] }),
    ),
  );
  answer({ repositories: ["web2", "x", "web3"] }, /last=b/);
  expect(await search("web")).toEqual(
    ["team/WEB", "web2", "web3"].map((name) => found(`${registry.host}/${name}`)),
  );
  expect(await search("web", 1)).toHaveLength(1);
  expect(registry.seen(/last=b/)).toHaveLength(1);
});

test("a page that is a web page is no search; a catalog that there is not, or that is for others", async () => {
  registry.always(/v1/, (_, wire) => wire.reply(200, { "Content-Type": "text/html" }, "<html>"));
  expect(await refused(search("x"))).toBe(`unsupported: ${registry.host} cannot be searched: it answers 404`);
  registry.always(/_catalog/, (_, wire) => wire.reply(403));
  expect(await refused(search("x"))).toContain("does not let its images be listed");
});

test("a catalog without end, in a circle, or that goes on elsewhere", async () => {
  let page = 0;
  registry.always(/_catalog/, (_, wire) =>
    wire.reply(200, { ...jsonType, Link: `</v2/_catalog?last=${page++}>; rel=next` }, '{"repositories":[]}'),
  );
  expect(await refused(search("x"))).toMatch(/^exhausted: .*more than 100 pages/);
  await using other = await FakeRegistry.start();
  for (const link of [`${other.url}/v2/_catalog`, "//evil.example/x", "/v2/_catalog?n=1000", "http://[bad"]) {
    registry.always(/_catalog/, (_, wire) =>
      wire.reply(200, { ...jsonType, Link: `<${link}>; rel="next"` }, '{"repositories":[]}'),
    );
    expect(await refused(search("x"))).toMatch(/^data-loss: .* goes on at .*: refused$/);
  }
  expect(other.requests).toEqual([]);
});

test("credentials go to the registry that asks for them, and to nobody it redirects to", async () => {
  await using other = await FakeRegistry.start();
  const basic = `Basic ${Buffer.from("me:hunter2").toString("base64")}`;
  registry.always(/_catalog/, (request, wire) =>
    request.headers.get("authorization") === basic
      ? wire.reply(307, { Location: `${other.url}/v2/_catalog` })
      : wire.reply(401, { "WWW-Authenticate": 'Basic realm="x"' }),
  );
  answer({ repositories: ["web"] }, /_catalog$/);
  other.always(/_catalog/, (_, wire) => wire.reply(200, jsonType, '{"repositories":["web"]}'));
  expect(await search("web", 25, "hunter2")).toEqual([found(`${registry.host}/web`)]);
  expect(other.requests.map(({ headers }) => headers.get("authorization"))).toEqual([null]);
});
