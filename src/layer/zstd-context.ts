import type { DCtx } from "zstd-napi/binding";

/**
 * Decompression contexts, each of which keeps the largest window that it has had until it is collected. Most layers ask for
 * 8 MiB at most, and as many contexts as there are layers at work are no matter. Larger windows are for one frame at a time in
 * this process, in one context: the sum of what strangers can ask for is one window and not one for each layer.
 *
 *   const lease = await leaseContext(window, contexts);      waits for whoever has the large one
 *   …
 *   lease.end();                                             always
 */
export interface ContextLease {
  readonly context: DCtx;
  end(): void;
}

export interface Contexts {
  make(): DCtx;
  /** Whatever it was at: as new, but for the memory that it has. */
  reset(context: DCtx): void;
}

/** What zstd -19 asks for. */
const smallWindowMax = 8 * 1024 ** 2;

const idle: WeakRef<DCtx>[] = [];
let large: WeakRef<DCtx> | undefined;
let turn: Promise<void> = Promise.resolve();

export async function leaseContext(window: number, contexts: Contexts): Promise<ContextLease> {
  if (window > smallWindowMax) return leaseLarge(contexts);
  let context: DCtx | undefined;
  while (!context && idle.length > 0) context = idle.pop()?.deref();
  const held = ready(context, contexts);
  return { context: held, end: () => void idle.push(new WeakRef(held)) };
}

async function leaseLarge(contexts: Contexts): Promise<ContextLease> {
  const before = turn;
  const { promise, resolve } = Promise.withResolvers<void>();
  turn = promise;
  await before;
  // Held weakly: where nobody wants it any more, its memory goes.
  const context = ready(large?.deref(), contexts);
  large = new WeakRef(context);
  return { context, end: resolve };
}

function ready(context: DCtx | undefined, contexts: Contexts): DCtx {
  if (context) contexts.reset(context);
  return context ?? contexts.make();
}
