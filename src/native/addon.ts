import { readFileSync } from "node:fs";
import zstd from "#native/zstd.node" with { type: "file" };
import { loadAddon } from "./ffi.ts";

/**
 * Loads zstd-napi's addon out of this executable. In the bundle the package's own binding.js is replaced by a look-up of this
 * symbol (build.ts), so call this before importing zstd-napi.
 */
export function loadZstdAddon(): void {
  const key = Symbol.for("rt.zstd");
  const place = globalThis as unknown as Record<symbol, unknown>;
  place[key] ??= loadAddon("zstd.node", readFileSync(zstd));
}
