import { describe, expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { parseSignal } from "../../../src/base/signals.ts";

describe("signals", () => {
  test.each([
    ["TERM", "SIGTERM", 15],
    ["sigkill", "SIGKILL", 9],
    ["1", "SIGHUP", 1],
    ["SIGRTMIN", "SIGRTMIN", 34],
    ["rtmin+3", "SIGRTMIN+3", 37],
    ["RTMAX-1", "SIGRTMIN+29", 63],
    ["64", "SIGRTMAX", 64],
    ["IOT", "SIGABRT", 6],
    ["33", "33", 33],
  ])("%s", (text, name, number) => expect(parseSignal(text)).toEqual({ name, number }));
  test.each(["", "0", "65", "-9", "SIGSIGTERM", "NOPE", "RTMIN-1", "RTMAX+1", "1.5", "toString"])(
    "refused: %j",
    (text) => {
      expect(() => parseSignal(text)).toThrow(RtError);
      expect(() => parseSignal(text)).toThrow("invalid signal");
    },
  );
});
