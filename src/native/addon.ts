import { readFileSync } from "node:fs";
// Not called zstd.node: whatever `with` says, the bundler makes a module of that, not a file.
import zstd from "#native/zstd.so" with { type: "file" };
import { loadAddon } from "./ffi.ts";

/**
 * Loads zstd-napi's addon out of this executable. In the bundle the package's own binding.js is replaced by a look-up of this
 * symbol (build.ts), so call this before importing zstd-napi.
 */
export function loadZstdAddon(): void {
  const key = Symbol.for("rt.zstd");
  const place = globalThis as unknown as Record<symbol, unknown>;
  place[key] ??= loadAddon("zstd.so", readFileSync(zstd));
}
