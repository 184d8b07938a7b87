import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPoststop, writePoststop } from "../../../src/container/poststop.ts";
import { hasPoststop } from "../../../src/container/poststop-file.ts";

const directory = mkdtempSync(join(tmpdir(), "rt-poststop-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("what is due is read as it was written", () => {
  expect([hasPoststop(directory), readPoststop(directory)]).toEqual([false, undefined]);
  const due = { state: '{"id":"a"}', hooks: [{ path: "/h", args: ["h"], env: ["A=b"], timeout: 5000 }] };
  writePoststop(directory, due);
  expect([hasPoststop(directory), readPoststop(directory)]).toEqual([true, due]);
});

test("of a damaged file nothing is run", () => {
  const hook = '{"path":"/h","args":["h"],"timeout":';
  for (const text of ["", "{", "null", "[]", '{"state":1,"hooks":[]}', `{"state":"","hooks":[${hook}-1}]}`]) {
    writeFileSync(join(directory, "poststop"), text);
    expect(readPoststop(directory), text).toBe("damaged");
  }
  rmSync(join(directory, "poststop"));
  mkdirSync(join(directory, "poststop"));
  expect(readPoststop(directory)).toBe("damaged");
});
