import { RtError, withCause } from "../base/errors.ts";
import type { ContentStore } from "../content/content-store.ts";
import { GrowingFile } from "../content/growing-file.ts";
import type { Ingest } from "../content/ingest.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { SnapshotDriver, UnpackResult } from "../snapshot/snapshot.ts";
import type { Source } from "../source/source.ts";

/** One layer of an image: what comes in, and what it becomes. */
export interface LayerPlan {
  descriptor: Descriptor;
  diffID: Digest;
  chain: Digest;
  /** chainIDs below, bottom first. */
  parents: readonly Digest[];
}

export interface LayerProgress {
  /** Of the compressed layer. */
  layer: Digest;
  status: "waiting" | "downloading" | "extracting" | "exists" | "done";
  /** Compressed bytes. */
  current: number;
  total: number;
}

/** Where layers come from. */
export type LayerSource = Pick<Source, "fetch" | "distrust">;

export interface TransferRequest {
  content: ContentStore;
  driver: SnapshotDriver;
  source: LayerSource;
  layers: readonly LayerPlan[];
  /** The file size of a layer that is unpacked and on record, else undefined. */
  known: (layer: LayerPlan) => number | undefined;
  /** A layer has been unpacked: put it on record. */
  onUnpacked: (layer: LayerPlan, result: UnpackResult) => void;
  onProgress: (progress: LayerProgress) => void;
  /** Waiting for another rt, and for what. */
  onWait: (what: string) => void;
  /** Bytes that a layer may unpack to. */
  layerSizeMax: number;
  signal: AbortSignal;
}

/** Several transfers fill a link that one would not, and unpacking takes the other cores. More only costs memory. */
const layersAtOnce = 4;
const progressStep = 256 << 10;

/**
 * Bring all layers of an image to committed snapshots: fetch what is missing, verify, and unpack while it arrives.
 *
 *   source ──chunks──> ingest file ──(how far it is)──> driver.unpack
 *                        │ size + digest right             │ diffID right, parent committed
 *                        └> blobs/sha256/<hex>             └> snapshot <chainID>
 *
 * Layers are begun bottom first and finish in any order, except that a snapshot waits for its parent's. A layer is
 * worked on under the lock of its chainID, a blob is written under the lock of its digest, and the holder of a blob's
 * lock waits for nobody: so processes that pull images with shared layers in whatever order cannot block one another.
 *
 * A layer that is unpacked, and whose blob is not here, came in another compression: then its blob is fetched alone, as an
 * image goes out with the bytes that its manifest names.
 *
 * The first failure stops all; what has been written of unfinished blobs is kept for the next attempt.
 */
export async function transferLayers(request: TransferRequest): Promise<void> {
  const stop = new AbortController();
  const run = { ...request, signal: AbortSignal.any([request.signal, stop.signal]) };
  const ready = request.layers.map(() => Promise.withResolvers<void>());
  for (const { promise } of ready) promise.catch(() => undefined); // Nobody may be waiting when it is rejected.
  for (const plan of request.layers) report(run, plan, "waiting", 0);

  let next = 0;
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (let index = next++; index < request.layers.length && !failure; index = next++) {
      const parentReady = index === 0 ? Promise.resolve() : ready[index - 1]!.promise;
      try {
        await bring(run, request.layers[index]!, parentReady);
        ready[index]!.resolve();
      } catch (error) {
        failure ??= { error };
        stop.abort();
        ready[index]!.reject(error);
      }
    }
  };
  await Promise.all(Array.from({ length: layersAtOnce }, worker));
  if (request.signal.aborted) throw cancelled(failure?.error);
  if (failure) throw failure.error;
}

/** As from a program that SIGINT ended, which is how pulls are cancelled. */
export function cancelled(cause?: unknown): RtError {
  const text = `cancelled; what has arrived is kept for the next pull`;
  return new RtError("cancelled", text, { cause, exitCode: 130 });
}

async function bring(run: TransferRequest, plan: LayerPlan, parentReady: Promise<void>): Promise<void> {
  const isUnpacked = () => run.driver.has(plan.chain) && run.known(plan) !== undefined;
  const isThere = () => isUnpacked() && run.content.has(plan.descriptor.digest);
  if (isThere()) {
    run.content.clearChain(plan.chain);
    return report(run, plan, "exists", plan.descriptor.size);
  }
  using _ = await run.content.lockChain(plan.chain, {
    signal: run.signal,
    onWait: () => run.onWait(`layer ${plan.descriptor.digest}`),
  });
  if (isThere()) return report(run, plan, "exists", plan.descriptor.size);
  const attempt = isUnpacked() ? attemptBlob : attemptLayer;
  const result = await repairing(run, plan, (ingest) => attempt(run, plan, ingest, parentReady));
  if (result) run.onUnpacked(plan, result);
  report(run, plan, "done", plan.descriptor.size);
}

