import { openSync, readFileSync } from "node:fs";
import { becomeHelper } from "../native/helper.ts";

/**
 * Process 1 is rt-init (zig-native/boot.zig), not Bun: this process becomes it, and it starts `rt init` with `words` as the
 * session, from a descriptor of our executable and with our whole environment.
 */
export function becomeInit(words: readonly string[]): never {
  becomeHelper("rt-init", openSync("/proc/self/exe", "r"), words, readFileSync("/proc/self/environ"));
}
