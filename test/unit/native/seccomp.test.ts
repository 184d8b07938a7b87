import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { compileFilter } from "../../../src/native/system.ts";
import type { SpecSeccomp } from "../../../src/oci/runtime-spec.ts";
import { writeFilter } from "../../../src/runtime/seccomp-filter.ts";
import { scratchDirectory } from "../../support/scratch.ts";

function compile(profile: object): Uint8Array {
  return compileFilter(Buffer.from(JSON.stringify(profile)));
}

const deny: SpecSeccomp = { defaultAction: "SCMP_ACT_ERRNO", architectures: [], syscalls: [] };

test("a filter's file is a header, with the flags, and instructions of 8 bytes", () => {
  const file = compile(deny);
  expect([file.length % 8, Buffer.from(file.subarray(0, 4)).toString(), file[4]]).toEqual([0, "rtF1", 4]);
  expect(compile({ ...deny, flags: ["SECCOMP_FILTER_FLAG_LOG"] })[4]).toBe(2);
});

test("what is wrong with a profile is said in one line", () => {
  const rule = { names: ["read"], action: "SCMP_ACT_ALLOW" };
  const args = (argument: object) => ({ ...deny, syscalls: [{ ...rule, args: [argument] }] });
  const fine = { index: 0, value: "18446744073709551615", op: "SCMP_CMP_EQ" };
  expect(compile(args(fine)).length).toBeGreaterThan(8);
  for (const [profile, why] of [
    [{}, "it is no profile (MissingField)"],
    [{ ...deny, defaultAction: "SCMP_ACT_DENY" }, "unknown action SCMP_ACT_DENY"],
    [{ ...deny, defaultErrnoRet: 4096 }, "SCMP_ACT_ERRNO with an errnoRet that is too large"],
    [{ ...deny, architectures: ["x86"] }, "unknown architecture x86"],
    [{ ...deny, flags: ["LOG"] }, "unknown flag LOG"],
    [
      { ...deny, syscalls: [{ ...rule, action: "SCMP_ACT_NOTIFY" }] },
      "SCMP_ACT_NOTIFY needs a program that listens, which rt does not start",
    ],
    [args({ ...fine, op: "EQ" }), "unknown comparison EQ"],
    [args({ ...fine, index: 6 }), "SCMP_CMP_EQ of an argument after the sixth: index is 0 to 5"],
    [args({ ...fine, value: "18446744073709551616" }), "it is no profile (Overflow)"],
  ] as const) {
    expect(() => compile(profile)).toThrow(`cannot make a filter of the seccomp profile: ${why}`);
  }
});

test("one that the kernel would not take is refused", () => {
  const names = ["read", "write", "open", "close", "stat", "fstat", "lstat", "poll", "lseek", "mmap"];
  const argument = (value: number) => ({ index: 1, value, op: "SCMP_CMP_EQ" });
  const syscalls = Array.from({ length: 200 }, (_, value) => {
    return { names, action: "SCMP_ACT_ALLOW", args: [argument(value)] };
  });
  expect(() => compile({ ...deny, syscalls })).toThrow(
    "it needs more than the 4096 instructions that the kernel takes",
  );
});

test("a filter that cannot be put into its place leaves nothing", () => {
  const directory = mkdtempSync(join(scratchDirectory(), "rt-filters-"));
  try {
    mkdirSync(join(directory, "key"));
    expect(() => writeFilter(join(directory, "key"), deny)).toThrow("EISDIR");
    expect(readdirSync(directory)).toEqual(["key"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
