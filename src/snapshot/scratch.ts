import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "../layer/tree.ts";
import { flock } from "../native/system.ts";
import { randomName } from "./directory.ts";
import { candidateCalled } from "./select.ts";
import type { SnapshotDriver } from "./snapshot.ts";

export interface ScratchDriver extends AsyncDisposable {
  readonly driver: SnapshotDriver;
}

/**
 * A driver of this name with a directory of its own beside the real one's, for layers that nobody will use. It is one of those
 * that are being made (directory.ts): who dies at it leaves what the next unpacking removes.
 */
export function scratchDriver(root: string, name: string): ScratchDriver {
  const path = join(root, "snapshots", name, "tmp", randomName());
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const lock = openSync(path, "r");
  flock(lock, "exclusive", true);
  return {
    driver: candidateCalled(name).open(path),
    async [Symbol.asyncDispose]() {
      closeSync(lock);
      await removeTree(path);
    },
  };
}
