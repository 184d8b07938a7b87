import { isErrno, RtError } from "../base/errors.ts";
import type { Session, Streams, StreamWishes } from "../engine/session.ts";

/** A caller's streams, whatever he has, until they are disposed of. */
export async function streamsOf(
  { stdio }: Session,
  wanted: StreamWishes,
): Promise<Streams & AsyncDisposable> {
  if (stdio.kind === "descriptors") return await stdio.streams(wanted);
  return { ...stdio, async [Symbol.asyncDispose]() {} };
}

/** The caller's output of what is no program: what nobody reads any more is over, and no failure. */
export async function writeOut(
  session: Session,
  write: (output: Streams["output"]) => Promise<void>,
): Promise<void> {
  await using streams = await streamsOf(session, { raw: false, stdin: false, signals: false });
  try {
    await write((stream, bytes) => streams.output(stream, bytes));
  } catch (error) {
    if (!isErrno(error, "EPIPE")) throw error;
  }
}

/** What the caller has to say, for a verb that reads all of it. */
export async function* inputOf(session: Session): AsyncGenerator<Uint8Array, void> {
  await using streams = await streamsOf(session, { raw: false, stdin: true, signals: false });
  if (streams.stdin) yield* streams.stdin;
}

/**
 * The signal that ends a request: of a caller with descriptors an interrupt ends the whole process, and with it the connection,
 * which is how the engine hears of it.
 */
export function abortOf(session: Session): AbortSignal | undefined {
  return session.stdio.kind === "streams" ? session.abort : undefined;
}

/** What works in the engine's own process only. */
export function onHostAlone(verb: string): RtError {
  return new RtError("unsupported", `${verb} works on the host of the engine alone: run it there`, {
    exitCode: 1,
  });
}
