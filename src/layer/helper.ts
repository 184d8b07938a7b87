import { codeOfErrno, RtError } from "../base/errors.ts";
import { type IdMap, rangeText } from "../base/id-map.ts";
import { helperDescriptor, helperPath } from "../native/helper.ts";

/**
 * rt-layer, the static helper that parses what strangers wrote and walks their trees. Protocol: zig-native/layer.zig.
 *
 *   rt-layer VERB key=value …     answers one JSON line, the last on its standard output
 */

/** `key=value` arguments. Undefined ones are left out, and one of several values is said several times. */
export type HelperArguments = Record<string, string | number | undefined | readonly string[]>;

/** The maps of a container's user namespace, as the helper takes them. */
export function ownerArguments(owners: IdMap | undefined): HelperArguments {
  return owners ? { uids: owners.uids.map(rangeText), gids: owners.gids.map(rangeText) } : {};
}

export interface HelperAnswer {
  ok: true;
  [member: string]: unknown;
}

interface HelperProblem {
  ok: false;
  kind:
    | "malformed"
    | "digest"
    | "limit"
    | "conflict"
    | "missing"
    | "refused"
    | "unmapped"
    | "os"
    | "request"
    | "fault";
  errno: string;
  message: string;
}

/** This layer cannot be applied without its parents: apply it in merged mode. */
export class LayerConflict extends Error {}

export function helperCommand(verb: string, args: HelperArguments): string[] {
  const pairs = Object.entries(args).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return Array.isArray(value) ? value.map((each) => `${key}=${each}`) : `${key}=${value}`;
  });
  return [helperPath("rt-layer"), verb, ...pairs];
}

/**
 * A descriptor for a standard stream that the helper does not use: its own sealed program. Bun's "ignore" would open
 * /dev/null, and a bare kernel has no /dev.
 */
export function nowhere(): number {
  return helperDescriptor("rt-layer");
}

/** Run a verb to its end. @throws RtError: what it says; the reason of `abort`, which ends it */
export async function runHelper(
  verb: string,
  args: HelperArguments,
  abort?: AbortSignal,
): Promise<HelperAnswer> {
  const options = { env: {}, stdin: nowhere(), stderr: nowhere(), killSignal: "SIGKILL" } as const;
  const child = Bun.spawn(helperCommand(verb, args), { ...options, ...(abort && { signal: abort }) });
  const output = await child.stdout.text();
  await child.exited;
  abort?.throwIfAborted();
  return readAnswer(output, endingOf(child));
}

/** How a process ended, for people. */
export function endingOf(child: { signalCode?: unknown; exitCode: number | null }): string {
  return child.signalCode ? `signal ${child.signalCode}` : `exit status ${child.exitCode}`;
}

/** @throws RtError, or LayerConflict */
export function readAnswer(output: string, ending: string): HelperAnswer {
  const line = output.trimEnd().split("\n").at(-1);
  if (!line) throw new RtError("internal", `the layer helper ended without an answer (${ending})`);
  const answer: HelperAnswer | HelperProblem = JSON.parse(line);
  if (answer.ok) return answer;
  throw problemOf(answer);
}

function problemOf({ kind, errno, message }: HelperProblem): Error {
  switch (kind) {
    case "conflict":
      return new LayerConflict(message);
    case "missing":
      return new RtError("not-found", message, { exitCode: 1 });
    case "refused":
      return new RtError("conflict", message, { exitCode: 1 });
    case "unmapped":
      return new RtError("invalid-argument", message);
    case "malformed":
    case "digest":
      return new RtError("data-loss", message);
    case "limit":
      return new RtError("exhausted", message);
    case "fault":
      // A safety check of its own failed, for a reason that nobody has thought of; what it made is removed as ever.
      return new RtError("internal", message);
    case "request":
      return new RtError("internal", `the layer helper: ${message}`);
    case "os":
      return new RtError(codeOfErrno(errno), `${message}: ${meaningOf(errno)}`);
  }
}

function meaningOf(errno: string): string {
  switch (errno) {
    case "ENOSPC":
      return "no space left on the device (ENOSPC)";
    case "EDQUOT":
      return "the disk quota is used up (EDQUOT)";
    case "EPERM":
      return "operation not permitted (EPERM)";
    case "EROFS":
      return "the file system is read-only (EROFS)";
    case "EIO":
      return "input/output error (EIO)";
    default:
      return errno;
  }
}
