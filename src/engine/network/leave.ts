import { RtError } from "../../base/errors.ts";
import type { Host } from "../host.ts";

/**
 * What the firewall knows of a container that is over, or does not come to be, goes, and its ports are free. The first follows
 * from the container's places, so this comes before they can be another's: before its end is on record, and before its row goes.
 *
 *   const leave = await leaving(host, id);
 *   settling(host, id, () => { leave(); … });
 */
export async function leaving(host: Host, id: string): Promise<() => void> {
  // Most of what networks need is not loaded for what is in none.
  const hasPorts = host.containers.hasPorts(id);
  if (!hasPorts && !host.containers.isInNetworks(id)) return () => {};
  const [networks, { keepRefused }] = await Promise.all([
    host.networks(),
    import("../../container/refused.ts"),
  ]);
  return () => {
    if (hasPorts) networks.ports.release(id);
    try {
      const endpoints = networks.endpoints.ofContainer(id);
      const refused = networks.refused(id);
      // Nothing more is known of one whose end has been seen to before.
      if (refused.length > 0) keepRefused(host.filesOf(id), refused);
      networks.dismiss(endpoints);
    } catch (error) {
      // What is left means nothing by itself, and goes with the next change of the networks.
      if (!(error instanceof RtError)) throw error;
      // Who may not take it away has not put it there.
      if (error.code === "forbidden") return;
      host.warn(`warning: container ${id.slice(0, 12)}: ${error.message}`);
    }
  };
}
