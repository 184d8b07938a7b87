import { expect, test } from "bun:test";
import {
  groupUnder,
  isGroupParent,
  isScopePath,
  parseCgroupParent,
  scopeName,
  sliceOf,
  slicePath,
} from "../../../src/settings/cgroup-parent.ts";

const id = "c".repeat(64);

test.each([
  ["", ""],
  ["/", "/"],
  ["/a", "/a"],
  ["a/b", "/a/b"],
  ["//a/.//b/", "/a/b"],
  ["/rt", "/rt"],
  ["/user.slice/x y", "/user.slice/x y"],
])("%j is %j", (text, path) => {
  expect(parseCgroupParent(text, "--cgroup-parent")).toBe(path);
});

test.each(["..", "/a/../b", "/a\n", "/a\0", `/rt/${id}`, `rt//${id}/x`, `/${"a".repeat(181)}`])(
  "%j is refused",
  (text) => {
    expect(() => parseCgroupParent(text, "--cgroup-parent")).toThrow(/^invalid --cgroup-parent [^\n]+$/);
  },
);

test("a damaged file's text is no parent", () => {
  for (const bad of ["", "a", "/a/", "/a//b", "/..", "/a/.", "/a\0"]) expect(isGroupParent(bad)).toBe(false);
  expect([groupUnder("/", id), groupUnder("/a/b", id)]).toEqual([id, `a/b/${id}`]);
});

test("a slice lies in those that its name has before it", () => {
  expect(slicePath("a.slice")).toBe("a.slice");
  expect(slicePath("a-b-c.slice")).toBe("a.slice/a-b.slice/a-b-c.slice");
  expect(["", "/a.slice", "/a-b.slice", "/a.slice/a-b.slice"].map((parent) => sliceOf(parent))).toEqual([
    "system.slice",
    "a.slice",
    "a-b.slice",
    "a-b.slice",
  ]);
  for (const bad of [
    "/",
    "/a",
    "/b.slice/a-b.slice",
    "/-.slice",
    "/a-.slice",
    "/-a.slice",
    "/a--b.slice",
    "/.slice",
    "/a b.slice",
  ])
    expect(() => sliceOf(bad)).toThrow(
      /^invalid --cgroup-parent [^\n]+ it is a slice, as workers-web.slice$/,
    );
});

test("the cgroup that systemd has made of a container is its own scope, in a cgroup", () => {
  expect(isScopePath(`/system.slice/${scopeName(id)}`, id)).toBe(true);
  const other = scopeName("d".repeat(64));
  for (const bad of [
    `/${scopeName(id)}`,
    `/a/${other}`,
    `/../${scopeName(id)}`,
    `a/${scopeName(id)}`,
    "/a",
    "",
  ])
    expect(isScopePath(bad, id)).toBe(false);
});
