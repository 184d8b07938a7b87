import { expect, test } from "bun:test";
import { callerEnvironment, environmentOf, parseEnvironment } from "../../../src/base/environment.ts";

const parse = (text: string) => parseEnvironment(Buffer.from(text));

test("the strings of execve: values with newlines and =, empty ones; what has no name is nothing", () => {
  const environment = parse("A=1\0B=x=y\nz\0EMPTY=\0=oops\0noequals\0Ü=ß\0LAST=no end");
  expect(environment.all()).toEqual({ A: "1", B: "x=y\nz", EMPTY: "", Ü: "ß", LAST: "no end" });
  expect(environment.get("EMPTY")).toBe("");
  expect(environment.get("noequals")).toBeUndefined();
  expect(environment.get("")).toBeUndefined();
  expect(parse("").all()).toEqual({});
});

test("of a name that comes twice the first counts, as for getenv", () => {
  expect(parse("A=first\0A=second\0").get("A")).toBe("first");
});

test("what rt said to its own start is nobody's", () => {
  expect(parse("RT_HOLDER=1\0A=1\0").all()).toEqual({ A: "1" });
  expect(parse("RT_HOLDER=1\0").get("RT_HOLDER")).toBeUndefined();
});

test("bytes that are not text cannot be handed on by name; a program of the user's loses them", () => {
  const environment = parseEnvironment(Buffer.from("BAD=\xff\0GOOD=1\0", "latin1"));
  expect(() => environment.get("BAD")).toThrow('the environment variable "BAD" is not UTF-8 text');
  expect(environment.get("GOOD")).toBe("1");
  expect(environment.all()).toEqual({ BAD: "�", GOOD: "1" });
});

test("only what is set is set", () => {
  const environment = environmentOf({ A: "1", GONE: undefined });
  expect(environment.all()).toEqual({ A: "1" });
  for (const name of ["GONE", "constructor", "__proto__", "toString"]) {
    expect(environment.get(name)).toBeUndefined();
    expect(callerEnvironment.get(name)).toBeUndefined();
    expect(parse("A=1\0").get(name)).toBeUndefined();
  }
});

test("this process's own is what it was started with, whatever was changed since", () => {
  const script = `
    const { callerEnvironment } = await import(${JSON.stringify(`${import.meta.dir}/../../../src/base/environment.ts`)});
    process.env.GIVEN = "changed"; process.env.LATER = "1";
    console.log(JSON.stringify([callerEnvironment.get("GIVEN"), callerEnvironment.get("LATER"), callerEnvironment.all()]));`;
  const env = { GIVEN: "as given", NODE_NO_WARNINGS: "1" };
  const { stdout } = Bun.spawnSync([process.execPath, "-e", script], { env });
  expect(JSON.parse(stdout.toString())).toEqual(["as given", null, env]);
});
