import { RtError } from "./errors.ts";

/** Calls `listener` when `signal` is aborted, until disposed of. */
export function onAbort(signal: AbortSignal, listener: () => void): Disposable {
  signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}

/** Why what `signal` ends has failed: what whoever aborted it has said, else as from a program that SIGINT ended. */
export function cancellation({ reason }: AbortSignal, cause: unknown = reason): RtError {
  return reason instanceof RtError ? reason : new RtError("cancelled", "cancelled", { cause, exitCode: 130 });
}

/** The answer, unless `signal` comes first. What is asked for goes on then, and nobody hears of how it ends. */
export async function abortable<T>(
  answer: Promise<T>,
  signal: AbortSignal,
  failure: () => RtError = () => cancellation(signal),
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  using _ = onAbort(signal, () => reject(failure()));
  if (signal.aborted) reject(failure());
  try {
    return await Promise.race([answer, promise]);
  } finally {
    answer.catch(() => undefined);
  }
}
