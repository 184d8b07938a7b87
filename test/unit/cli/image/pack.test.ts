import { expect, test } from "bun:test";
import RunCommand from "../../../../src/cli/container/run.ts";
import { grammarOf } from "../../../../src/cli/grammar/grammar.ts";
import PackCommand from "../../../../src/cli/image/pack.ts";

/** Flags are kept in the app as they were given to pack, and run parses them there. */
test("pack takes what run takes, and the same values", () => {
  const own = new Set(["--output", "--check", "--detach"]);
  const specs = (command: RunCommand | PackCommand) =>
    grammarOf(command).options.toSorted((a, b) => (a.names.join() < b.names.join() ? -1 : 1));
  const shared = (command: RunCommand | PackCommand) =>
    specs(command).filter(({ names }) => !names.some((name) => own.has(name)));
  expect(shared(new PackCommand())).toEqual(shared(new RunCommand()));
});

test("what is not there yet waits for the same in both", () => {
  expect(PackCommand.later).toEqual(RunCommand.later);
  const { runtime, d } = RunCommand.later as Record<string, string>;
  expect(runtime).toBe("it comes in a later version");
  expect(d).toStartWith("only rt run leaves its program to itself");
});
