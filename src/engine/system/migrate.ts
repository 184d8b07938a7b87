import { rootlessCaller } from "../../base/rootless.ts";
import { endHolder } from "../../rootless/end.ts";
import type { Host } from "../host.ts";

/**
 * The process that holds an ordinary user's namespace ends, and the next command makes one anew.
 * @returns false: there was none
 * @throws RtError conflict: containers of his run; invalid-argument: the caller is root
 */
export async function migrate(host: Host): Promise<boolean> {
  const uid = rootlessCaller(host.env)?.uid ?? process.geteuid!();
  return await endHolder(host.env, uid);
}
