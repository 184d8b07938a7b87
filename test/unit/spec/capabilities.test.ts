import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { allCapabilities } from "../../../src/settings/capability.ts";
import { defaultCapabilities, resolveCapabilities } from "../../../src/spec/capabilities.ts";

const sorted = (names: readonly string[]) => [...names].sort();

test("the defaults are podman's eleven", () => {
  expect(sorted(resolveCapabilities([], [], false))).toEqual(sorted(defaultCapabilities));
  expect(defaultCapabilities.length).toBe(11);
});

test.each([
  { add: ["CAP_NET_ADMIN"], drop: [], has: ["CAP_NET_ADMIN", "CAP_CHOWN"], not: [] },
  { add: [], drop: ["CAP_CHOWN"], has: ["CAP_KILL"], not: ["CAP_CHOWN"] },
  { add: ["ALL"], drop: ["CAP_SYS_ADMIN"], has: ["CAP_NET_RAW"], not: ["CAP_SYS_ADMIN"] },
  { add: ["CAP_KILL"], drop: ["ALL"], has: ["CAP_KILL"], not: ["CAP_CHOWN"] },
  { add: ["CAP_KILL"], drop: ["CAP_KILL"], has: [], not: ["CAP_KILL"] },
])("add $add drop $drop", ({ add, drop, has, not }) => {
  const result = resolveCapabilities(add, drop, false);
  for (const name of has) expect(result).toContain(name);
  for (const name of not) expect(result).not.toContain(name);
});

test("privileged is everything, whatever is dropped", () => {
  expect(resolveCapabilities([], ["ALL"], true)).toEqual([...allCapabilities]);
});

test("a name that Linux does not have is an error that shows it", () => {
  expect(() => resolveCapabilities(["CAP_FLY"], [], false)).toThrow(RtError);
  expect(() => resolveCapabilities([], ["CAP_FLY"], false)).toThrow("unknown capability CAP_FLY");
});
