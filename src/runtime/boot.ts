import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { execute } from "../native/system.ts";

/**
 * Process 1 is rt-init (zig-native/boot.zig), not Bun: our own executable, called so, becomes it before Bun starts
 * (zig-native/start/first.zig), and it starts `rt init` with `words` as the session, with our whole environment.
 */
export function becomeInit(words: readonly string[]): void {
  const argv = Buffer.from(["rt-init", ...words].map((word) => `${word}\0`).join(""));
  execute(openSync("/proc/self/exe", "r"), argv, readFileSync("/proc/self/environ"));
}

/** Where the session tells process 1 how long it takes to stop everything (zig-native/boot/session.zig). */
const patienceDescriptor = 4;

/** Once, before the first container. Process 1 ends a session that takes longer. */
export function tellPatience(patience_ms: number): void {
  writeSync(patienceDescriptor, `${patience_ms}\n`);
  closeSync(patienceDescriptor);
}
