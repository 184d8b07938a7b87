import { closeSync, constants, openSync, unlinkSync, writeSync } from "node:fs";
import { isErrno, RtError, withCause } from "../../base/errors.ts";
import { callerPath } from "../../base/working-directory.ts";

/** `--cidfile`: made first, so that two runs cannot share one; filled when the container runs; gone when it could not. */
export class CidFile {
  readonly #path: string;
  readonly #descriptor: number;

  /** @throws RtError conflict: it exists */
  constructor(path: string) {
    this.#path = path;
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
      this.#descriptor = openSync(callerPath(path, "--cidfile"), flags, 0o644);
    } catch (error) {
      if (error instanceof RtError) throw error;
      if (!isErrno(error, "EEXIST")) throw withCause(`cannot write the container's id to ${path}`, error);
      throw new RtError(
        "conflict",
        `container ID file found, make sure the other container isn't running or delete ${path}`,
      );
    }
  }

  /** What `run` answers, which is to call `written` with the id of the container that it makes. */
  async of<T>(run: (written: (id: string) => void) => Promise<T>): Promise<T> {
    try {
      return await run((id) => writeSync(this.#descriptor, id));
    } catch (error) {
      unlinkSync(this.#path);
      throw error;
    } finally {
      closeSync(this.#descriptor);
    }
  }
}
