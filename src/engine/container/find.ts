import type { Container } from "../../container/container-store.ts";
import type { Host } from "../host.ts";

/**
 * The container that the user calls `text`, for commands that begin without `reconcile`. One that is not there may run all
 * the same, with its row lost. @throws RtError not-found | invalid-argument
 */
export async function findContainer(host: Host, text: string): Promise<Container> {
  const found = host.containers.find(text);
  if (found) return found;
  const { reconcile } = await import("../care/reconcile.ts");
  await reconcile(host);
  return host.containers.get(text);
}
