import { expect, test } from "bun:test";
import { imageHistory } from "../../../src/docker/image-history.ts";

const image = { id: "sha256:1", tags: ["a:1"] };
const step = (created_by: string, more: object = {}) => ({
  created: "2025-01-02T03:04:05Z",
  created_by,
  ...more,
});
const shown = (...args: Parameters<typeof imageHistory>) =>
  imageHistory(...args).map(({ Id, CreatedBy, Size }) => `${Id} ${CreatedBy} ${Size}`);

test("the last step first; one without a layer takes nothing", () => {
  const entries = [step("ADD"), step("ENV", { empty_layer: true, comment: "why" }), step("RUN")];
  expect(imageHistory(image, entries, [10, 20])).toEqual([
    { Id: "sha256:1", Created: 1735787045, CreatedBy: "RUN", Tags: ["a:1"], Size: 20, Comment: "" },
    { Id: "<missing>", Created: 1735787045, CreatedBy: "ENV", Tags: null, Size: 0, Comment: "why" },
    { Id: "<missing>", Created: 1735787045, CreatedBy: "ADD", Tags: null, Size: 10, Comment: "" },
  ]);
});

test("a history of fewer steps than layers, of more, and none at all", () => {
  expect(shown(image, [step("ADD")], [10, 20, 30])).toEqual([
    "sha256:1  30",
    "<missing>  20",
    "<missing> ADD 10",
  ]);
  expect(shown(image, [step("ADD"), step("RUN")], [10])).toEqual(["sha256:1 RUN 0", "<missing> ADD 10"]);
  expect(shown(image, [], [10])).toEqual(["sha256:1  10"]);
  expect(shown(image, [], [])).toEqual([]);
});
