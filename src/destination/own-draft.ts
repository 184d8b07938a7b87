import { closeSync, constants, fstatSync, ftruncateSync, openSync, unlinkSync } from "node:fs";
import { FileLock } from "../content/file-lock.ts";

/**
 * The lock of PATH.part, an empty file of the caller's own. What lies there already may be anybody's who can write to the
 * directory: it is taken away and made anew, or he would own what we write, and a hard link would have us write to another file.
 */
export async function lockOwnDraft(path: string, signal?: AbortSignal): Promise<FileLock> {
  let owner = process.geteuid?.();
  for (;;) {
    const lock = await FileLock.acquire(`${path}.part`, signal ? { signal } : {});
    try {
      const { uid, nlink } = fstatSync(lock.fd);
      // A file system may have but one owner (vfat, a share of the network), whoever asks.
      if (uid !== owner) owner = ownerOfNew(path);
      if (uid === owner && nlink === 1) {
        ftruncateSync(lock.fd);
        return lock;
      }
      lock.unlink();
    } catch (error) {
      lock.close();
      throw error;
    }
    lock.close();
  }
}

/** Whose a file is that we make beside it. */
function ownerOfNew(path: string): number {
  const own = `${path}.${crypto.randomUUID()}`;
  const fd = openSync(own, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    return fstatSync(fd).uid;
  } finally {
    closeSync(fd);
    unlinkSync(own);
  }
}
