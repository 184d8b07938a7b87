import { RtError } from "../../base/errors.ts";
import { holdsWithin } from "../../base/wait.ts";
import { isLocked } from "../../runtime/lock.ts";
import type { Rootfs } from "../../snapshot/snapshot.ts";

const writersWithin_ms = 10_000;

/**
 * For one who starts a container, once its lock is his: until nobody writes into its files from outside any more. Who begins with
 * that from here on sees the lock, and leaves (zig-native/layer/root.zig).
 * @throws RtError conflict: that takes too long
 */
export async function awaitWriters(rootfs: Rootfs): Promise<void> {
  if (rootfs.type === "bind" || (await holdsWithin(writersWithin_ms, () => !isLocked(rootfs.upper)))) return;
  throw new RtError("conflict", "files are being copied into it: try again when that is over", {
    exitCode: 1,
  });
}
