import { invalid } from "../base/invalid.ts";
import {
  defaulted,
  flag,
  listOf,
  natural,
  object,
  optional,
  type Shape,
  ShapeError,
  text,
} from "../base/shape.ts";
import { consoleSizeOf } from "./console-size.ts";

/** What POST /containers/ID/exec asks for. */
export interface ExecCreateRequest {
  command: string[];
  openStdin: boolean;
  openStdout: boolean;
  openStderr: boolean;
  tty: boolean;
  env: string[];
  workingDirectory: string;
  user: string;
  privileged: boolean;
  /** As a text: "ctrl-p,ctrl-q"; "" for the usual ones. */
  detachKeys: string;
  consoleSize?: { rows: number; columns: number };
}

const sides = listOf(natural);

const createBody = object({
  Cmd: defaulted(listOf(text), []),
  AttachStdin: defaulted(flag, false),
  AttachStdout: defaulted(flag, false),
  AttachStderr: defaulted(flag, false),
  Tty: defaulted(flag, false),
  Env: defaulted(listOf(text), []),
  WorkingDir: defaulted(text, ""),
  User: defaulted(text, ""),
  Privileged: defaulted(flag, false),
  DetachKeys: defaulted(text, ""),
  ConsoleSize: optional(sides),
});

const startBody = object({
  Detach: defaulted(flag, false),
  Tty: defaulted(flag, false),
  ConsoleSize: optional(sides),
});

/** @throws RtError invalid-argument */
export function parseExecCreate(body: unknown): ExecCreateRequest {
  const asked = read(createBody, body);
  const texts = [...asked.Cmd, ...asked.Env, asked.WorkingDir, asked.User];
  if (texts.some((each) => each.includes("\0"))) throw invalid("the document has a NUL byte");
  if (asked.Cmd.length === 0) throw invalid("No exec command specified");
  return {
    command: asked.Cmd,
    ...{ openStdin: asked.AttachStdin, openStdout: asked.AttachStdout, openStderr: asked.AttachStderr },
    ...{ tty: asked.Tty, env: asked.Env, workingDirectory: asked.WorkingDir, user: asked.User },
    ...{ privileged: asked.Privileged, detachKeys: asked.DetachKeys },
    ...consoleSizeOf(asked.ConsoleSize, "ConsoleSize"),
  };
}

/** Of POST /exec/ID/start. @throws RtError invalid-argument */
export function parseExecStart(body: unknown): {
  detach: boolean;
  /** The output comes without frames; of whether it is a terminal's, that was said when it was made. */
  tty: boolean;
  consoleSize?: { rows: number; columns: number };
} {
  const { Detach: detach, Tty: tty, ConsoleSize } = read(startBody, body);
  return { detach, tty, ...consoleSizeOf(ConsoleSize, "ConsoleSize") };
}

/** What is null is not said. */
function read<T>(shape: Shape<T>, body: unknown): T {
  const said =
    typeof body === "object" && body !== null && !Array.isArray(body) ? Object.entries(body) : undefined;
  try {
    return shape(said ? Object.fromEntries(said.filter(([, value]) => value !== null)) : (body ?? {}), "");
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw invalid(`invalid document: ${error.message}`);
  }
}
