import { fsync } from "node:fs";

/** What was written to it is on disk; in another thread than this. */
export function synced(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fsync(fd, (error) => (error ? reject(error) : resolve())));
}
