import { asSystemError, firstFailure, RtError } from "../../base/errors.ts";
import { visible } from "../../base/visible.ts";
import type { Context } from "../command.ts";
import { OutputClosed } from "./output.ts";

/**
 * Tells the user, in one line. With RT_DEBUG=1 the stacks come before it, causes included.
 *
 * @returns the process's exit status
 */
export function reportError(failure: unknown, context: Context): number {
  const error = firstFailure(failure);
  // The reader of our output has gone: as a program killed by SIGPIPE, but quietly.
  if (error instanceof OutputClosed) return 0;
  try {
    if (context.env.RT_DEBUG === "1") context.stderr.write(stacks(failure));
    context.stderr.write(errorLine(error, context));
  } catch (failure) {
    if (!(failure instanceof OutputClosed)) throw failure;
  }
  return statusOf(error, context);
}

/** As people are told of a failure, with the line's end. Scripts around Docker's command line look for its words. */
export function errorLine(error: unknown, { program }: Pick<Context, "program">): string {
  const message = messageOf(error);
  if (program === "rt") return `rt: ${message}\n`;
  if (!(error instanceof RtError) || error.code === "invalid-argument" || error.code === "cancelled")
    return `docker: ${message.replace(/\(see rt (?=[^()]*--help\)$)/, "(see docker ")}\n`;
  return /^(Cannot connect to|permission denied while|context) /.test(message)
    ? `${message}\n`
    : `Error response from daemon: ${message}\n`;
}

/** Docker's client ends with 1, but for run, whose 125 is known, and for a mistyped flag of any command, which is 125. */
function statusOf(error: unknown, { program, command = "" }: Context): number {
  if (!(error instanceof RtError)) return 125;
  if (program !== "docker" || error.exitCode !== 125) return error.exitCode;
  const isMistyped =
    error.code === "invalid-argument" && /^(unknown|bad) flag |^flag needs /.test(error.message);
  return isMistyped || /^(container )?run$/.test(command) ? 125 : 1;
}

/** @returns one line, in which nothing acts on a terminal */
export function messageOf(error: unknown, user = process.geteuid?.()): string {
  const hint = user !== 0 && isRefused(error) ? " (not root: is a sudo missing?)" : "";
  if (error instanceof RtError) return oneLine(error.message) + hint;
  // ENOSPC or EACCES that nobody gave a phrase to is still the world's fault, and its message names call and path.
  const system = asSystemError(error);
  if (system) return oneLine(system.message) + hint;
  const text = error instanceof Error ? error.message : String(error);
  return `internal error: ${oneLine(text)} (set RT_DEBUG=1 for the stack)`;
}

/** By the system: what needs root anyway says so itself, before it is tried. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof RtError ? firstFailure(error.cause) : error;
  return asSystemError(cause)?.code === "EACCES";
}

/** What a hostile name holds must not reach the terminal. */
function oneLine(text: string): string {
  return visible(text.replace(/\s*\n\s*/g, " ").trim());
}

function stacks(error: unknown): string {
  let text = "";
  for (let cause = error, depth = 0; cause !== undefined && depth < 10; depth++) {
    const stack = cause instanceof Error ? (cause.stack ?? String(cause)) : String(cause);
    const lines = stack.split("\n").map(visible).join("\n");
    text += `${depth > 0 ? "caused by: " : ""}${lines}\n`;
    cause =
      cause instanceof SuppressedError ? cause.suppressed : cause instanceof Error ? cause.cause : undefined;
  }
  return text;
}
