import { expect, test } from "bun:test";
import { invalid } from "../../../src/base/invalid.ts";
import { categoriesOf, parseLabelOption, selinuxLabels } from "../../../src/settings/selinux.ts";

const policy = {
  process: "system_u:system_r:container_t:s0",
  file: "system_u:object_r:container_file_t:s0",
};

test("the policy's own, with a level of the container's", () => {
  expect(selinuxLabels([], policy, "c1,c2")).toEqual({
    process: "system_u:system_r:container_t:s0:c1,c2",
    file: "system_u:object_r:container_file_t:s0:c1,c2",
  });
});

test.each<[string[], string, string]>([
  [["type:web_t"], "system_u:system_r:web_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2"],
  [
    ["filetype:web_file_t"],
    "system_u:system_r:container_t:s0:c1,c2",
    "system_u:object_r:web_file_t:s0:c1,c2",
  ],
  [["level:s0:c7"], "system_u:system_r:container_t:s0:c7", "system_u:object_r:container_file_t:s0:c7"],
  [["user:u", "role:r"], "u:r:container_t:s0:c1,c2", "u:object_r:container_file_t:s0:c1,c2"],
])("%p", (options, process, file) => {
  expect(selinuxLabels(options, policy, "c1,c2")).toEqual({ process, file });
});

test("none at all, and none with a level where the policy has no levels", () => {
  expect(selinuxLabels(["type:a", "disable"], policy, "c1,c2")).toBe(undefined);
  expect(selinuxLabels([], { process: "u:r:t", file: "u:o:f" }, "c1,c2")).toEqual({
    process: "u:r:t",
    file: "u:o:f",
  });
});

test("two categories of 1024, the smaller one first, from the id", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const id = new Bun.CryptoHasher("sha256").update(String(i)).digest("hex");
    const [first, second] = /^c(\d+),c(\d+)$/.exec(categoriesOf(id))!.slice(1).map(Number);
    expect(first!).toBeLessThan(second!);
    expect(second!).toBeLessThan(1024);
    seen.add(categoriesOf(id));
  }
  expect(seen.size).toBeGreaterThan(1980);
  expect(categoriesOf("ab".repeat(32))).toBe(categoriesOf("ab".repeat(32)));
});

test("what is no label", () => {
  const parse = (text: string) => parseLabelOption(text, (why) => invalid(why));
  for (const fine of ["disable", "type:a_t", "level:s0-s0:c0.c1023", "user:u", "role:r", "filetype:f"])
    expect(parse(fine)).toBe(fine);
  for (const bad of [
    "",
    "x",
    "type:",
    "type",
    "nosuch:a",
    "type:a:b",
    "level:s0 c1",
    "nested",
    "constructor:a",
  ])
    expect(() => parse(bad)).toThrow();
});
