import { expect, test } from "bun:test";
import { defaultSettings } from "../../../src/settings/container-settings.ts";
import {
  maskedPaths,
  patternOf,
  readonlyPaths,
  systemPaths,
  wishesOfLists,
} from "../../../src/settings/system-paths.ts";

const plain = defaultSettings();
const [masked, readonly] = [[...maskedPaths], [...readonlyPaths]];

test("the usual ones, and those of this host", () => {
  expect(systemPaths(plain)).toEqual({ masked, readonly });
  expect(systemPaths(plain, ["/sys/x"]).masked).toEqual([...masked, "/sys/x"]);
});

test("a privileged container has none but those that it is told", () => {
  const settings = { ...plain, privileged: true, mask: ["/a"], readonlyPaths: ["/b"] };
  expect(systemPaths(settings, ["/sys/x"])).toEqual({ masked: ["/a"], readonly: ["/b"] });
});

test("what is to be seen is no more among them, by its name or by a pattern", () => {
  const seen = (...unmask: string[]) => systemPaths({ ...plain, unmask }, ["/sys/devices/x"]);
  expect(seen("ALL")).toEqual({ masked: [], readonly: [] });
  expect(seen("/proc/*")).toEqual({
    masked: ["/sys/firmware", "/sys/devices/virtual/powercap", "/sys/devices/x"],
    readonly: [],
  });
  expect(seen("/proc/kcore", "/proc/sys").masked).toEqual([
    ...masked.filter((path) => path !== "/proc/kcore"),
    "/sys/devices/x",
  ]);
  expect(seen("/proc/sys").readonly).toEqual(readonly.filter((path) => path !== "/proc/sys"));
  expect(seen("/sys/*").masked).toContain("/sys/devices/virtual/powercap");
});

test("of a document that hides nothing that is usual on this host is hidden either", () => {
  const throttled = "/sys/devices/system/cpu/cpu0/thermal_throttle";
  const of = (hidden: string[]) =>
    systemPaths({ ...plain, ...wishesOfLists(hidden, undefined) }, [throttled]);
  expect(of([])).toEqual({ masked: [], readonly });
  expect(of(masked)).toEqual({ masked: [...masked, throttled], readonly });
});

test.each<[string, string, boolean]>([
  ["/proc/*", "/proc/a/b", false],
  ["/proc/?core", "/proc/kcore", true],
  ["/proc/?core", "/proc//core", false],
  ["/proc/[a-k]core", "/proc/kcore", true],
  ["/proc/[^a-k]core", "/proc/kcore", false],
  ["/proc/[^k]core", "/proc//core", false],
  ["/proc/[*^]x", "/proc/^x", true],
  ["/proc/[[]x", "/proc/[x", true],
  ["/proc/\\*", "/proc/*", true],
  ["/proc/\\*", "/proc/kcore", false],
  ["/proc/.core", "/proc/kcore", false],
  ["/proc/(a|b)+$", "/proc/(a|b)+$", true],
  ["/proc/{a,b}", "/proc/{a,b}", true],
])("%s and %s: %p", (pattern, path, matches) => {
  expect(patternOf(pattern).test(path)).toBe(matches);
});

test.each(["/[", "/[]", "/[z-a]", "/\\", "/[^]"])("%s is no pattern", (pattern) => {
  expect(() => patternOf(pattern)).toThrow(SyntaxError);
});
