/**
 * Every failure that rt foresees is an `RtError`: a class (the stable code), and one line for a person that says
 * what failed, why, and what to do. Each layer that lets one pass may prepend one phrase with `withCause`.
 *
 * `cli` maps the class to an exit code (125 unless `exitCode` says otherwise); an HTTP API would map it to a status.
 * Anything that is not an `RtError` is a bug, and is reported as such.
 */

export type ErrorCode =
  | "invalid-argument" // the caller's words are wrong
  | "not-found"
  | "conflict" // it exists already, or is in use
  | "unauthorized"
  | "forbidden" // needs root, or the kernel says EPERM
  | "unavailable" // network, registry, lock: may work later
  | "unsupported" // this kernel, platform or media type cannot do it
  | "data-loss" // digest, size or format is not what was promised
  | "exhausted" // disk, memory, descriptors, limits
  | "cancelled"
  | "internal";

export interface ErrorOptions {
  cause?: unknown;
  /** Process exit status when this ends a command; 126 and 127 come from a program that could not be executed. */
  exitCode?: number;
}

export class RtError extends Error {
  readonly code: ErrorCode;
  readonly exitCode: number;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RtError";
    this.code = code;
    this.exitCode = options.exitCode ?? 125;
  }
}

/** What went wrong first, where clearing up after it failed too (`using` then throws a SuppressedError of both). */
export function firstFailure(error: unknown): unknown {
  let first = error;
  while (first instanceof SuppressedError) first = first.suppressed;
  return first;
}

/** `error` with one phrase in front: `withCause("cannot start container", e)` -> "cannot start container: <e>". */
export function withCause(phrase: string, failure: unknown): RtError {
  const error = firstFailure(failure);
  if (error instanceof RtError) {
    return new RtError(error.code, `${phrase}: ${error.message}`, { cause: error, exitCode: error.exitCode });
  }
  const system = asSystemError(error);
  if (system) return new RtError(codeOfErrno(system.code), `${phrase}: ${system.message}`, { cause: error });
  return new RtError("internal", `${phrase}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}

/** The same failure with another exit status; what is no failure of ours stays as it is. */
export function withExitCode(error: unknown, exitCode: number): unknown {
  return error instanceof RtError
    ? new RtError(error.code, error.message, { cause: error, exitCode })
    : error;
}

/** Said before anything was touched. @param verb what was asked for: "container rm" */
export function needsRoot(verb: string): RtError {
  return new RtError("forbidden", `${verb} needs root: run "sudo rt ${verb} …"`);
}

interface SystemError extends Error {
  code: string;
  path?: string;
}

/** The error as one of the operating system's (has an `E…` code), or undefined. */
export function asSystemError(error: unknown): SystemError | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const code = error.code;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? (error as SystemError) : undefined;
}

/** Is this the operating system's error `code` ("ENOENT")? */
export function isErrno(error: unknown, code: string): boolean {
  return asSystemError(error)?.code === code;
}

export function codeOfErrno(errno: string): ErrorCode {
  switch (errno) {
    case "ENOENT":
      return "not-found";
    case "EEXIST":
    case "EBUSY":
      return "conflict";
    case "EPERM":
    case "EACCES":
    case "EROFS":
      return "forbidden";
    case "ENOSPC":
    case "EDQUOT":
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return "exhausted";
    case "ENOSYS":
    case "EOPNOTSUPP":
    case "EPROTONOSUPPORT":
      return "unsupported";
    case "EINVAL":
      return "invalid-argument";
    default:
      return "unavailable";
  }
}
