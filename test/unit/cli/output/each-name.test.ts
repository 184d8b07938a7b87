import { expect, test } from "bun:test";
import { RtError } from "../../../../src/base/errors.ts";
import { runCli } from "../../../../src/cli/cli.ts";
import { fakeEngine } from "../../../support/fake-engine.ts";
import { capture } from "../capture.ts";

test("an interrupt is no failure of one name: it is the end, with its own status", async () => {
  const wait = async () => {
    throw new RtError("cancelled", "interrupted", { exitCode: 130 });
  };
  const context = { ...capture(), openEngine: fakeEngine({ container: { wait } }).open };
  expect(await runCli(["wait", "one", "two"], context)).toBe(130);
  expect(context.stderr.text).toBe("rt: interrupted\n");
});
