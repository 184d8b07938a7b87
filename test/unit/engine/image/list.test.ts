import { expect, test } from "bun:test";
import type { Filters } from "../../../../src/docker/filters.ts";
import { compareLines, imageLines } from "../../../../src/docker/image-summary.ts";
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

async function lines(options: ImagesOptions = {}): Promise<string[]> {
  using store = host();
  const images = await listImages(store.opened, options);
  const all = images.flatMap((image) => imageLines(image).map((line) => ({ ...image, ...line })));
  return all.sort(compareLines).map(({ repository, tag }) => `${repository}:${tag}`);
}

test("one line for each tag, newest first", async () => {
  expect(await lines()).toEqual([
    "ghcr.io/me/young:2",
    "old:1",
    "old:latest",
    "<none>:<none>",
    "bare:<none>",
  ]);
  using store = host();
  expect((await listImages(store.opened))[1]).toEqual({
    id: old.id,
    tags: ["1", "latest"].map((tag) => ({ name: `old:${tag}`, digest: digestOf(old) })),
    digests: [`old@${digestOf(old)}`],
    created: "2024-01-01T00:00:00Z",
    size: 12345,
    labels: { tier: "db", "": "x" },
    containers: 0,
    damaged: false,
  });
  expect((await listImages(store.opened))[0]?.tags).toEqual([{ name: "ghcr.io/me/young:2", digest: "" }]);
});

test.each<[ImagesOptions, string[]]>([
  [{ pattern: "old" }, ["old:1", "old:latest"]],
  [{ pattern: "old:l*" }, ["old:latest"]],
  [{ pattern: "*" }, ["old:1", "old:latest", "<none>:<none>", "bare:<none>"]],
  [{ pattern: "*/*/young" }, ["ghcr.io/me/young:2"]],
  [{ pattern: "ol" }, []],
  [{ pattern: "[no]ld:1" }, ["old:1"]],
  [{ filters: { dangling: ["true"] } }, ["<none>:<none>", "bare:<none>"]],
  [{ filters: { dangling: ["0"] } }, ["ghcr.io/me/young:2", "old:1", "old:latest"]],
  [{ filters: { label: ["tier"] } }, ["old:1", "old:latest"]],
  [{ filters: { label: ["tier=db"], reference: ["*:1"] } }, ["old:1"]],
  [{ filters: { label: ["tier=web"] } }, []],
  [{ filters: { label: ["toString"] } }, []],
  [{ filters: { before: ["ghcr.io/me/young:2"] } }, ["old:1", "old:latest", "<none>:<none>", "bare:<none>"]],
  [{ filters: { since: ["old:1"] } }, ["ghcr.io/me/young:2"]],
  [{ filters: { until: ["2024-01-01T00:00:01Z"] } }, ["old:1", "old:latest", "<none>:<none>", "bare:<none>"]],
  [{ filters: { until: ["2024-01-01T00:00:00Z"] } }, ["<none>:<none>", "bare:<none>"]],
  // Of one key any value may hold, of labels all must.
  [{ filters: { reference: ["*:1", "bare"] } }, ["old:1", "bare:<none>"]],
  [{ filters: { dangling: ["true", "false"], reference: ["old"] } }, ["old:1", "old:latest"]],
  [{ filters: { label: ["tier", "none"] } }, []],
  [{ filters: { label: ["tier", ""] } }, ["old:1", "old:latest"]],
  [{ filters: { "label!": ["tier"] } }, ["ghcr.io/me/young:2", "<none>:<none>", "bare:<none>"]],
  [
    { filters: { "label!": ["tier=web"], dangling: ["false"] } },
    ["ghcr.io/me/young:2", "old:1", "old:latest"],
  ],
  [{ filters: { reference: ["*:1", "*:latest"] }, pattern: "old:1" }, ["old:1"]],
])("%j -> %j", async (options, wanted) => {
  expect(await lines(options)).toEqual(wanted);
});

test.each<[Filters, string]>([
  [{ dangling: ["maybe"] }, "invalid filter 'dangling=maybe': want true or false"],
  [{ size: ["3"] }, "invalid filter 'size'"],
  [{ until: ["soon"] }, "invalid filter 'until=soon': want a time, or how long ago: 24h"],
  [{ containers: ["1"] }, "comes in a later version"],
  [{ since: ["nope"] }, "No such image: nope"],
])("%j is refused", async (filters, why) => {
  expect(lines({ filters })).rejects.toThrow(why);
});
