import { describe, expect, test } from "bun:test";
import { type IdRange, rangeText } from "../../../src/base/id-map.ts";
import { checkRanges, cutRanges, parseIdMapping, rangesOf } from "../../../src/settings/id-mapping.ts";

const whole: IdRange[] = [{ container: 0, host: 0, size: 2 ** 32 - 1 }];
/** User 1000 with two ranges. */
const ordinary: IdRange[] = [
  { container: 0, host: 1000, size: 1 },
  { container: 1, host: 100_000, size: 65_536 },
  { container: 65_537, host: 2000, size: 1 },
];

const ranges = (texts: string[], around = whole, fill = false, kind: "uids" | "gids" = "uids") =>
  rangesOf(texts, kind, around, fill).map(rangeText).join(" ");

describe("as it is written", () => {
  const good: [text: string, kept: string][] = [
    ["0:100000:65536", "0:100000:65536"],
    ["7:8", "7:8:1"],
    ["+5:@2000", "+5:@2000:1"],
    ["gu0:1:2", "0:1:2"],
    ["g+0:1:2", "+g0:1:2"],
  ];
  for (const [text, kept] of good) test(text, () => expect(parseIdMapping(text, "--uidmap")).toBe(kept));

  const bad = [
    "",
    ":",
    "0",
    "0:",
    ":0",
    "0:1:0",
    "0:1:x",
    "-1:0:1",
    "0:1:2:3",
    "0:@:1",
    "@0:1:1",
    "x0:1",
    "++0:1",
  ];
  const huge = [
    "4294967295:0",
    "0:4294967295",
    "1:1:4294967295",
    "99999999999:0",
    "0:0:0x10",
    " 0:1",
    "0:1\n",
  ];
  for (const text of [...bad, ...huge])
    test(`not ${JSON.stringify(text)}`, () =>
      expect(() => parseIdMapping(text, "--uidmap")).toThrow(/^invalid --uidmap "[^\n]*": want [^\n]*$/));
});

describe("what it comes to", () => {
  test("in order, and the fewest", () => {
    expect(ranges(["10:110:10", "0:100:10", "40:40:1"])).toBe("0:100:20 40:40:1");
  });
  test("podman's examples of +", () => {
    expect(ranges(["0:0:65000", "+100000:1:1"])).toBe("0:0:1 2:2:64998 100000:1:1");
    expect(ranges(["0:0:65000", "+100000:1:1", "1:65001:1"])).toBe("0:0:1 1:65001:1 2:2:64998 100000:1:1");
  });
  test("+ takes away what either side of it has", () => {
    expect(ranges(["0:1000:10", "+3:1007:2"])).toBe("0:1000:3 3:1007:2 5:1005:2 9:1009:1");
  });
  test("u and g are for their own kind", () => {
    const both = ["0:0:1000", "g2000:2000:1", "u3000:3000:1"];
    expect(ranges(both)).toBe("0:0:1000 3000:3000:1");
    expect(ranges(both, whole, false, "gids")).toBe("0:0:1000 2000:2000:1");
  });
  test("@ is a number of the host's, wherever it is here", () => {
    expect(ranges(["0:@1000", "5:@2000", "10:@100009:3"], ordinary)).toBe("0:0:1 5:65537:1 10:10:3");
    expect(ranges(["0:@70:2"])).toBe("0:70:2");
    expect(() => ranges(["0:@99999:2"], ordinary)).toThrow(/99999 of the host is not ours to give/);
    expect(() => ranges(["0:@165535:2"], ordinary)).toThrow(/165536 of the host is not ours to give/);
  });
  test("an ordinary user's first + is filled with all that is his", () => {
    expect(ranges(["+100000:@2000"], ordinary, true)).toBe("0:0:65537 100000:65537:1");
    expect(ranges(["+7:0:1"], ordinary, true)).toBe("0:1:7 7:0:1 8:8:65530");
  });
});

test("a range that is in several of those around is as many", () => {
  const cut = (texts: string[]) =>
    cutRanges(rangesOf(texts, "uids", ordinary, false), ordinary).map(rangeText);
  expect(cut(["0:0:65538"])).toEqual(["0:0:1", "1:1:65536", "65537:65537:1"]);
  expect(cut(["5:3:10", "100:65530:8"])).toEqual(["5:3:10", "100:65530:7", "107:65537:1"]);
  expect(cutRanges([{ container: 0, host: 0, size: 70_000 }], whole).map(rangeText)).toEqual(["0:0:70000"]);
  expect(cut(["0:70000:5"])).toEqual(["0:70000:5"]);
});

describe("what a namespace cannot have", () => {
  const check = (texts: string[], around = whole) =>
    checkRanges(rangesOf(texts, "gids", around, false), "gids", around);
  test("twice the same of the container's", () =>
    expect(() => check(["0:1:10", "9:100:1"])).toThrow(
      /group 9 of the container is mapped twice: see --gidmap/,
    ));
  test("twice the same of the host's", () =>
    expect(() => check(["0:1:10", "20:10:1"])).toThrow(/group 10 of the host would be two groups/));
  test("what is not ours", () =>
    expect(() => check(["0:1:65536", "70000:65538:1"], ordinary)).toThrow(
      /group 65538 is not ours to give: here are 0-65537: choose others with --gidmap/,
    ));
  test("more than the kernel takes", () => {
    const many = Array.from({ length: 341 }, (_, index) => `${index * 2}:${index * 2}:1`);
    expect(() => check(many)).toThrow(/341 ranges: more than 340 are refused by Linux/);
    check(many.slice(1));
  });
});
