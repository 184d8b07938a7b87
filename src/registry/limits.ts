/**
 * What a registry may cost us. A test passes smaller ones; people set `registry-timeout` (base/config.ts), which decides how
 * long a registry may be silent. Times in milliseconds.
 */
export interface Limits {
  /**
   * From the request to the answer's headers: name lookup, connection, TLS and the registry's thinking. With a body, from when
   * that is out; the time that it takes to make it is nobody's but ours.
   */
  headersMs: number;
  /** A body must bring `idleBytesMin` bytes in each such span of waiting, or it counts as stalled (slow loris). */
  idleMs: number;
  idleBytesMin: number;
  /**
   * The same for what is sent: so long the registry may take nothing of a body. Longer, as what the kernel holds for a slow
   * line goes in bursts; so it is what the answer to a long one may take too.
   */
  uploadIdleMs: number;
  /** Up to here a blob travels with the request that ends its upload: there is nothing worth going on with. */
  uploadWholeBytesMax: number;
  /** Of a registry (or of what stands before it) that does not take a large one as one: what it is to take at once. */
  uploadPieceBytes: number;
  /** Until a blob that has been sent whole is there: many copy it first to where it stays. */
  commitMs: number;
  /** A small document (manifest, token) must be complete by then. */
  documentMs: number;
  tokenBytesMax: number;
  redirectsMax: number;
  /** Tries in a row that fail; for a blob a try that brought `progressBytesMin` bytes starts the count anew. */
  attemptsMax: number;
  progressBytesMin: number;
  /** The first pause between tries; each next one is twice as long, up to `backoffMsMax`. */
  backoffMs: number;
  backoffMsMax: number;
  /** The longest Retry-After that is obeyed; a longer one ends the pull. */
  retryAfterMsMax: number;
  helperMs: number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const defaultLimits: Limits = {
  headersMs: 30_000,
  idleMs: 30_000,
  idleBytesMin: 1024,
  uploadIdleMs: 120_000,
  uploadWholeBytesMax: 4 << 20,
  uploadPieceBytes: 32 << 20,
  commitMs: 300_000,
  documentMs: 60_000,
  tokenBytesMax: 1024 * 1024,
  redirectsMax: 10,
  attemptsMax: 5,
  progressBytesMin: 64 * 1024,
  backoffMs: 100,
  backoffMsMax: 5_000,
  retryAfterMsMax: 60_000,
  helperMs: 30_000,
  sleep,
};

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
