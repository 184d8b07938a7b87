import { expect, test } from "bun:test";
import { parseRestart } from "../../../src/settings/restart.ts";

test.each([
  ["", { name: "no", retries: 0 }],
  ["no", { name: "no", retries: 0 }],
  ["on-failure", { name: "on-failure", retries: 0 }],
  ["on-failure:3", { name: "on-failure", retries: 3 }],
  ["always", { name: "always", retries: 0 }],
  ["unless-stopped", { name: "unless-stopped", retries: 0 }],
] as const)("--restart %s", (text, policy) => {
  expect(parseRestart(text)).toEqual(policy);
});

test.each([
  "never",
  "always:1",
  "no:1",
  "on-failure:",
  "on-failure:-1",
  "on-failure:1:2",
  "on-failure:4294967296",
])("--restart %s is none", (text) => {
  expect(() => parseRestart(text)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
});
