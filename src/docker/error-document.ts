import { type ErrorCode, RtError } from "../base/errors.ts";

/**
 * The body of every answer of the API that is a failure. `code` is ours: several classes share a status. So is `exitCode`, the exit
 * status of a command that this ends, where it is not 125.
 */
export interface ErrorDocument {
  message: string;
  code?: ErrorCode;
  exitCode?: number;
}

const statusOf: Readonly<Record<ErrorCode, number>> = {
  "invalid-argument": 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  unsupported: 501,
  unavailable: 503,
  exhausted: 507,
  "data-loss": 500,
  cancelled: 500,
  internal: 500,
};

/** The class of each status that one class alone has. */
const codeOf = new Map<number, ErrorCode>(
  (Object.keys(statusOf) as ErrorCode[])
    .filter((code) => statusOf[code] !== 500)
    .map((code) => [statusOf[code], code]),
);

/** A failure that nobody foresaw is our fault, and its text is nobody's business. */
export function errorDocument(error: unknown): { status: number; body: ErrorDocument } {
  if (!(error instanceof RtError))
    return { status: 500, body: { message: "internal error", code: "internal" } };
  const { code, message, exitCode } = error;
  return { status: statusOf[code], body: { message, code, ...(exitCode !== 125 && { exitCode }) } };
}

/** @param body what an engine said, which may not be ours, nor say anything: of one that is not the exit status is Docker's, 1 */
export function errorOf(status: number, body: unknown): RtError {
  const { message, code, exitCode } = (typeof body === "object" && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  const text =
    typeof message === "string" && message !== "" ? message : `the engine answered with status ${status}`;
  const isOurs = isErrorCode(code) && statusOf[code] === status;
  if (!isOurs) return new RtError(codeOfStatus(status), text, { exitCode: 1 });
  return new RtError(code, text, { exitCode: isExitCode(exitCode) ? exitCode : 125 });
}

function isExitCode(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 256;
}

function codeOfStatus(status: number): ErrorCode {
  const known = codeOf.get(status);
  if (known) return known;
  if (status === 408 || status === 429 || status === 502 || status === 504) return "unavailable";
  return status >= 400 && status < 500 ? "invalid-argument" : "internal";
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(statusOf, value);
}
