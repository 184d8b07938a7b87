import { describe, expect, test } from "bun:test";
import { rangeText } from "../../../src/base/id-map.ts";
import {
  checkConfiguredNamespace,
  checkUserNamespace,
  keptRanges,
  parseUsernsMode,
  userNamespaceOf,
} from "../../../src/settings/user-namespace.ts";

const silent = { usernsMode: "", uidMap: [], gidMap: [], subuidName: "", subgidName: "" };

test("each mode", () => {
  expect(userNamespaceOf("")).toEqual({ kind: "" });
  expect(userNamespaceOf("auto")).toEqual({ kind: "auto", uids: [], gids: [] });
  expect(userNamespaceOf("auto:size=9,uidmapping=1:2:3,uidmapping=7:@8,gidmapping=4:5")).toEqual({
    ...{ kind: "auto", size: 9, uids: ["1:2:3", "7:@8"], gids: ["4:5"] },
  });
  expect(userNamespaceOf("keep-id:uid=200,gid=210,size=1000")).toEqual({
    ...{ kind: "keep-id", uid: 200, gid: 210, size: 1000 },
  });
  expect(userNamespaceOf("container:web")).toEqual({ kind: "container", container: "web" });
  expect(userNamespaceOf("ns:/proc/7/ns/user")).toEqual({ kind: "ns", path: "/proc/7/ns/user" });
});

describe("others are refused in a line", () => {
  const bad = [
    "Host",
    "autox",
    "auto:",
    "auto:size",
    "auto:size=",
    "auto:size=0",
    "auto:size=-1",
    "auto:size=1k",
  ];
  const more = ["auto:size=4294967295", "auto:size=1,size=2", "auto:foo=1", "auto:uidmapping=0", "auto:,"];
  const flags = ["auto:uidmapping=+0:1:1", "auto:gidmapping=g0:1:1", "auto:uidmapping=0:1:0"];
  const kept = ["keep-id:", "keep-id:uid=root", "keep-id:uid=4294967295", "keep-id:size=0", "keep-id:x=1"];
  const joined = [
    "container:",
    "ns:",
    "ns:relative",
    "nomap:x",
    "private:x",
    "remapped",
    "auto\n",
    "auto:size=1\n",
  ];
  for (const text of [...bad, ...more, ...flags, ...kept, ...joined])
    test(JSON.stringify(text), () =>
      expect(() => parseUsernsMode(text, "--userns")).toThrow(/^invalid --userns [^\n]+$/),
    );
});

test("what cannot be had together", () => {
  for (const usernsMode of ["host", "auto", "keep-id", "container:x", "ns:/x"]) {
    const both = { ...silent, usernsMode, subuidName: "web" };
    expect(() => checkUserNamespace(both)).toThrow(/^conflicting options: --userns [a-z-]+ and --uidmap/);
  }
  expect(() => checkUserNamespace({ ...silent, usernsMode: "private" })).toThrow(
    /--userns private needs a map/,
  );
  checkUserNamespace({ ...silent, usernsMode: "private", gidMap: ["0:1:1"] });
  checkUserNamespace({ ...silent, uidMap: ["0:1:1"] });
});

test("the configuration's is not for what is to have the host's", () => {
  const plain = { privileged: false, pidMode: "", networkMode: "bridge" };
  checkConfiguredNamespace(plain);
  const refused = (more: Partial<typeof plain>, words: RegExp) =>
    expect(() => checkConfiguredNamespace({ ...plain, ...more })).toThrow(words);
  refused({ privileged: true }, /^privileged mode is incompatible with user namespaces: .*--userns=host/);
  refused({ pidMode: "host" }, /^cannot share the host PID namespace when user namespaces are enabled/);
  refused({ networkMode: "host" }, /^cannot share the host's network namespace when user namespaces/);
});

test("keep-id as podman has it", () => {
  const text = (...each: Parameters<typeof keptRanges>) =>
    keptRanges(...each)
      .map(rangeText)
      .join(" ");
  expect(text(1000, 65_536, undefined)).toBe("0:1:1000 1000:0:1 1001:1001:64536");
  expect(text(0, 65_536, undefined)).toBe("0:0:1 1:1:65536");
  expect(text(100_000, 65_536, undefined)).toBe("0:1:65536 100000:0:1");
  expect(text(1000, 65_536, 1024)).toBe("0:1:1000 1000:0:1 1001:1001:23");
  expect(text(1000, 65_536, 1)).toBe("1000:0:1");
  expect(text(1000, 0, undefined)).toBe("1000:0:1");
});
