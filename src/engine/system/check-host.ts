import { rootlessCaller } from "../../base/rootless.ts";
import { hostLacks, type Lack } from "../../rootless/host-check.ts";
import type { Host } from "../host.ts";

export type { Lack } from "../../rootless/host-check.ts";

/** What an ordinary user lacks here, whether or not he is in his namespace; nothing of root. */
export async function checkHost(host: Host): Promise<Lack[]> {
  const uid = rootlessCaller(host.env)?.uid ?? process.geteuid!();
  return uid === 0 ? [] : hostLacks({ uid, root: host.paths.root, env: host.env });
}
