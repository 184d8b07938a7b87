import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { parseExecCreate, parseExecStart } from "../../../src/docker/exec-requests.ts";

test("what the command line of Docker sends", () => {
  const body = {
    ...{ User: "", Privileged: false, Tty: true, ConsoleSize: [24, 80], AttachStdin: true },
    ...{ AttachStderr: true, AttachStdout: true, DetachKeys: "", Env: null, WorkingDir: "", Cmd: ["sh"] },
    Detach: false,
  };
  expect(parseExecCreate(body)).toEqual({
    ...{ command: ["sh"], openStdin: true, openStdout: true, openStderr: true, tty: true, env: [] },
    ...{ workingDirectory: "", user: "", privileged: false, detachKeys: "" },
    consoleSize: { rows: 24, columns: 80 },
  });
  const ofTerminal = parseExecStart({ Detach: false, Tty: true, ConsoleSize: [0, 0] });
  expect(ofTerminal).toEqual({ detach: false, tty: true });
  expect(parseExecStart(undefined)).toEqual({ detach: false, tty: false });
  expect(parseExecStart({ Detach: true, Whatever: {} })).toEqual({ detach: true, tty: false });
});

test("what nobody can mean is refused", () => {
  const bodies: unknown[] = [
    ...[undefined, {}, { Cmd: [] }, { Cmd: "sh" }, { Cmd: [1] }, { Cmd: ["a\0b"] }, [], "x", 7],
    ...[
      { Cmd: ["x"], Tty: "yes" },
      { Cmd: ["x"], Env: {} },
      { Cmd: ["x"], ConsoleSize: [1, 2, 3] },
    ],
    ...[
      { Cmd: ["x"], ConsoleSize: [-1, 2] },
      { Cmd: ["x"], ConsoleSize: [1, 70_000] },
    ],
  ];
  for (const body of bodies) expect(() => parseExecCreate(body), JSON.stringify(body)).toThrow(RtError);
  for (const body of [{ Detach: "x" }, [], "x"]) expect(() => parseExecStart(body)).toThrow(RtError);
});
