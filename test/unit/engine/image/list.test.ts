import { expect, test } from "bun:test";
import { type ImagesOptions, listImages } from "../../../../src/engine/image/list.ts";
import { imageRecord, newImage, scratch } from "../../store/samples.ts";
import { fakeHost } from "../fakes.ts";

const old = imageRecord("old", {
  created: "2024-01-01T00:00:00Z",
  config: { Labels: { tier: "db", "": "x" } },
});
const young = imageRecord("young", { created: "2025-06-01T00:00:00+02:00" });
const bare = imageRecord("bare", { created: "" });
const digestOf = (record: typeof old) => record.manifest.digest;

function host() {
  const dir = scratch();
  const opened = fakeHost(dir.path);
  const old2 = `docker.io/library/old@${digestOf(old)}`;
  opened.images.put(newImage(old, ["docker.io/library/old:1", "docker.io/library/old:latest", old2]));
  opened.images.put(newImage(young, ["ghcr.io/me/young:2"]));
  opened.images.put(newImage(bare, [`docker.io/library/bare@${digestOf(bare)}`]));
  opened.images.put(newImage(imageRecord("nameless", { created: "2020-01-01T00:00:00Z" })));
  const close = () => {
    opened.close();
    dir[Symbol.dispose]();
  };
  return { opened, [Symbol.dispose]: close };
}

function lines(options: ImagesOptions = {}): string[] {
  using store = host();
  return listImages(store.opened, options).map(({ repository, tag }) => `${repository}:${tag}`);
}

test("one line for each tag, newest first", () => {
  expect(lines()).toEqual(["ghcr.io/me/young:2", "old:1", "old:latest", "<none>:<none>", "bare:<none>"]);
  using store = host();
  expect(listImages(store.opened)[1]).toEqual({
    repository: "old",
    tag: "1",
    digest: digestOf(old),
    id: old.id,
    created: "2024-01-01T00:00:00Z",
    size: 12345,
    labels: { tier: "db", "": "x" },
    damaged: false,
  });
  expect(listImages(store.opened)[0]?.digest).toBe("<none>");
});

test.each<[ImagesOptions, string[]]>([
  [{ pattern: "old" }, ["old:1", "old:latest"]],
  [{ pattern: "old:l*" }, ["old:latest"]],
  [{ pattern: "*" }, ["old:1", "old:latest", "<none>:<none>", "bare:<none>"]],
  [{ pattern: "*/*/young" }, ["ghcr.io/me/young:2"]],
  [{ pattern: "ol" }, []],
  [{ pattern: "[no]ld:1" }, ["old:1"]],
  [{ filters: ["dangling=true"] }, ["<none>:<none>", "bare:<none>"]],
  [{ filters: ["dangling=false"] }, ["ghcr.io/me/young:2", "old:1", "old:latest"]],
  [{ filters: ["label=tier"] }, ["old:1", "old:latest"]],
  [{ filters: ["label=tier=db", "reference=*:1"] }, ["old:1"]],
  [{ filters: ["label=tier=web"] }, []],
  [{ filters: ["label=toString"] }, []],
  [{ filters: ["before=ghcr.io/me/young:2"] }, ["old:1", "old:latest", "<none>:<none>", "bare:<none>"]],
  [{ filters: ["since=old:1"] }, ["ghcr.io/me/young:2"]],
])("%j -> %j", (options, wanted) => {
  expect(lines(options)).toEqual(wanted);
});

test.each([
  ["dangling", 'invalid filter "dangling": want KEY=VALUE'],
  ["dangling=maybe", "want true or false"],
  ["size=3", "invalid filter 'size'"],
  ["since=nope", "No such image: nope"],
])("%s is refused", (filter, why) => {
  expect(() => lines({ filters: [filter] })).toThrow(why);
});
