import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { run } from "./command.ts";

const path = "/dev/net/tun";

/**
 * /dev/net/tun as udev makes it on every distribution: everybody may open it, which gives nobody anything outside of a network
 * namespace that is his own. A machine without udev has it for root alone, or not at all.
 */
export async function openTun(): Promise<void> {
  if (!existsSync(path)) {
    mkdirSync("/dev/net", { recursive: true });
    await run(["mknod", "-m", "666", path, "c", "10", "200"]);
  } else if ((statSync(path).mode & 0o666) !== 0o666) chmodSync(path, 0o666);
}
