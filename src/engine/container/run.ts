import { reconcileUnattended } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { obtainImage } from "../image/obtain.ts";
import { create } from "./create.ts";
import type { RunOptions } from "./run-options.ts";
import { startProgram } from "./start-program.ts";

/**
 * `rt run`: the whole way of a container, in a straight line. A failure anywhere before the program runs leaves nothing of it.
 *
 * @returns the program's exit status; 0 when it is detached
 */
export async function run(host: Host, options: RunOptions): Promise<number> {
  await using undo = new AsyncDisposableStack();
  const image = await obtainImage(host, options);
  const snapshots = await host.snapshots();
  await reconcileUnattended(host);
  const attended = !options.detach;
  const { record, program: built } = await create(host, image, snapshots, { ...options, attended }, undo);
  using program = built;
  options.onCreated?.(record.id);
  const { sigProxy } = options;
  return await startProgram(host, record, program, { attach: attended, stdin: true, sigProxy }, undo);
}
