import { RtError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Network } from "../../network/network-store.ts";
import type { Networks } from "../../network/networks.ts";
import { wishesOf } from "../../settings/network.ts";
import { isOver } from "../container/look.ts";
import type { Host } from "../host.ts";
import { networkEvent } from "../record-event.ts";
import { applyNetworks } from "./apply.ts";
import { asVerb, changeNetworks, type NetworkChange, refusal } from "./change.ts";

/**
 * A container is in one network less from here on, running or not. With `force` the network itself need not be there any more.
 * @throws RtError not-found; invalid-argument | conflict, in Docker's words: it is not in it
 */
export async function disconnectNetwork(
  host: Host,
  name: string,
  container: string,
  { force }: { force: boolean },
): Promise<void> {
  const networks = await host.networks();
  const network = force ? networks.store.find(name) : networks.store.get(name);
  const change: NetworkChange = {
    onRecord(id) {
      const { record } = host.containers.get(id);
      host.containers.replace(without(networks, record, network, name));
      if (network) networks.endpoints.disconnect(id, network.id);
    },
    async live(id, target) {
      const before = host.containers.get(id).record;
      const record = host.database.transaction(() => {
        const reduced = without(networks, host.containers.get(id).record, network, name);
        host.containers.replace(reduced);
        if (network) networks.endpoints.leave(id, network.id);
        return reduced;
      });
      try {
        await applyNetworks(host, record, target, before);
      } catch (error) {
        // The record says it already, and its interfaces went with it.
        if (!isOver(target)) throw error;
        return;
      }
      if (network) networkEvent(host, "disconnect", network, id);
    },
  };
  await asVerb(() => changeNetworks(host, container, change));
}

/** @throws RtError */
function without(
  networks: Networks,
  record: ContainerRecord,
  network: Network | undefined,
  name: string,
): ContainerRecord {
  if (record.networkMode === "host" && network?.driver === "host")
    throw refusal(
      "invalid-argument",
      "cannot disconnect container from host network - container was created in host network mode",
    );
  if (network?.driver === "null" && record.networkMode === "none" && record.networks === undefined)
    return { ...record, networks: [] };
  const wishes = wishesOf(record);
  const others = wishes.filter((each) =>
    network ? networks.store.find(each.network)?.id !== network.id : each.network !== name,
  );
  if (others.length === wishes.length)
    throw new RtError(
      "conflict",
      `container ${record.id} is not connected to network ${network?.name ?? name}`,
      {
        exitCode: 1,
      },
    );
  return { ...record, networks: others };
}
