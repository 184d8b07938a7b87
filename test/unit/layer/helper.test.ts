import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { LayerConflict, readAnswer, runHelper } from "../../../src/layer/helper.ts";

const answer = (kind: string, errno = "") => JSON.stringify({ ok: false, kind, errno, message: "it" });

function thrown(output: string): unknown {
  try {
    return readAnswer(output, "signal SIGKILL");
  } catch (error) {
    return error;
  }
}

test("the last line is the answer", () => {
  expect(readAnswer('{"event":"streamed"}\n{"ok":true,"entries":3}\n', "")).toEqual({ ok: true, entries: 3 });
});

test("what went wrong has a class and one line", () => {
  const cases: [string, string, string][] = [
    [answer("malformed"), "data-loss", "it"],
    [answer("digest"), "data-loss", "it"],
    [answer("limit"), "exhausted", "it"],
    [answer("os", "ENOSPC"), "exhausted", "it: no space left on the device (ENOSPC)"],
    [answer("os", "EPERM"), "forbidden", "it: operation not permitted (EPERM)"],
    [answer("request"), "internal", "the layer helper: it"],
    [answer("fault"), "internal", "it"],
    ["", "internal", "the layer helper ended without an answer (signal SIGKILL)"],
  ];
  for (const [output, code, message] of cases) {
    const error = thrown(output);
    if (!(error instanceof RtError)) throw new Error(`not an RtError: ${error}`);
    expect([error.code, error.message]).toEqual([code as RtError["code"], message]);
  }
  expect(thrown(answer("conflict"))).toBeInstanceOf(LayerConflict);
});

test("the helper refuses what it does not know", async () => {
  await expect(runHelper("dance", {})).rejects.toThrow("unknown verb");
  await expect(runHelper("copy", { from: "/" })).rejects.toThrow("to= is missing");
});
