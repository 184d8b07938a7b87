import { describe, expect, test } from "bun:test";
import { rangeText } from "../../../../src/base/id-map.ts";
import type { UsedIds } from "../../../../src/container/id-store.ts";
import { automaticMap, type Need } from "../../../../src/engine/container/automatic-ids.ts";
import { ownPool, type Pool } from "../../../../src/engine/container/host-ids.ts";
import { type AutoNamespace, userNamespaceOf } from "../../../../src/settings/user-namespace.ts";

const plenty: Pool = { spans: [ownPool], from: "rt's own range" };
const few: Pool = { spans: [{ first: 1, size: 65_536 }], from: "/etc/subuid" };

function map(words: string, pool: Pool, need: Need = { highest: 0 }, used: Partial<UsedIds> = {}): string {
  const asked = userNamespaceOf(words) as AutoNamespace;
  const both = { uids: pool, gids: pool };
  const taken = { uids: [], gids: [], ...used };
  return automaticMap(asked, both, { uids: need, gids: { highest: 0 } }, taken, () => ["web"])
    .uids.map(rangeText)
    .join(" ");
}

describe("how many", () => {
  test("65,536 where there are plenty, and more for an image that needs them", () => {
    expect(map("auto", plenty)).toBe("0:2000683008:65536");
    expect(map("auto", plenty, { highest: 65_535 })).toBe("0:2000683008:65536");
    expect(map("auto", plenty, { highest: 100_000 })).toBe("0:2000683008:100001");
  });
  test("where there are few, what the image needs, and nobody", () => {
    expect(map("auto", few)).toBe("0:1:1024 65534:1025:1");
    expect(map("auto", few, { highest: 5000 })).toBe("0:1:5001 65534:5002:1");
    expect(map("auto", few, { highest: 65_535 })).toBe("0:1:65536");
  });
  test("as many as somebody says", () => {
    expect(map("auto:size=7", plenty)).toBe("0:2000683008:7");
    expect(map("auto:size=2000000", plenty, { highest: 1_999_999 })).toBe("0:2000683008:2000000");
  });
  test("an image that wants a billion has to be asked for", () => {
    expect(() => map("auto", plenty, { highest: 1 << 20, path: "/srv/a\nb" })).toThrow(
      '"/srv/a\\nb" of the image belongs to user 1048576: --userns auto has up to 1048576 ids: ask for more with --userns auto:size=1048577',
    );
  });
});

describe("which", () => {
  test("the first that nobody has, in several ranges where there is no whole one", () => {
    const holes = [
      { first: 1, size: 10 },
      { first: 500, size: 100 },
      { first: 1600, size: 70_000 },
    ];
    expect(map("auto", few, { highest: 0 }, { uids: holes })).toBe("0:11:489 489:600:535 65534:1135:1");
  });
  test("none of those that are asked for besides, on either side", () => {
    expect(map("auto:size=10,uidmapping=3:2000683010:2", plenty)).toBe(
      "0:2000683012:3 3:2000683010:2 5:2000683015:5",
    );
  });
  test("too few: how many, where, and whose the others are", () => {
    const used = { uids: [{ first: 1, size: 65_000 }] };
    expect(() => map("auto", few, { highest: 0 }, used)).toThrow(
      /^no ids for --userns auto: it takes 1025 users, and 536 of 65536 are free \(\/etc\/subuid\), others are those of web: remove/,
    );
  });
});
