import { expect, test } from "bun:test";
import { initArgv } from "../../../src/cli/process-one.ts";

const inContainer = { isMachine: false, kernelCommandLine: "" };

test("in a container rt is the command that it was called with", () => {
  const words = ["run", "--rm", "alpine"];
  expect(initArgv({ ...inContainer, name: "/usr/bin/rt", words })).toBe(undefined);
  expect(initArgv({ ...inContainer, name: "rt", words: ["init", "--typo"] })).toBe(undefined);
});

test("called init it is init, whatever a kernel adds", () => {
  for (const name of ["/init", "init", "/sbin/init", "/linuxrc"]) {
    expect(initArgv({ ...inContainer, name, words: ["quiet", "splash", "-x", "--typo"] })).toEqual(["init"]);
  }
});

test("what a kernel starts is init under any name", () => {
  const machine = { isMachine: true, kernelCommandLine: "quiet init=/usr/bin/rt ro\n" };
  expect(initArgv({ ...machine, name: "/usr/bin/rt", words: ["splash", "3"] })).toEqual(["init"]);
  expect(initArgv({ ...machine, name: "/usr/bin/rt", words: ["--version"] })).toEqual(["init"]);
  expect(initArgv({ ...machine, name: "/usr/bin/rt", words: ["init", "--config", "/c"] })).toEqual([
    ...["init", "--config", "/c"],
  ]);
});

test("our flags among a kernel's words", () => {
  const words = ["splash", "--config", "/a.toml", "x", "--root=/data", "--storage-driver=copy", "--config"];
  expect(initArgv({ ...inContainer, name: "/init", words })).toEqual([
    ...["init", "--config", "/a.toml", "--root=/data", "--storage-driver=copy"],
  ]);
});

test("rt.config= of the kernel's command line; --config comes after it, and the last one counts", () => {
  const from = (kernelCommandLine: string, words: string[] = []) =>
    initArgv({ name: "/init", words, isMachine: true, kernelCommandLine });
  expect(from("rt.config=/c.toml quiet\n")).toEqual(["init", "--config", "/c.toml"]);
  expect(from("a rt.config=/1 b rt.config=/2\n")).toEqual(["init", "--config", "/2"]);
  expect(from("xrt.config=/c.toml\n")).toEqual(["init"]);
  expect(from("rt.config=/c\n", ["--config=/d"])).toEqual(["init", "--config", "/c", "--config=/d"]);
});
