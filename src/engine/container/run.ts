import type { ContainerRecord } from "../../container/record.ts";
import type { ImageRecord } from "../../image/record.ts";
import { isNear } from "../../reference/kind.ts";
import type { Program } from "../../runtime/runtime.ts";
import { concludeRun } from "../care/conclude.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { ensureImage } from "../image/ensure.ts";
import { create, starting } from "./create.ts";
import { follow } from "./follow.ts";
import type { RunOptions } from "./run-options.ts";

/**
 * `rt run`: the whole way of a container, in a straight line. A failure anywhere before the program runs leaves nothing of it.
 *
 * @returns the program's exit status; 0 when it is detached
 */
export async function run(host: Host, options: RunOptions): Promise<number> {
  await using undo = new AsyncDisposableStack();
  const image = await obtainImage(host, options);
  const snapshots = await host.snapshots();
  await reconcile(host);
  const attended = !options.detach;
  const { record, program: built } = await create(host, image, snapshots, { ...options, attended }, undo);
  using program = built;
  options.onCreated?.(record.id);
  const status = await starting(record, () => go(host, record, program, options));
  undo.move(); // it has run: what is left of it is not to be undone, but concluded
  // Detached, it goes on without us.
  if (status !== undefined) await concludeRun(host, record, snapshots);
  return status ?? 0;
}

/** @returns the exit status; undefined when the program goes on without us */
async function go(host: Host, record: ContainerRecord, program: Program, options: RunOptions) {
  if (options.detach) return void (await program.start());
  const { openStdin: stdin, tty } = options.settings;
  return follow(host, record, program, { start: true, stdin, tty, signals: options.sigProxy });
}

async function obtainImage(host: Host, { image, pull }: RunOptions): Promise<ImageRecord> {
  const { policy, platform, listener } = pull;
  try {
    return await ensureImage(host, image, {
      policy,
      platform,
      onMissing: () => {
        if (!isNear(image)) listener?.missing();
      },
      onProgress: (progress) => listener?.progress(progress),
    });
  } finally {
    listener?.end();
  }
}
