import { expect } from "bun:test";
import { type ErrorCode, RtError } from "../../../src/base/errors.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import type { RegistryOptions } from "../../../src/registry/client.ts";
import { openSource } from "../../../src/source/open.ts";

export const amd64 = { os: "linux", architecture: "amd64" };

/** What a pull saw and did, with waits that only get noted down. */
export interface Pulled {
  layers: Uint8Array[];
  waits: number[];
  warnings: string[];
  reference: string;
}

export interface PullOptions extends Partial<RegistryOptions> {
  platform?: typeof amd64;
  /** Told of each chunk, before the next one is asked for. */
  onChunk?: (chunk: Uint8Array) => void;
  offset?: number;
}

/** Resolves and fetches everything, checking each layer's digest as the engine does. */
export async function pull(name: string, options: PullOptions = {}): Promise<Pulled> {
  const waits: number[] = [];
  const warnings: string[] = [];
  const sleep = async (ms: number) => {
    waits.push(ms);
  };
  const source = await openSource(name, {
    config: { registries: new Map() },
    env: {},
    warn: (line) => warnings.push(line),
    ...options,
    limits: { sleep, ...options.limits },
  });
  try {
    const found = await source.resolve(options.platform ?? amd64);
    const layers: Uint8Array[] = [];
    for (const layer of found.manifest.layers) {
      const parts: Uint8Array[] = [];
      for await (const chunk of source.fetch(layer, options.offset ?? 0)) {
        options.onChunk?.(chunk);
        parts.push(chunk);
      }
      const bytes = Buffer.concat(parts);
      if (!options.offset && digestOf(bytes) !== layer.digest)
        throw new RtError("data-loss", "wrong layer digest");
      layers.push(bytes);
    }
    return { layers, waits, warnings, reference: source.reference };
  } finally {
    await source.close();
  }
}

/** The local name of an image that `pull` would bring. */
export async function referenceOf(text: string): Promise<string> {
  const source = await openSource(text, { config: { registries: new Map() }, warn: () => {} });
  await source.close();
  return source.reference;
}

/** Expects one line of an RtError of that class; answers the line. */
export async function failsWith(code: ErrorCode, pulled: Promise<unknown>): Promise<string> {
  let error: unknown;
  try {
    await pulled;
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof RtError)) throw new Error(`want an RtError, got ${error}`, { cause: error });
  expect(error.message).toMatch(/^[^\n]+$/);
  expect([error.code, error.message]).toEqual([code, error.message]);
  return error.message;
}

/** A blob of `length` bytes that repeat nowhere in step with a chunk. */
export function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}