/**
 * Again if what was on disk already turns out to be the fault, or a mirror that can be left out.
 */
async function repairing<T>(
  run: TransferRequest,
  plan: LayerPlan,
  attempt: (ingest: Ingest) => Promise<T>,
): Promise<T> {
  for (let repaired = false; ; ) {
    using ingest = await run.content.ingest(plan.descriptor, {
      signal: run.signal,
      onWait: () => run.onWait(`blob ${plan.descriptor.digest}`),
    });
    const found = { present: ingest.present, size: ingest.size };
    try {
      return await attempt(ingest);
    } catch (error) {
      const isLoss = error instanceof RtError && error.code === "data-loss";
      if (!isLoss || run.signal.aborted) throw error;
      // A part that unpacks to nonsense would spoil the next attempt too.
      if (!ingest.present) ingest.discard();
      if (!found.present && run.source.distrust?.(plan.descriptor)) continue;
      if (repaired || !(await wasAtFault(run.content, plan, found))) throw error;
      repaired = true;
    }
  }
}

/** Was the data-loss in what we found on disk, not in what the source sends? Then it is gone now. */
async function wasAtFault(
  content: ContentStore,
  { descriptor }: LayerPlan,
  found: { present: boolean; size: number },
): Promise<boolean> {
  if (!found.present) return found.size > 0;
  if (await content.intact(descriptor.digest)) return false;
  content.remove(descriptor.digest);
  return true;
}

async function attemptBlob(run: TransferRequest, plan: LayerPlan, ingest: Ingest): Promise<undefined> {
  await fetchBlob(run, plan, ingest, new GrowingFile(ingest.size));
}

async function attemptLayer(
  run: TransferRequest,
  plan: LayerPlan,
  ingest: Ingest,
  parentReady: Promise<void>,
): Promise<UnpackResult> {
  const stop = new AbortController();
  const signal = AbortSignal.any([run.signal, stop.signal]);
  const file = new GrowingFile(ingest.size);
  let failure: { error: unknown } | undefined;
  const failed = (error: unknown) => {
    failure ??= { error };
    file.fail(error);
    stop.abort();
  };
  const download = fetchBlob({ ...run, signal }, plan, ingest, file).catch(failed);
  const unpack = unpackBlob({ ...run, signal }, plan, ingest, file, parentReady).catch(failed);
  const [, result] = await Promise.all([download, unpack]);
  if (failure) throw failure.error;
  return result ?? { size: 0 };
}

async function fetchBlob(
  run: TransferRequest,
  plan: LayerPlan,
  ingest: Ingest,
  file: GrowingFile,
): Promise<void> {
  const { descriptor } = plan;
  if (!ingest.present) {
    let shown = ingest.size;
    report(run, plan, "downloading", shown);
    if (ingest.size < descriptor.size) {
      for await (const chunk of run.source.fetch(descriptor, ingest.size, run.signal)) {
        ingest.write(chunk);
        run.signal.throwIfAborted();
        file.grow(ingest.size);
        if (ingest.size - shown < progressStep) continue;
        shown = ingest.size;
        report(run, plan, "downloading", shown);
      }
    }
    // The reader is told of the end only when the whole is known to be right: nothing unverified gets committed.
    ingest.verify();
  }
  report(run, plan, "extracting", descriptor.size);
  file.finish(descriptor.size);
  await ingest.commit();
}

async function unpackBlob(
  run: TransferRequest,
  plan: LayerPlan,
  ingest: Ingest,
  file: GrowingFile,
  parentReady: Promise<void>,
): Promise<UnpackResult> {
  if (!run.driver.parallel) await parentReady;
  const { descriptor, chain, parents, diffID } = plan;
  try {
    return await run.driver.unpack({
      chain,
      parents,
      diffID,
      parentReady,
      sizeMax: run.layerSizeMax,
      signal: run.signal,
      source: { mediaType: descriptor.mediaType, path: ingest.path, more: (have) => file.more(have) },
    });
  } catch (error) {
    if (run.signal.aborted) throw error;
    throw withCause(`layer ${descriptor.digest}`, error);
  }
}

function report(
  run: TransferRequest,
  plan: LayerPlan,
  status: LayerProgress["status"],
  current: number,
): void {
  run.onProgress({ layer: plan.descriptor.digest, status, current, total: plan.descriptor.size });
}
