import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentOf } from "../../../../src/base/environment.ts";
import { RtError } from "../../../../src/base/errors.ts";
import { parseKeyValueFile, requestedEnvironment } from "../../../../src/cli/parse/env.ts";

const none = environmentOf({});

const read = (text: string, caller: Record<string, string> | undefined = {}) =>
  parseKeyValueFile(text, "--env-file f", environmentOf(caller));

test("a file as Docker reads it: no quoting, comments, bare keys", () => {
  const text =
    '\ufeff# comment\n\n  A=1\nB="quoted"\r\nC= spaced \nD=a=b\n\t# more\nHOME\nMISSING\nE=\nF=x # no comment\n';
  expect(read(text, { HOME: "/root" })).toEqual([
    "A=1",
    'B="quoted"',
    "C= spaced ",
    "D=a=b",
    "HOME=/root",
    "E=",
    "F=x # no comment",
  ]);
});

test("a file of labels keeps bare keys", () => {
  expect(parseKeyValueFile("a\nb=1\n", "--label-file f", undefined)).toEqual(["a", "b=1"]);
});

test.each(["A B=1", "=x", "A\tB", "A=\0"])("refused: %j", (line) => {
  expect(() => read(`OK=1\n${line}`)).toThrow(RtError);
  expect(() => read(`OK=1\n${line}`)).toThrow("line 2");
});

test("flags over files, the last of a name in the place of the first, bare keys from the caller", () => {
  const directory = mkdtempSync(join(tmpdir(), "rt-env-"));
  try {
    const file = join(directory, "env");
    writeFileSync(file, "A=file\nB=file\n");
    const merged = requestedEnvironment(
      [file],
      ["A=flag", "TERM", "GONE", "C=tab\there \u001b[1m"],
      environmentOf({ TERM: "xterm" }),
    );
    expect(merged).toEqual(["A=flag", "B=file", "TERM=xterm", "GONE", "C=tab\there \u001b[1m"]);
    writeFileSync(file, Buffer.from([0x41, 0x3d, 0xff]));
    expect(() => requestedEnvironment([file], [], none)).toThrow("not UTF-8");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a newline in a name would forge a second variable; in a value it is the user's", () => {
  expect(() => requestedEnvironment([], ["A\nB=2"], none)).toThrow("has a newline");
  expect(requestedEnvironment([], ["A=1\nB=2"], none)).toEqual(["A=1\nB=2"]);
  expect(requestedEnvironment([], ["A"], environmentOf({ A: "1\nB=2" }))).toEqual(["A=1\nB=2"]);
});

test("a bare key that every JavaScript object has is not a variable", () => {
  expect(requestedEnvironment([], ["constructor", "toString", "__proto__"], none)).toEqual([
    "constructor",
    "toString",
    "__proto__",
  ]);
  expect(read("constructor\nhasOwnProperty")).toEqual([]);
});

test("a file that is not there", () => {
  expect(() => requestedEnvironment(["/nonexistent/env"], [], none)).toThrow(
    "cannot read --env-file: ENOENT",
  );
});
