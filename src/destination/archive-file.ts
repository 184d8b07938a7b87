import { renameSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { RtError, withCause } from "../base/errors.ts";
import type { FileLock } from "../content/file-lock.ts";
import { synced } from "../content/synced.ts";
import { writeAll } from "../content/write-all.ts";
import { shown } from "../oci/json.ts";
import { lockOwnDraft } from "./own-draft.ts";

/** Where an archive's bytes go, one after the other. */
export interface ArchiveOutput extends Disposable {
  write(bytes: Uint8Array): Promise<void>;
  /** That was all. Without it nothing is left that could be taken for an archive, where that can be helped. */
  finish(): Promise<void>;
}

/**
 * FILE, which is written as FILE.part beside it and renamed when it is whole. Two commands with one FILE write one after the
 * other; what a killed one has left of it the next writes over.
 * @throws RtError invalid-argument: there is something that is no file; not-found: no directory; and what the system says
 */
export async function openArchiveFile(path: string, signal?: AbortSignal): Promise<ArchiveOutput> {
  const what = `cannot write ${shown(path)}`;
  const before = found(what, path);
  if (before && !before.isFile()) {
    const kind = before.isDirectory() ? "a directory" : "no regular file";
    throw new RtError("invalid-argument", `${what}: it is ${kind}`, { exitCode: 1 });
  }
  const directory = dirname(path);
  if (!found(what, directory))
    throw new RtError("not-found", `${what}: there is no directory ${shown(directory)}`);
  let lock: FileLock;
  try {
    lock = await lockOwnDraft(path, signal);
  } catch (error) {
    throw withCause(what, error);
  }
  let position = 0;
  let isWhole = false;
  return {
    async write(bytes) {
      try {
        await writeAll(lock.fd, bytes, position);
      } catch (error) {
        throw withCause(what, error);
      }
      position += bytes.length;
    },
    async finish() {
      try {
        // Or a power failure may leave nothing in the place of what was there.
        await synced(lock.fd);
        renameSync(lock.path, path);
      } catch (error) {
        throw withCause(what, error);
      }
      isWhole = true;
    },
    [Symbol.dispose]() {
      if (!isWhole) lock.unlink();
      lock.close();
    },
  };
}

function found(what: string, path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw withCause(what, error);
  }
}
