import { closeSync, constants, openSync, unlinkSync, writeSync } from "node:fs";
import { isErrno, RtError, while_ } from "../../base/errors.ts";
import { callerPath } from "../../base/working-directory.ts";
import type { ImageRecord } from "../../image/record.ts";
import type { AttachOptions } from "../../runtime/native.ts";
import { settle } from "../care/conclude.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { ensureImage, isNear } from "../image/ensure.ts";
import { checkTerminal, follow } from "./attach.ts";
import { assemble, starting } from "./create.ts";
import type { RunOptions } from "./run-options.ts";

/**
 * `rt run` in the foreground: the whole way of a container, in a straight line. A failure anywhere before the program runs
 * leaves nothing of it.
 *
 * @returns the program's exit status
 */
export async function run(host: Host, options: RunOptions): Promise<number> {
  checkTerminal(options);
  using undo = new DisposableStack();
  const cidFile = openCidFile(options.cidFile, undo);
  const image = await obtainImage(host, options);
  const snapshots = await host.snapshots();
  await reconcile(host);
  const { record, program } = assemble(host, image, snapshots, options, undo);
  cidFile?.(record.id);
  const status = starting(record, () => follow(host, record, program, attachOptions(options)));
  undo.move(); // it has run: what is left of it is not to be undone, but settled
  // Detached, it goes on without us.
  if (status !== undefined) settle(host, record, snapshots);
  return status ?? 0;
}

function attachOptions(options: RunOptions): AttachOptions {
  return {
    start: true,
    stdin: options.interactive,
    tty: options.tty,
    signals: options.sigProxy,
    detachKeys: options.tty ? options.detachKeys : new Uint8Array(),
  };
}

async function obtainImage(host: Host, options: RunOptions): Promise<ImageRecord> {
  const { image, pull: policy, platform, onPull } = options;
  const interrupt = new AbortController();
  try {
    return await ensureImage(host, image, {
      policy,
      platform,
      signal: interrupt.signal,
      onMissing() {
        process.once("SIGINT", () => interrupt.abort());
        if (!isNear(image)) onPull?.missing();
      },
      onProgress: (progress) => onPull?.progress(progress),
    });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    const { pullInterrupted } = await import("../image/pull.ts");
    throw pullInterrupted(error);
  } finally {
    onPull?.end();
  }
}

/** Made first, so that two runs cannot share one; filled when the container runs; gone when it could not. */
function openCidFile(path: string | undefined, undo: DisposableStack): ((id: string) => void) | undefined {
  if (path === undefined) return undefined;
  let fd: number;
  try {
    fd = openSync(
      callerPath(path, "--cidfile"),
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
      0o644,
    );
  } catch (error) {
    if (error instanceof RtError) throw error;
    if (!isErrno(error, "EEXIST")) throw while_(`cannot write the container's id to ${path}`, error);
    throw new RtError(
      "conflict",
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  }
  undo.defer(() => unlinkSync(path));
  return (id) => {
    writeSync(fd, id);
    closeSync(fd);
  };
}
