import { RtError } from "../../base/errors.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find } from "./find.ts";
import { start } from "./start.ts";
import { type StopOptions, stop } from "./stop.ts";

/**
 * Stop a container where it runs, and start it.
 * @throws RtError as stop and start; conflict: with its end it would be gone
 */
export async function restart(host: Host, name: string, options: StopOptions): Promise<void> {
  const { container, state } = await find(host, name);
  if (container.autoRemove && state.status !== "created") {
    const message = `cannot restart container ${name}: it is removed when it stops (--rm)`;
    throw new RtError("conflict", message, { exitCode: 1 });
  }
  await stop(host, container.id, options);
  await start(host, container.id, { attach: false, stdin: false, sigProxy: false });
  containerEvent(host, container, "restart");
}
