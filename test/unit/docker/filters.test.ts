import { describe, expect, test } from "bun:test";
import {
  checkFilters,
  containerFilters,
  type Filters,
  formatFilters,
  hasLabel,
  imageFilters,
  matcher,
  parseFilters,
} from "../../../src/docker/filters.ts";

describe("the API's parameter", () => {
  test.each<[string | undefined, Filters]>([
    [undefined, {}],
    ["", {}],
    ["{}", {}],
    ['{"status":["exited","created"],"label":["a=b"]}', { status: ["exited", "created"], label: ["a=b"] }],
    ['{"label":{"a":true,"b":false,"c=d":true}}', { label: ["a", "c=d"] }],
  ])("%s", (json, filters) => {
    expect(parseFilters(json, containerFilters)).toEqual(filters);
    expect(parseFilters(formatFilters(filters), containerFilters)).toEqual(filters);
  });

  test.each([
    ["{", "not JSON"],
    ["[]", "not a JSON object"],
    ['"name"', "not a JSON object"],
    ['{"name":"x"}', "want lists of texts"],
    ['{"name":[1]}', "want lists of texts"],
    ['{"nam":["x"]}', "invalid filter 'nam': there are ancestor, before,"],
    ['{"__proto__":["x"]}', "invalid filter '__proto__'"],
    ['{"label!":["x"]}', "invalid filter 'label!'"],
    ['{"status":["gone"]}', "invalid filter 'status=gone': want one of created, restarting"],
    ['{"exited":["one"]}', "invalid filter 'exited=one': want a number"],
    ['{"publish":["x"]}', "invalid filter 'publish=x': want a port"],
    ['{"is-task":["x"]}', "comes in a later version"],
    ['{"health":["well"]}', "want one of starting, healthy, unhealthy, none"],
  ])("%s is refused", (json, why) => {
    expect(() => parseFilters(json, containerFilters)).toThrow(why);
  });
});

test("images have label!, containers do not", () => {
  expect(() => checkFilters({ "label!": ["a"] }, imageFilters)).not.toThrow();
  expect(() => checkFilters({ dangling: ["perhaps"] }, imageFilters)).toThrow("want true or false");
});

describe("what they mean", () => {
  const items = ["a", "ab", "abc", "b"];
  const find = (filters: Filters) => {
    const holds = matcher<string>(
      filters,
      (key, value) => (item) => item.includes(value) !== key.endsWith("!"),
    );
    return items.filter(holds);
  };
  test.each<[Filters, string[]]>([
    [{}, items],
    [{ name: [] }, items],
    [{ name: ["a"] }, ["a", "ab", "abc"]],
    [{ name: ["c", "b"] }, ["ab", "abc", "b"]],
    [{ name: ["a"], status: ["b"] }, ["ab", "abc"]],
    [{ label: ["a", "b"] }, ["ab", "abc"]],
    [{ "label!": ["a", "c"] }, ["b"]],
    [{ "label!": ["c"], label: ["a"] }, ["a", "ab"]],
  ])("%j", (filters, wanted) => expect(find(filters)).toEqual(wanted));

  test.each<[string, boolean]>([
    ["tier", true],
    ["tier=db", true],
    ["tier=", false],
    ["tier=d", false],
    ["empty", true],
    ["empty=", true],
    ["x", true],
    ["x=y=z", true],
    ["toString", false],
    ["toString=", false],
  ])("label %s: %p", (wanted, holds) => {
    expect(hasLabel({ tier: "db", empty: "", x: "y=z" }, wanted)).toBe(holds);
  });
});
