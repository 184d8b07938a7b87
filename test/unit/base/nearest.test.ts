import { expect, test } from "bun:test";
import { nearest } from "../../../src/base/nearest.ts";

const words = ["run", "exec", "pull", "inspect", "images", "kill", "rm", "rmi"];

test.each([
  ["rnu", "run"],
  ["exce", "exec"],
  ["pul", "pull"],
  ["inspekt", "inspect"],
  ["image", "images"],
  ["insp", "inspect"],
  ["rmo", "rm"],
])("%s -> %s", (word, expected) => expect(nearest(word, words)).toBe(expected));

test.each(["", "xyzzy", "frobnicate", "a".repeat(10_000), "in"])("%.20s is near nothing", (word) => {
  expect(nearest(word, words)).toBeUndefined();
});
