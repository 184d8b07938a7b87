import { withCause } from "../../base/errors.ts";
import { sendPieces, sendTo } from "../../layer/root.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find } from "./find.ts";
import { bareRoot } from "./root.ts";

/**
 * A container's root as an archive, without what is mounted in it.
 * @param file an open file of the caller's; his output unless it is given
 */
export async function exportContainer(host: Host, name: string, file?: number): Promise<void> {
  const seen = await find(host, name);
  const sent = { root: await bareRoot(host, seen), path: "/", as: "" };
  const { stdio, abort } = host.session;
  try {
    if (file !== undefined) await sendTo(file, sent, abort);
    else if (stdio.kind === "descriptors") await sendTo(stdio.stdout, sent, abort);
    else await sendPieces((bytes) => stdio.output("stdout", bytes), sent, abort);
    containerEvent(host, seen.container, "export");
  } catch (error) {
    throw withCause(`cannot export container ${seen.container.name}`, error);
  }
}
